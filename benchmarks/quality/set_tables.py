"""The tables of the sets as recorded: what they are, recall, tests, where the baseline is ahead, every figure. Pure."""

from __future__ import annotations

from benchmarks.quality.figures import OURS, Record
from benchmarks.quality.recognizers import ASR, EVERYTHING, FROM_SOUND
from benchmarks.quality.sets import CLEAN
from benchmarks.quality.tables import (
    CEILING,
    ENGINES,
    METRICS,
    PAIRS,
    RECALLS,
    against,
    cell,
    lines,
    rows_of,
    share,
    test_of,
    with_interval,
)
from speechsearch.evaluation.report import ABSENT, number

LEVEL = 0.0005
"""A smaller difference is none in three digits."""
CERTAIN = 0.05


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


def summary_table(document: Record, metric: str) -> str:
    """Return a metric of every engine on every set."""
    rows = [
        [name, str(one["conditions"][CLEAN]["n"]), *(cell(one["conditions"][CLEAN], e, metric) for e in ENGINES)]
        for name, one in rows_of(document)
    ]
    return lines(["set", "n", *ENGINES.values()], rows)


def tests_table(document: Record) -> str:
    """Return how far our engines are from their rivals and how much of the ceiling they reach."""
    pairs = [(*pair, metric) for pair in PAIRS for metric in RECALLS]
    shares = [(ours, metric) for ours in OURS for metric in RECALLS]
    titles = [against(*pair) for pair in pairs]
    titles += [f"{METRICS[metric]} of {ours} in % of {CEILING}" for ours, metric in shares]
    rows = []
    for name, one in rows_of(document):
        clean = one["conditions"][CLEAN]
        tests = [with_interval(test_of(clean, *pair)) for pair in pairs]
        reached = [share(clean, ours, CEILING, metric) for ours, metric in shares]
        rows.append([name, str(clean["n"]), *tests, *reached])
    return (
        "Differences on the same questions, with interval and (p), and recall as a share of the ceiling's.\n\n"
        + lines(["set", "n", *titles], rows)
    )


def standing(document: Record) -> str:
    """Return in words on which sets the baseline is ahead of our engines, and on which it is behind; empty without it.

    >>> clean = {"tests": {"all": {"asr": {"recall@1": {"difference": -0.2, "p_value": 0.01}}}}}
    >>> print(standing({"sets": [{"name": "squad", "conditions": {"clean": clean}}]}).splitlines()[-1])
    - R@1, `asr (whisper-base)` and `all`: ahead on **squad**; behind on none.
    """
    said = []
    for ours in OURS:
        for metric in RECALLS:
            places = standing_of(document, ours, metric)
            if any(places.values()):
                words = [f"{how} on {', '.join(names) or 'none'}" for how, names in places.items()]
                shown = [one for one, how in zip(words, places, strict=True) if how != "level" or places[how]]
                said.append(f"- {METRICS[metric]}, `{ENGINES[ASR]}` and `{ours}`: {'; '.join(shown)}.")
    if not said:
        return ""
    opening = (
        f"Where `{ENGINES[ASR]}` is ahead of our engines and where it is behind, clean passages; **bold**: p < 0.05."
    )
    return "\n".join([opening, "", *said, ""])


def standing_of(document: Record, ours: str, metric: str) -> dict[str, list[str]]:
    """Return the sets on which the baseline is ahead of an engine, behind it and level; bold where that is certain."""
    places: dict[str, list[str]] = {"ahead": [], "behind": [], "level": []}
    for name, one in rows_of(document):
        if test := test_of(one["conditions"][CLEAN], ours, ASR, metric):
            gain = test["difference"]
            where = "level" if abs(gain) < LEVEL else "behind" if gain > 0 else "ahead"
            places[where].append(f"**{name}**" if test["p_value"] < CERTAIN and where != "level" else name)
    return places


def details_table(document: Record) -> str:
    """Return all rank metrics of all engines on all sets, and the error rates."""
    rows = []
    for name, one in rows_of(document):
        clean = one["conditions"][CLEAN]
        for engine, title in ENGINES.items():
            if engine in clean["engines"]:
                hears = engine in (*FROM_SOUND, EVERYTHING)
                rows.append([
                    name, str(clean["n"]), title, *(cell(clean, engine, metric) for metric in METRICS),
                    number(clean["phoneme_error_rate"] if hears else None, 1, 100),
                    number(clean["word_error_rate"].get(engine), 1, 100),
                ])  # fmt: skip
    return lines(["set", "n", "engine", *METRICS.values(), "PER %", "WER %"], rows)
