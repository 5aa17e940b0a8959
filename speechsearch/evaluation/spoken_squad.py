"""Spoken-SQuAD as a collection: questions over spoken paragraphs, as the paper and MAEB measure retrieval on it.

Source: Li et al., 2018, Spoken SQuAD (arXiv 1804.00320); Min et al., 2024, SpeechRAG (arXiv 2412.16500), recall over
the test paragraphs; MAEB's task SpokenSQuADT2ARetrieval (arXiv 2602.16008).

Three layouts are read, of a folder or (the last two) of the hub, with nothing but ``datasets``:

- the original: ``spoken_test-v1.1.json`` and the sentences' sound, ``dev_wav/<article>_<paragraph>_<sentence>.wav``
  anywhere below; a paragraph's sentences are joined;
- MAEB's: the tables ``corpus`` (id, audio), ``queries`` (id, text) and ``qrels`` (query-id, corpus-id, score);
- a table with a row a question: its sound in ``context`` or ``audio``, the question in ``instruction`` or ``question``.
  The same sound is one paragraph.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from speechsearch import audio
from speechsearch.domain.errors import InputError, NotFoundError
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import Audio
from speechsearch.evaluation.dataset import CollectionQuery, EvaluationCollection, SpokenPassage

NAME = "spoken-squad"
TEXTS = "spoken_test-v1.1.json"
TABLES = ("corpus", "queries", "qrels")
SPLIT = "test"
SOUND_COLUMNS, QUESTION_COLUMNS = ("context", "audio"), ("instruction", "question", "text")
SENTENCE = re.compile(r"(\d+)_(\d+)_(\d+)")
LONGEST_SENTENCE_S = 600.0
HINT = "Name a folder or a set of the hub in one of the layouts that docs/speechrag.md lists."


def read_spoken_squad(source: str, work: Path, revision: str = "") -> EvaluationCollection:
    """Return the collection of a folder, or of a set of the hub; sound that lies in tables is written into ``work``.

    Raises:
        NotFoundError: there is no such folder or set.
        InputError: it has none of the known layouts.
    """
    folder = Path(source).expanduser()
    if folder.is_dir() and (folder / TEXTS).is_file():
        return original(folder, work)
    if folder.is_dir() and all(list(folder.glob(f"{name}/**/*.parquet")) for name in TABLES):
        return maeb({name: parquet_rows(folder / name) for name in TABLES}, work)
    if folder.is_dir():
        return by_question(parquet_rows(folder), work)
    return of_hub(source, work, revision)


def original(folder: Path, work: Path) -> EvaluationCollection:
    """Return the collection of the original release. Raises InputError: a paragraph has no sound."""
    sentences: dict[tuple[str, str], list[tuple[int, Path]]] = {}
    for path in folder.rglob("*.wav"):
        found = SENTENCE.fullmatch(path.stem)
        if found and not path.parent.name.startswith("train"):
            article, paragraph, sentence = found.groups()
            sentences.setdefault((article, paragraph), []).append((int(sentence), path))
    try:
        told = json.loads((folder / TEXTS).read_text(encoding="utf-8"))["data"]
        paragraphs = [
            (
                (str(a), str(p)),
                paragraph["context"],
                [(str(one["id"]), str(one["question"])) for one in paragraph["qas"]],
            )
            for a, article in enumerate(told)
            for p, paragraph in enumerate(article["paragraphs"])
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{TEXTS} cannot be read: {error}.", HINT) from error
    gathered = Gathered(work)
    for place, text, questions in paragraphs:
        if questions and place in sentences:
            sounds = [audio.load(path, Limits(), LONGEST_SENTENCE_S).samples for _, path in sorted(sentences[place])]
            passage = gathered.add_sound("-".join(place), Audio(np.concatenate(sounds)), text)
            for name, question in questions:
                gathered.add_question(name, question, passage)
    if not gathered.passages:
        raise InputError(f"None of the paragraphs of {TEXTS} has sound in {folder.name}.", HINT)
    return gathered.collection()


def maeb(tables: Mapping[str, Iterator[Mapping[str, Any]]], work: Path) -> EvaluationCollection:
    """Return the collection of MAEB's three tables. Raises InputError: a column is missing."""
    gathered = Gathered(work)
    try:
        for row in tables["corpus"]:
            gathered.add_file(str(row["id"]), row["audio"], str(row.get("text") or ""))
        for row in tables["queries"]:
            gathered.add_question(str(row["id"]), str(row["text"]))
        for row in tables["qrels"]:
            if int(row["score"]) > 0:
                gathered.relevance.setdefault(str(row["query-id"]), {})[str(row["corpus-id"])] = int(row["score"])
    except KeyError as error:
        raise InputError(f"A table lacks the column {error}.", HINT) from error
    return gathered.collection()


def by_question(rows: Iterator[Mapping[str, Any]], work: Path) -> EvaluationCollection:
    """Return the collection of a table with a row a question. Raises InputError: it has no such columns."""
    gathered = Gathered(work)
    for number, row in enumerate(rows):
        sound = next((row[name] for name in SOUND_COLUMNS if isinstance(row.get(name), Mapping)), None)
        question = next((row[name] for name in QUESTION_COLUMNS if row.get(name)), None)
        # Some copies keep a question as what is said and its sound.
        text = question.get("text") if isinstance(question, Mapping) else question
        inner = sound.get("audio") if sound and isinstance(sound.get("audio"), Mapping) else sound
        if not inner or not isinstance(text, str):
            raise InputError(f"Row {number} has no sound and question; its columns are {', '.join(row)}.", HINT)
        passage = hashlib.sha256(inner.get("bytes") or b"").hexdigest()[:16]
        gathered.add_file(passage, inner, "")
        gathered.add_question(str(row.get("id") or f"q{number:05d}"), text, passage)
    if not gathered.passages:
        raise InputError("There are no rows.", HINT)
    return gathered.collection()


def of_hub(source: str, work: Path, revision: str) -> EvaluationCollection:
    """Return the collection of a set of the hub. Raises NotFoundError, InputError: it cannot be had."""
    import datasets

    def rows(configuration: str | None) -> Iterator[Mapping[str, Any]]:
        found: Any = datasets.load_dataset(
            source, configuration, split=SPLIT, revision=revision or None, streaming=True
        )
        for name, kind in (found.features or {}).items():
            if isinstance(kind, datasets.Audio):
                found = found.cast_column(name, datasets.Audio(decode=False))
        yield from found

    try:
        names = datasets.get_dataset_config_names(source, revision=revision or None)
        if all(name in names for name in TABLES):
            return maeb({name: rows(name) for name in TABLES}, work)
        return by_question(rows(None), work)
    except (datasets.exceptions.DatasetNotFoundError, datasets.exceptions.DataFilesNotFoundError) as error:
        raise NotFoundError(f"There is no folder or set '{source}': {error}", HINT) from error
    except (OSError, ValueError, LookupError, TypeError, RuntimeError) as error:
        raise InputError(f"The set '{source}' cannot be read: {error}", HINT) from error


def parquet_rows(folder: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a folder's parquet files, those of the test part where parts are told apart by name.

    Raises:
        InputError: there are none, or one cannot be read.
    """
    import pyarrow
    from pyarrow import parquet

    files = sorted(folder.rglob("*.parquet"))
    files = [path for path in files if path.name.startswith(SPLIT)] or files
    if not files:
        raise InputError(f"{folder.name} has no parquet files.", HINT)
    for path in files:
        try:
            for batch in parquet.ParquetFile(path).iter_batches(64):
                yield from batch.to_pylist()
        except (OSError, pyarrow.ArrowException) as error:
            raise InputError(f"{path.name} cannot be read: {error}.", HINT) from error


class Gathered:
    """Passages, questions and judgements as they are found; sound is written into a folder."""

    def __init__(self, work: Path) -> None:
        self.passages: dict[str, SpokenPassage] = {}
        self.queries: dict[str, CollectionQuery] = {}
        self.relevance: dict[str, dict[str, int]] = {}
        self._work = work

    def add_sound(self, name: str, sound: Audio, text: str) -> str:
        """Keep a passage's samples, and return its name."""
        path = self._path(name)
        path.write_bytes(audio.to_wav(sound))
        self.passages[name] = SpokenPassage(name, path, text)
        return name

    def add_file(self, name: str, value: Mapping[str, Any], text: str) -> None:
        """Keep a passage's file as a table has it. Raises InputError: it has no sound in it."""
        if name in self.passages:
            return
        content = value.get("bytes")
        if not isinstance(content, bytes):
            raise InputError(f"The passage {name!r:.80} has no sound of its own.", HINT)
        path = self._path(name)
        path.write_bytes(content)
        self.passages[name] = SpokenPassage(name, path, text)

    def add_question(self, name: str, text: str, passage: str = "") -> None:
        """Keep a question, and the passage that answers it."""
        self.queries[name] = CollectionQuery(name, text)
        if passage:
            self.relevance.setdefault(name, {})[passage] = 1

    def collection(self) -> EvaluationCollection:
        """Return what was found. Raises InputError: a judgement names something unknown, or there are none."""
        for query, grades in self.relevance.items():
            if query not in self.queries or not set(grades) <= set(self.passages):
                raise InputError(f"The judgement of {query!r:.80} names a question or passage that there is not.", HINT)
        if not self.relevance:
            raise InputError("No question has an answer.", HINT)
        return EvaluationCollection(NAME, tuple(self.passages.values()), tuple(self.queries.values()), self.relevance)

    def _path(self, name: str) -> Path:
        """Return where a passage's sound is written; a name from outside is never part of a path."""
        self._work.mkdir(parents=True, exist_ok=True)
        return self._work / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.sound"
