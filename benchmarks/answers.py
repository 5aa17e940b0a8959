"""Measure answers, on questions that were not in training: ``python -m benchmarks.answers DATA SPOKEN FOLDER SAMPLES``.

DATA: the data for training and tests (FairytaleQA's test part, the last tenth of the SQuAD pairs). SPOKEN: what
``python -m speechsearch.training.spoken_questions DATA SPOKEN --split test`` wrote. FOLDER: a data folder with its
sound, or some of it, in "spoken", SAMPLES: one with the samples in "samples", both with their transcripts. Writes the
tables of docs/answers.md.

EM and F1 as SQuAD has them (without articles and punctuation). A sentence "plays the answer" where the stretch that it
cites covers at least half of the time in which the reference is said; the very words also where the two overlap by
half of what they cover together.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.answer_scores import Scores, compared, is_played, is_played_exactly, likeliest, row, times
from benchmarks.spoken_answers import lines, measure
from speechsearch.answers.check import support
from speechsearch.answers.extract import extract, seconds
from speechsearch.domain.answers import Answer
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.values import Filters, Query
from speechsearch.evaluation.machine import describe_machine, peak_memory_bytes
from speechsearch.models.base import Reader
from speechsearch.service.open import Service, new_loader
from speechsearch.service.settings import EngineSettings, Settings
from speechsearch.training.answer_sets import parts_of
from speechsearch.training.reader_data import (
    PAIRS_TUNED_SHARE,
    Asked,
    Example,
    Section,
    answer_spans,
    as_recognised,
    f1,
    fairytale_questions,
    sentence_questions,
)
from speechsearch.training.spoken_questions import read_questions

DOCUMENT = Path(__file__).parents[1] / "docs" / "answers.md"
PARTS = ("texts", "spoken", "samples")
KINDS = ("FairytaleQA test, spoken, asked of its story", "SQuAD pairs, held out, spoken, asked of everything")


def read_section(reader: Reader, asked: Asked, is_recognised: bool) -> str:
    """Return what the reader finds in a question's own section, read in passages; the likeliest span."""
    parts = [Example(asked.question, part.text) for part in parts_of(asked.section)]
    return likeliest(reader, asked.question, [(as_recognised(one) if is_recognised else one).text for one in parts])


def on_tales(reader: Reader, data: Path, count: int) -> list[str]:
    """Return the lines of the table of given sections, and of sentences that answer."""
    _, asked = fairytale_questions(data, "test")
    literal = [one for one in asked if one.spans and not one.is_sentence]
    chosen = random.Random(1).sample(literal, min(count, len(literal)))
    lines = ["| section given | n | EM | F1 |", "|---|---|---|---|"]
    for name, is_recognised in (("FairytaleQA test, as written", False), ("the same without punctuation", True)):
        scores = Scores()
        for one in chosen:
            scores.add(read_section(reader, one, is_recognised), one.answer)
        lines.append(scores.row(name))
    _, sentence_asked = sentence_questions(data)
    held_out = sentence_asked[int(len(sentence_asked) * PAIRS_TUNED_SHARE) :]
    rights = [is_sentence_found(reader, one) for one in random.Random(1).sample(held_out, min(count, len(held_out)))]
    lines += ["", f"The right sentence of five (SQuAD pairs, held out): {np.mean(rights):.3f} (n = {len(rights)})."]
    return lines


def is_sentence_found(reader: Reader, asked: Asked) -> bool:
    """Say whether the sentence of an extract is the one that answers."""
    (read,) = reader.read(asked.question, [asked.section.text])
    one = extract(asked.question, asked.section.text, read)
    return one is not None and any(one.span[0] < end and one.span[1] > start for start, end in asked.spans)


@dataclass
class Spoken:
    """What was counted over the spoken samples."""

    span: Scores = field(default_factory=Scores)
    sentence: Scores = field(default_factory=Scores)
    gold: Scores = field(default_factory=Scores)
    is_right_recording: list[bool] = field(default_factory=list)
    is_played: list[bool] = field(default_factory=list)
    is_played_exactly: list[bool] = field(default_factory=list)
    is_refused: list[bool] = field(default_factory=list)
    is_rightly_refused: list[bool] = field(default_factory=list)
    is_refused_without: list[bool] = field(default_factory=list)
    supported: list[tuple[int, int]] = field(default_factory=list)
    first_ms: list[float] = field(default_factory=list)
    total_ms: list[float] = field(default_factory=list)
    processor_ms: list[float] = field(default_factory=list)


def on_samples(service: Service, reader: Reader) -> tuple[list[str], list[str]]:
    """Return the lines of the tables of the spoken samples, and every answer as a line."""
    questions = [json.loads(line) for line in (SAMPLES / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    texts = {
        one["id"]: one["text"]
        for one in map(json.loads, (SAMPLES / "passages.jsonl").read_text(encoding="utf-8").splitlines())
    }
    names = {one.recording_id: Path(one.file_name).stem for one in service.browse.recordings("samples")}
    found, told = Spoken(), list[str]()
    for one in questions[:2]:
        service.ask.whole(Query(one["text"]))  # models are loaded
    for one in questions:
        begun_s = time.process_time()
        answer = service.ask.whole(Query(one["text"]))
        found.processor_ms.append((time.process_time() - begun_s) * 1000)
        told.append(f"{one['text']} | {one['answer'] or '-'} | {answer.text}")
        count(found, service, answer, one, names)
        if one["answers"]:
            others = tuple(recording_id for recording_id, name in names.items() if name not in one["answers"])
            without = service.ask.whole(Query(one["text"], filters=Filters(recording_ids=others)))
            found.is_refused_without.append(not without.is_found)
            found.gold.add(in_gold(reader, one, [texts[name] for name in one["answers"]]), one["answer"])
    return spoken_lines(found), told


def in_gold(reader: Reader, question: dict[str, Any], texts: Sequence[str]) -> str:
    """Return the likeliest span of the gold transcripts of the right recordings, read in passages."""
    sections = [Section("", "", "test", text) for text in texts]
    return likeliest(reader, question["text"], [part.text for one in sections for part in parts_of(one)])


def count(found: Spoken, service: Service, answer: Answer, question: dict[str, Any], names: dict[str, str]) -> None:
    """Count an answer over the spoken samples."""
    found.total_ms.append(answer.total_ms)
    for sentence in answer.sentences:
        if sentence.kind != "counted":
            found.supported.append(support(sentence.text, [one.quote for one in sentence.citations]))
    if not question["answers"]:
        found.is_rightly_refused.append(not answer.is_found)
        return
    found.is_refused.append(not answer.is_found)
    if not answer.is_found:
        return
    found.first_ms.append(answer.first_ms)
    first, wanted = answer.sentences[0], str(question["answer"])
    (cited, *_) = first.citations
    marked = " ".join(first.text[slice(*place)] for place in first.marked)
    found.span.add(marked, wanted)
    found.sentence.add(first.text, wanted)
    found.is_right_recording.append(names[cited.recording_id] in question["answers"])
    gold = (
        gold_times(service, str(question["text"]), wanted, cited.passage_id) if found.is_right_recording[-1] else None
    )
    if not found.is_right_recording[-1]:
        found.is_played.append(False)
        found.is_played_exactly.append(False)
    elif gold is not None:
        found.is_played.append(is_played(gold, (cited.start_s, cited.end_s)))
        found.is_played_exactly.append(is_played_exactly(gold, (cited.words_start_s, cited.words_end_s)))


def gold_times(service: Service, question: str, wanted: str, passage_id: str) -> tuple[float, float] | None:
    """Return when a reference answer is said in a passage's recording, by the transcripts' words; None: unknown."""
    recording_id = service.browse.passage(passage_id).recording_id
    best: tuple[float, tuple[float, float]] = (0.0, (0.0, 0.0))
    for passage, transcript in service.browse.transcribed(recording_id):
        text = transcript.text if transcript else ""
        spans, _ = answer_spans(text, question, wanted)
        for span in spans[:1]:
            likeness = f1(compared(text[slice(*span)]), compared(wanted))
            start_s, end_s = seconds(text, transcript.words if transcript else (), span, passage.span.duration_s)
            best = max(best, (likeness, (passage.span.start_s + start_s, passage.span.start_s + end_s)))
    return best[1] if best[0] > 0 else None


def spoken_lines(found: Spoken) -> list[str]:
    """Return the tables of the spoken samples."""
    supported, words = map(sum, zip(*found.supported, strict=True)) if found.supported else (0, 0)

    return [
        "| samples, spoken | n | EM | F1 |",
        "|---|---|---|---|",
        found.span.row("words marked, of those answered"),
        found.sentence.row("first sentence, of those answered"),
        found.gold.row("words from the gold text of the right recordings"),
        "",
        "| samples, spoken | n | value |",
        "|---|---|---|",
        row("unanswerable: refused", found.is_rightly_refused),
        row("answerable, but without the right recordings: refused", found.is_refused_without),
        row("answerable: refused", found.is_refused),
        row("first citation is of a right recording, of those answered", found.is_right_recording),
        row("first citation plays the answer", found.is_played),
        row("its very words overlap with the answer by half", found.is_played_exactly),
        f"| content words of sentences that the quotes have | {words} | {supported / max(1, words):.3f} |",
        times("first sentence after (median / 95 %)", found.first_ms),
        times("whole answer after (median / 95 %)", found.total_ms),
        times("processor time of all threads for it (median / 95 %)", found.processor_ms),
    ]


def keep(part: str, head: str, tables: Sequence[Sequence[str]]) -> None:
    """Write the tables of a part into the document, where its marks are."""
    written = "\n\n".join([head, *("\n".join(lines) for lines in tables)])
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(begin)
    DOCUMENT.write_text(f"{before}{begin}\n{written}\n{end}{rest.partition(end)[2]}", encoding="utf-8")
    print(written, flush=True)


def main(
    data: Path,
    spoken: Path,
    folder: Path,
    samples: Path,
    count: int = 300,
    only: Annotated[str, typer.Option(help="Which parts, separated by commas.")] = ",".join(PARTS),
    show: Annotated[Path | None, typer.Option(help="Write every answer about the samples here.")] = None,
) -> None:
    """Measure and write the tables."""
    engines = EngineSettings(recognizer="whisper-base")
    loader = new_loader(Settings(data_dir=folder, engines=engines))
    reader = loader.reader(engines.reader)

    def texts() -> list[list[str]]:
        return [on_tales(reader, data, count)]

    def spoken_texts() -> list[list[str]]:
        with Service.open(Settings(data_dir=folder, engines=engines), loader=loader) as service:
            kinds = measure(service, reader, read_questions(spoken), "spoken")
        return [lines(name, one) for name, one in zip(KINDS, kinds, strict=True)]

    def on_them() -> list[list[str]]:
        with Service.open(Settings(data_dir=samples, engines=engines), loader=loader) as service:
            found, told = on_samples(service, reader)
        if show is not None:
            show.write_text("\n".join(told) + "\n", encoding="utf-8")
        return [found]

    for part, measured in zip(PARTS, (texts, spoken_texts, on_them), strict=True):
        if part in only.split(","):
            started = time.perf_counter()
            tables = measured()
            command = f"python -m benchmarks.answers DATA SPOKEN FOLDER SAMPLES --count {count} --only {part}"
            what = f"{describe_machine()}; reader {reader.fingerprint}; peak memory {peak_memory_bytes() / 1e6:.0f} MB"
            keep(part, f"{date.today()}, `{command}`, {what}; {time.perf_counter() - started:.0f} s.", tables)


if __name__ == "__main__":
    typer.run(main)
