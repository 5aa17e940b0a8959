"""The tables of questions: typed against spoken, by kind; and how fast they are answered. Pure."""

from __future__ import annotations

from benchmarks.quality.figures import OURS, Record
from benchmarks.quality.recognizers import ASR
from benchmarks.quality.sets import CLEAN
from benchmarks.quality.tables import ENGINES, against, cell, lines, picture, rows_of, test_of, tested, with_interval
from speechsearch.evaluation import Figure
from speechsearch.evaluation.report import figure, number

KINDS = """\
R@5. `said`: a whole utterance of the passage; `phrase`: eight words that follow one another; `rare`: its three rarest
words; `name`: names and rare words only; `paraphrase`: its meaning in other words; `question`: a question that it
answers.
"""
SPEED = """\
Each engine by itself, clean passages, decoded before the clock starts, one run. Those that search the sound are made in
one go; `all` needs that and the transcripts of `{asr}`. Milliseconds a typed question, text encoder included, over an
index in memory.
"""


def spoken_part(document: Record) -> str:
    """Return typed against spoken questions; empty when no set has spoken ones."""
    rows = []
    for name, one in rows_of(document):
        if found := one["spoken"]:
            for engine in (engine for engine in ENGINES if engine in found["spoken"]):
                typed, said = (figure(Figure(**found[way][engine])) for way in ("typed", "spoken"))
                row = [name, str(found["n"]), ENGINES[engine], typed, said, with_interval(found["tests"][engine])]
                rows.append(row)
    if not rows:
        return ""
    return "\n".join([
        "## Spoken questions\n",
        "The same questions typed and spoken by a voice, over clean passages; each `asr` has its recogniser write the "
        "question down\nfirst.\n",
        lines(["set", "n", "engine", "R@5 typed", "R@5 spoken", "spoken - typed (p)"], rows),
        picture("typed-and-spoken"),
    ])  # fmt: skip


def kinds_part(document: Record) -> str:
    """Return the figures by kind of question; empty when all are of one kind."""
    if len(document["together"]["kinds"]) < 2:
        return ""
    rows = []
    for kind in document["together"]["kinds"]:
        for name, one in reversed(rows_of(document)):
            if record := one["kinds"].get(kind):
                cells = (cell(record, engine, "recall@5") for engine in ENGINES)
                tests = (tested(test_of(record, ours, ASR, "recall@5")) for ours in OURS)
                rows.append([kind, name, str(record["n"]), *cells, *tests])
    heads = ["kind", "set", "n", *ENGINES.values(), *(against(ours, ASR, "recall@5") for ours in OURS)]
    return "\n".join(["## By kind of question\n", KINDS, lines(heads, rows)])


def speed_part(document: Record) -> str:
    """Return how fast the engines index and answer; empty when it was not measured."""
    rows = [
        [
            one["name"],
            str(one["conditions"][CLEAN]["n"]),
            number(one["audio_s"], 1, 1 / 60),
            ENGINES[engine],
            number(one["speeds"][engine]["indexing_real_time_factor"], 0),
            number(one["speeds"][engine]["query_p50_ms"], 1),
            number(one["speeds"][engine]["query_p95_ms"], 1),
            number(one["speeds"][engine]["index_bytes"] / one["audio_s"], 1, 60 / 1000),
        ]
        for one in document["sets"]
        for engine in ENGINES
        if engine in one["speeds"]
    ]
    heads = ["set", "n", "minutes", "engine", "indexing x real time", "p50 ms", "p95 ms", "kB a minute"]
    return "\n".join(["## Speed\n", SPEED.format(asr=ENGINES[ASR]), lines(heads, rows)]) if rows else ""
