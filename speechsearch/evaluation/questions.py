"""Questions about a collection of recordings and the recordings that answer them, as a person hands them in.

Either ``queries.jsonl`` with a TSV of judgements, as BEIR has them, or a CSV with the columns question and recording. A
recording is named by its title, its file (with or without suffix), its id or the id of one of its passages.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from speechsearch.domain.errors import InputError
from speechsearch.domain.values import Passage, Recording
from speechsearch.evaluation.dataset import (
    CollectionQuery,
    EvaluationCollection,
    SpokenPassage,
    judgements,
    numbered_lines,
    rows,
    text_field,
)

MOST_QUESTIONS = 1_000
LONGEST_QUESTION = 1_000
WANTED = "Give queries.jsonl with a .tsv of judgements, or a .csv with the columns question and recording."


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions, and which recordings answer them: {query id: {recording id: grade}}."""

    queries: tuple[CollectionQuery, ...]
    relevance: Mapping[str, Mapping[str, int]]

    def over(self, name: str, recordings: Iterable[Recording]) -> EvaluationCollection:
        """Return a collection whose passages are whole recordings: one is found when any of its passages is."""
        spoken = tuple(SpokenPassage(one.recording_id, Path(one.file_name)) for one in recordings)
        return EvaluationCollection(name, spoken, self.queries, self.relevance)


class Names:
    """What the recordings of a collection may be called."""

    def __init__(self, recordings: Iterable[Recording], passages: Iterable[Passage] = ()) -> None:
        self._known: dict[str, set[str]] = {}
        for one in recordings:
            file = PurePath(one.file_name)
            for name in {one.recording_id, file.name, file.stem, one.title} - {""}:
                self._known.setdefault(plain(name), set()).add(one.recording_id)
        for passage in passages:
            self._known.setdefault(passage.passage_id, set()).add(passage.recording_id)

    def __contains__(self, name: str) -> bool:
        """Say whether a recording has this name."""
        return plain(name) in self._known

    def recording_id(self, name: str, where: str) -> str:
        """Return the recording of a name.

        Raises:
            InputError: there is none, or more than one.
        """
        found = self._known.get(plain(name), set())
        if not found:
            raise InputError(f"{where}: no recording of the collection is called {name!r:.200}.")
        if len(found) > 1:
            raise InputError(
                f"{where}: {len(found)} recordings are called {name!r:.200}.", "Name it by its file or its id."
            )
        return next(iter(found))


def plain(name: str) -> str:
    """Return a name without differences of case and spacing.

    >>> plain("  The Old  Gate ")
    'the old gate'
    """
    return " ".join(name.casefold().split())


def read_questions(files: Sequence[Path], names: Names) -> QuestionSet:
    """Return the questions in one CSV file, or in a JSON-lines file and a TSV file.

    Raises:
        InputError: other files were given, or a line cannot be used; the message says which.
    """
    by_kind = {path.suffix.lower(): path for path in files}
    if len(by_kind) != len(files) or set(by_kind) not in ({".csv"}, {".jsonl", ".tsv"}):
        raise InputError("These files are no set of questions.", WANTED)
    if ".csv" in by_kind:
        return from_table(by_kind[".csv"], names)
    return from_lists(by_kind[".jsonl"], by_kind[".tsv"], names)


def from_lists(queries_file: Path, judgements_file: Path, names: Names) -> QuestionSet:
    """Return the questions of BEIR's two lists. Raises InputError."""
    queries, written = two_lists(queries_file, judgements_file)
    return answered(queries, with_ids(written, names, judgements_file.name))


def from_shipped(folder: Path, names: Names) -> QuestionSet:
    """Return the questions of a folder like ``samples/``, without those about recordings that are not there (any more).

    Raises:
        InputError: none is left.
    """
    queries, written = two_lists(folder / "queries.jsonl", folder / "qrels" / "test.tsv")
    present = {
        query: {name: grade for name, grade in grades.items() if name in names} for query, grades in written.items()
    }
    kept = [query for query in queries if present.get(query.query_id, {"": 0})]
    return answered(kept, with_ids({query: grades for query, grades in present.items() if grades}, names, "samples"))


def two_lists(queries_file: Path, judgements_file: Path) -> tuple[list[CollectionQuery], dict[str, dict[str, int]]]:
    """Return the questions, and {query id: {recording as it is called: grade}}. Raises InputError."""
    queries = []
    for name, row, where in rows(queries_file):
        queries.append(CollectionQuery(name, checked(text_field(row, where), where)))
        check_count(len(queries))
    return queries, judgements(judgements_file, {query.query_id for query in queries})


def with_ids(written: Mapping[str, Mapping[str, int]], names: Names, where: str) -> dict[str, dict[str, int]]:
    """Return the judgements with the recordings' ids for their names. Raises InputError."""
    return {
        query: {names.recording_id(name, where): grade for name, grade in grades.items()}
        for query, grades in written.items()
    }


def from_table(file: Path, names: Names) -> QuestionSet:
    """Return the questions of a CSV file; a line without a recording is a question that nothing answers.

    Raises:
        InputError: a column is missing, or a line cannot be used.
    """
    lines = csv.DictReader((line for _, line in numbered_lines(file)), skipinitialspace=True)
    queries: dict[str, CollectionQuery] = {}
    relevance: dict[str, dict[str, int]] = {}
    try:
        columns = [str(name).strip().lower() for name in lines.fieldnames or ()]
        if not {"question", "recording"} <= set(columns):
            raise InputError(f"{file.name}: its first line must name the columns question and recording.")
        lines.fieldnames = columns
        for number, row in enumerate(lines, 2):
            where = f"{file.name}, line {number}"
            question = checked(row["question"] or "", where)
            query = queries.setdefault(question, CollectionQuery(f"q{len(queries) + 1:04d}", question))
            check_count(len(queries))
            if name := (row["recording"] or "").strip():
                relevance.setdefault(query.query_id, {})[names.recording_id(name, where)] = 1
    except csv.Error as error:
        raise InputError(f"{file.name}: not a table ({error}).", WANTED) from error
    return answered(list(queries.values()), relevance)


def answered(queries: Sequence[CollectionQuery], relevance: Mapping[str, Mapping[str, int]]) -> QuestionSet:
    """Return the set; refuse one in which nothing can be found."""
    if not relevance:
        raise InputError("No question has an answer.", "Name the recording that answers each question.")
    return QuestionSet(tuple(queries), relevance)


def checked(question: str, where: str) -> str:
    """Return a question without needless spaces. Raises InputError: it is empty or too long."""
    words = " ".join(question.split())
    if not words:
        raise InputError(f"{where}: the question is empty.")
    if len(words) > LONGEST_QUESTION:
        raise InputError(f"{where}: the question has more than {LONGEST_QUESTION:,} characters.")
    return words


def check_count(count: int) -> None:
    """Refuse more questions than a visitor may put. Raises InputError."""
    if count > MOST_QUESTIONS:
        raise InputError(f"There are more than {MOST_QUESTIONS:,} questions.", "Ask fewer at a time.")
