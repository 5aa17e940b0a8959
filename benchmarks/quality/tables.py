"""The tables of ``docs/evaluation.md``: functions that take the evaluation's figures and return Markdown. All pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.quality.figures import Record
from benchmarks.quality.sets import CLEAN
from speechsearch.evaluation import Figure, PairedTest
from speechsearch.evaluation.report import ABSENT, difference, figure, number, table

ENGINES = {
    "text": "text",
    "text-bm25": "text-bm25",
    "text-hybrid": "text-hybrid",
    "asr": "asr (mini)",
    "asr-pocketsphinx": "asr (PocketSphinx)",
    "adapter": "adapter",
    "phonetic": "phonetic",
    "hybrid": "hybrid",
}
"""The rows and columns of the tables, and what they are called there."""
SOUND = ("hybrid", "phonetic", "adapter", "asr", "asr-pocketsphinx")
MINI = ("hybrid", "phonetic", "adapter", "asr")
RIVALS = ("asr", "asr-pocketsphinx")
METRICS = {"recall@1": "R@1", "recall@5": "R@5", "recall@10": "R@10", "mrr@10": "MRR@10"}
TOGETHER = "all together"

PICTURES = {
    "recall-by-noise": "Recall at 5 of every engine by the level of white noise and of babble",
    "recall-by-condition": "Recall at 5 of every engine under the other conditions",
    "typed-and-spoken": "Recall at 5 of typed and of spoken questions",
}


def cell(record: Record, engine: str, metric: str) -> str:
    """Return an engine's figure with its interval, a dash when it did not run.

    >>> cell({"engines": {"asr": {"recall@5": {"mean": 0.5, "low": 0.25, "high": 0.75}}}}, "asr", "recall@5")
    '0.500 [0.250, 0.750]'
    """
    found = record["engines"].get(engine, {}).get(metric)
    return figure(Figure(**found)) if found else ABSENT


def mean(record: Record, engine: str, metric: str) -> float | None:
    """Return an engine's figure alone."""
    found = record["engines"].get(engine, {}).get(metric)
    return found["mean"] if found else None


def tested(test: Mapping[str, float] | None) -> str:
    """Return a difference with its p-value.

    >>> tested({"difference": 0.25, "low": 0.1, "high": 0.4, "p_value": 0.0004}), tested(None)
    ('+0.250 (<0.001)', '-')
    """
    return difference(PairedTest(test["difference"], test["p_value"])) if test else ABSENT


def with_interval(test: Mapping[str, float] | None) -> str:
    """Return a difference with its interval and p-value.

    >>> with_interval({"difference": 0.25, "low": 0.1, "high": 0.4, "p_value": 0.0004})
    '+0.250 [+0.100, +0.400] (<0.001)'
    """
    if not test:
        return ABSENT
    said, chance = tested(test).split(" ")
    return f"{said} [{test['low']:+.3f}, {test['high']:+.3f}] {chance}"


def test_of(record: Record, rival: str, metric: str) -> Mapping[str, float] | None:
    """Return the test of the hybrid against a baseline, None when that did not run."""
    found: Mapping[str, float] | None = record["tests"].get(rival, {}).get(metric)
    return found


def share(record: Record, engine: str, ceiling: str, metric: str) -> str:
    """Return how much of a ceiling an engine reaches, in %.

    >>> share({"engines": {"a": {"m": {"mean": 0.6}}, "b": {"m": {"mean": 0.8}}}}, "a", "b", "m")
    '75'
    """
    ours, most = mean(record, engine, metric), mean(record, ceiling, metric)
    return f"{100 * ours / most:.0f}" if ours is not None and most else ABSENT


def rows_of(document: Record) -> list[tuple[str, Record]]:
    """Return (name, figures) of every set and, when there are several, of all together."""
    rows = [(one["name"], one) for one in document["sets"]]
    return [*rows, (TOGETHER, document["together"])] if len(rows) > 1 else rows


def lines(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table as one text."""
    return "\n".join(table(titles, rows)) + "\n"


def sets_table(document: Record) -> str:
    """Return what the sets are."""
    rows = [
        [
            one["name"],
            one["about"],
            f"{one['passages']} of {one['passages_in_all']}",
            number(one["audio_s"], 1, 1 / 60),
            str(one["conditions"][CLEAN]["n"]),
            str(one["spoken"]["n"]) if one["spoken"] else ABSENT,
        ]
        for one in document["sets"]
    ]
    return lines(["set", "what it is", "passages", "minutes", "questions (n)", "spoken too"], rows)


def summary_table(document: Record) -> str:
    """Return recall at 5 of every engine on every set."""
    rows = [
        [name, str(one["conditions"][CLEAN]["n"]), *(cell(one["conditions"][CLEAN], e, "recall@5") for e in ENGINES)]
        for name, one in rows_of(document)
    ]
    return lines(["set", "n", *ENGINES.values()], rows)


def tests_table(document: Record) -> str:
    """Return how far the hybrid is from the baselines and how much of the ceilings it reaches."""
    tested_metrics = ("recall@1", "recall@5", "mrr@10")
    shares = [(ceiling, metric) for ceiling in ("text", "text-hybrid") for metric in ("recall@1", "recall@5")]
    titles = [f"{METRICS[metric]} - {ENGINES[rival]}" for rival in RIVALS for metric in tested_metrics]
    titles += [f"{METRICS[metric]} in % of {ceiling}" for ceiling, metric in shares]
    rows = []
    for name, one in rows_of(document):
        clean = one["conditions"][CLEAN]
        tests = [with_interval(test_of(clean, rival, metric)) for rival in RIVALS for metric in tested_metrics]
        reached = [share(clean, "hybrid", ceiling, metric) for ceiling, metric in shares]
        rows.append([name, str(clean["n"]), *tests, *reached])
    return (
        "Difference of `hybrid` from each baseline on the same questions, with interval and (p), and its recall as a "
        "share of the\nceilings'.\n\n" + lines(["set", "n", *titles], rows)
    )


def condition_row(title: str, record: Record) -> list[str]:
    """Return the line of a condition."""
    return [
        title,
        str(record["n"]),
        *(cell(record, engine, "recall@1") for engine in ("hybrid", "asr")),
        *(cell(record, engine, "recall@5") for engine in SOUND),
        *(tested(test_of(record, "asr", metric)) for metric in ("recall@1", "recall@5")),
        number(record["phoneme_error_rate"], 1, 100),
        *(number(record["word_error_rate"].get(rival), 1, 100) for rival in RIVALS),
    ]


def conditions_part(document: Record) -> str:
    """Return how the engines do when the passages are made worse: all sets together, and set by set."""
    titles, together = document["titles"], document["together"]["conditions"]
    heads = [
        "condition", "n", *(f"R@1 {ENGINES[engine]}" for engine in ("hybrid", "asr")),
        *(f"R@5 {ENGINES[engine]}" for engine in SOUND), "R@1 hybrid - asr (p)", "R@5 hybrid - asr (p)", "PER %",
        "WER % mini", "WER % PocketSphinx",
    ]  # fmt: skip
    parts = [
        "## Noise, telephone, codecs, speed, room\n",
        "The passages are made worse; the questions stay typed. All sets together. PocketSphinx hears clean passages, "
        "and babble\non some sets only: noise makes it slower than real time.\n",
        lines(heads, [condition_row(titles[name], record) for name, record in together.items()]),
        picture("recall-by-noise"),
        picture("recall-by-condition"),
    ]
    if len(document["sets"]) > 1:
        rows = []
        for name in together:
            pairs = [one["conditions"][name] for one in document["sets"]]
            rows.append([titles[name], *(versus(record) for record in pairs)])
        counts = [f"{one['name']} (n = {one['conditions'][CLEAN]['n']})" for one in document["sets"]]
        parts += ["Set by set: R@5 of `hybrid` / `asr (mini)` (p).\n", lines(["condition", *counts], rows)]
    return "\n".join([*parts, *noisy_pocketsphinx(document)])


def noisy_pocketsphinx(document: Record) -> list[str]:
    """Return the sets and conditions beside clean in which PocketSphinx ran, as a table; nothing without any."""
    rows = []
    for one in document["sets"]:
        for name, record in one["conditions"].items():
            if name != CLEAN and "asr-pocketsphinx" in record["engines"]:
                test = test_of(record, "asr-pocketsphinx", "recall@5")
                rows.append([
                    one["name"], document["titles"][name], str(record["n"]),
                    *(cell(record, engine, "recall@5") for engine in ("hybrid", *RIVALS)), with_interval(test),
                    number(record["word_error_rate"].get("asr-pocketsphinx"), 1, 100),
                ])  # fmt: skip
    heads = ["set", "condition", "n", *(f"R@5 {ENGINES[engine]}" for engine in ("hybrid", *RIVALS))]
    shown = lines([*heads, "R@5 hybrid - asr (PocketSphinx) (p)", "WER % PocketSphinx"], rows)
    return ["PocketSphinx in noise, on the sets in which it was heard there.\n", shown] if rows else []


def versus(record: Record) -> str:
    """Return recall at 5 of the hybrid and of the baseline, and the p-value of the difference.

    >>> engines = {"hybrid": {"recall@5": {"mean": 0.5}}, "asr": {"recall@5": {"mean": 0.25}}}
    >>> versus({"engines": engines, "tests": {"asr": {"recall@5": {"difference": 0.25, "p_value": 0.03}}}})
    '0.500 / 0.250 (0.030)'
    """
    ours, theirs = (number(mean(record, engine, "recall@5"), 3) for engine in ("hybrid", "asr"))
    return f"{ours} / {theirs} {tested(test_of(record, 'asr', 'recall@5')).split(' ')[-1]}"


def spoken_part(document: Record) -> str:
    """Return typed against spoken questions; empty when no set has spoken ones."""
    rows = []
    for name, one in rows_of(document):
        if found := one["spoken"]:
            for engine in MINI:
                typed, said = (figure(Figure(**found[way][engine])) for way in ("typed", "spoken"))
                row = [name, str(found["n"]), ENGINES[engine], typed, said, with_interval(found["tests"][engine])]
                rows.append(row)
    if not rows:
        return ""
    return "\n".join([
        "## Spoken questions\n",
        "The same questions typed and spoken by a voice, over clean passages; `asr (mini)` writes the question down "
        "first.\n",
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
                row = [kind, name, str(record["n"]), *cells, tested(test_of(record, "asr", "recall@5"))]
                rows.append(row)
    return "\n".join([
        "## By kind of question\n",
        "R@5. `said`: a whole utterance of the passage; `phrase`: eight words that follow one another; `rare`: its "
        "three rarest\nwords; `paraphrase`: its meaning in other words; `question`: a question that it answers.\n",
        lines(["kind", "set", "n", *ENGINES.values(), "hybrid - asr (mini) (p)"], rows),
    ])  # fmt: skip


def details_table(document: Record) -> str:
    """Return all rank metrics of all engines on all sets, and the error rates."""
    rows = []
    for name, one in rows_of(document):
        clean = one["conditions"][CLEAN]
        for engine, title in ENGINES.items():
            if engine in clean["engines"]:
                hears = engine in ("adapter", "phonetic", "hybrid")
                rows.append([
                    name, str(clean["n"]), title, *(cell(clean, engine, metric) for metric in METRICS),
                    number(clean["phoneme_error_rate"] if hears else None, 1, 100),
                    number(clean["word_error_rate"].get(engine), 1, 100),
                ])  # fmt: skip
    return lines(["set", "n", "engine", *METRICS.values(), "PER %", "WER %"], rows)


def speed_part(document: Record) -> str:
    """Return how fast the engines of the model index and answer."""
    rows = [
        [
            one["name"],
            str(one["conditions"][CLEAN]["n"]),
            number(one["audio_s"], 1, 1 / 60),
            ENGINES[engine],
            number(speed["indexing_real_time_factor"], 0),
            number(speed["query_p50_ms"], 1),
            number(speed["query_p95_ms"], 1),
            number(speed["index_bytes"] / one["audio_s"], 1, 60 / 1000),
        ]
        for one in document["sets"]
        for engine, speed in one["speeds"].items()
    ]
    return "\n".join([
        "## Speed\n",
        "Each engine by itself, clean passages, decoded before the clock starts, one run; adapter, phonetic and hybrid "
        "are made in\none go. Milliseconds a typed question, text encoder included, over an index in memory.\n",
        lines(["set", "n", "minutes", "engine", "indexing x real time", "p50 ms", "p95 ms", "kB a minute"], rows),
    ])  # fmt: skip


def picture(name: str) -> str:
    r"""Return a picture of the report.

    >>> picture("typed-and-spoken")
    '![Recall at 5 of typed and of spoken questions](images/typed-and-spoken.svg)\n'
    """
    return f"![{PICTURES[name]}](images/{name}.svg)\n"
