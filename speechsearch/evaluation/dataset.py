"""Read a BEIR-style folder: spoken passages, queries and which passages answer which query.

``corpus.jsonl``: {"_id", "audio": path inside the folder, optional "text": what is said}; ``queries.jsonl``: {"_id",
"text"} or {"_id", "audio"}; ``qrels/test.tsv``: query-id, corpus-id, score, under a header line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from speechsearch.domain.errors import InputError, NotFoundError

LONGEST_LINE_CHARACTERS = 1_000_000
LAYOUT = (
    'The folder holds corpus.jsonl, queries.jsonl, qrels/test.tsv and the audio that corpus.jsonl names in "audio".'
)


@dataclass(frozen=True, slots=True)
class SpokenPassage:
    """One passage of a collection: its sound, and what is said in it where that is known."""

    passage_id: str
    audio: Path
    text: str = ""


@dataclass(frozen=True, slots=True)
class CollectionQuery:
    """One query of a collection; with ``audio`` it is spoken and ``text``, if any, only says what is said."""

    query_id: str
    text: str = ""
    audio: Path | None = None


@dataclass(frozen=True, slots=True)
class EvaluationCollection:
    """A whole folder; ``relevance`` is {query id: {passage id: grade}} with grades of 1 or more."""

    name: str
    passages: tuple[SpokenPassage, ...]
    queries: tuple[CollectionQuery, ...]
    relevance: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def is_answerable(self, query_id: str) -> bool:
        """Whether a passage of the collection answers the query."""
        return bool(self.relevance.get(query_id))


def read_collection(folder: Path) -> EvaluationCollection:
    """Return the collection in a folder, every line of it checked.

    Raises:
        NotFoundError: there is no such folder, or one of its three lists is missing.
        InputError: a line cannot be used; the message says file, line and reason.
    """
    if not folder.is_dir():
        raise NotFoundError(f"{folder} is not a folder.", LAYOUT)
    passages = tuple(
        SpokenPassage(name, audio_path(folder, row, where), text_field(row, where))
        for name, row, where in rows(folder / "corpus.jsonl")
    )
    queries = tuple(query(folder, name, row, where) for name, row, where in rows(folder / "queries.jsonl"))
    relevance = judgements(
        folder / "qrels" / "test.tsv", {q.query_id for q in queries}, {p.passage_id for p in passages}
    )
    return EvaluationCollection(folder.resolve().name, passages, queries, relevance)


def query(folder: Path, name: str, row: Mapping[str, object], where: str) -> CollectionQuery:
    """Return one query.

    Raises:
        InputError: it has neither text nor audio.
    """
    text = text_field(row, where)
    audio = audio_path(folder, row, where) if row.get("audio") is not None else None
    if audio is None and not text.strip():
        raise InputError(f'{where}: the query "{name}" has neither "text" nor "audio".')
    return CollectionQuery(name, text, audio)


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (number, line) of the lines that are not blank, the first being 1.

    Raises:
        NotFoundError: there is no such file.
        InputError: the file is not UTF-8 text or a line is absurdly long.
    """
    if not path.is_file():
        raise NotFoundError(f"{path.name} is missing.", LAYOUT)
    number = 0
    with open(path, encoding="utf-8-sig", newline="\n") as lines:
        try:
            while line := lines.readline(LONGEST_LINE_CHARACTERS + 1):
                number += 1
                if len(line) > LONGEST_LINE_CHARACTERS:
                    raise InputError(f"{path.name}, line {number}: longer than {LONGEST_LINE_CHARACTERS:,} characters.")
                if line.strip():
                    yield number, line.rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise InputError(f"{path.name}, after line {number}: not UTF-8 text ({error.reason}).") from error


def rows(path: Path) -> Iterator[tuple[str, Mapping[str, object], str]]:
    """Yield (id, object, place) of the lines of a JSON-lines file.

    Raises:
        InputError: a line is not a JSON object with a proper and new "_id", or the file has no lines.
    """
    seen: dict[str, int] = {}
    for number, line in numbered_lines(path):
        where = f"{path.name}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{where}: not JSON ({error}).") from error
        if not isinstance(row, dict):
            raise InputError(f"{where}: a JSON object is expected, like {{...}}.")
        name = row.get("_id")
        if not isinstance(name, str) or not name or not name.isprintable():
            raise InputError(f'{where}: "_id" must be a printable text that is not empty.')
        if name in seen:
            raise InputError(f'{where}: "_id" {name!r} was given in line {seen[name]} already.')
        seen[name] = number
        yield name, row, where
    if not seen:
        raise InputError(f"{path.name}: no line in it.", LAYOUT)


def text_field(row: Mapping[str, object], where: str) -> str:
    """Return the text of a line, "" when it has none.

    Raises:
        InputError: it is not text.
    """
    text = row.get("text")
    if text is None:
        return ""
    if not isinstance(text, str) or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InputError(f'{where}: "text" must be text.')
    return text


def audio_path(folder: Path, row: Mapping[str, object], where: str) -> Path:
    """Return the file of a line.

    Raises:
        InputError: there is none, its path leaves the folder, or it does not exist.
    """
    name = row.get("audio")
    if not isinstance(name, str) or not name or not name.isprintable():
        raise InputError(f'{where}: "audio" must be the path of a sound file inside the folder.')
    try:
        path = (folder / name).resolve()
        is_file = path.is_file()
    except (OSError, RuntimeError) as error:  # a name longer than the file system takes, links in a circle
        raise InputError(f'{where}: "audio" {name!r} cannot be opened ({error}).') from error
    if not path.is_relative_to(folder.resolve()):
        raise InputError(f'{where}: "audio" {name!r} leads out of the folder.', "Give a path relative to the folder.")
    if not is_file:
        raise InputError(f'{where}: "audio" {name!r} does not exist.')
    return path


def judgements(path: Path, queries: set[str], passages: set[str] | None = None) -> dict[str, dict[str, int]]:
    """Return {query id: {passage id: grade}} of a TSV file with a header; grades of 0 are left out.

    Args:
        passages: the ids that may occur; without it the caller looks them up.

    Raises:
        InputError: a line has not three cells, names something unknown, repeats a pair or has an impossible grade.
    """
    found: dict[str, dict[str, int]] = {}
    seen: set[tuple[str, str]] = set()
    lines = numbered_lines(path)
    header = next(lines, (0, ""))[1].split("\t")
    if len(header) != 3 or header[0].strip().lower() not in {"query-id", "query_id", "qid"}:
        raise InputError(f"{path.name}, line 1: the header line query-id, corpus-id, score (with tabs) is missing.")
    for number, line in lines:
        where = f"{path.name}, line {number}"
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != 3:
            raise InputError(f"{where}: {len(cells)} cells; query-id, corpus-id and score are expected, with tabs.")
        query_id, passage_id, written = cells
        if query_id not in queries:
            raise InputError(f"{where}: the query {query_id!r} is not in queries.jsonl.")
        if passages is not None and passage_id not in passages:
            raise InputError(f"{where}: the passage {passage_id!r} is not in corpus.jsonl.")
        if (query_id, passage_id) in seen:
            raise InputError(f"{where}: the pair {query_id!r}, {passage_id!r} was given already.")
        if not (written.isascii() and written.isdigit() and len(written) <= 3):
            raise InputError(f"{where}: the score {written!r} is not a whole number from 0 to 999.")
        seen.add((query_id, passage_id))
        if grade := int(written):
            found.setdefault(query_id, {})[passage_id] = grade
    return found
