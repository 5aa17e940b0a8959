"""The tables of docs/generative.md, from the figures that were kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.generative.variants import PASSAGES

DOCUMENT = Path(__file__).parents[2] / "docs" / "generative.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
KINDS = ("R@1", "R@5", "R@20", "MRR")


def figure(found: Sequence[float]) -> str:
    """Return a figure with the ends of its interval.

    >>> figure([0.5, 0.412, 0.6])
    '.500 (.412-.600)'
    """
    mean, low, high = (f"{one:.3f}".removeprefix("0") for one in found)
    return f"{mean} ({low}-{high})"


def row(*cells: str) -> str:
    """Return a line of a table.

    >>> row("a", "b")
    '| a | b |'
    """
    return f"| {' | '.join(cells)} |"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table; nothing without rows."""
    return [row(*heads), "|---" * len(heads) + "|", *(row(*one) for one in rows), ""] if rows else []


def spoken_table(results: Mapping[str, Any]) -> list[str]:
    """Return the same questions, spoken, at PASSAGES."""
    found = {name: one for part in results.get("spoken", {}).values() for name, one in part.items()}
    rows = [[name, str(one["asked"]), *(figure(one[kind]) for kind in KINDS)] for name, one in found.items()]
    return table(("the same questions, spoken", "questions", *KINDS), rows)


def engines_table(results: Mapping[str, Any]) -> list[str]:
    """Return generated answers beside those that are looked up, on the same questions."""
    rows = []
    looked_up = [results.get(kind, {}) for kind in ("vectors", "engines", "transcripts")]
    for passages in sorted({one for kind in looked_up for one in kind}, key=int):
        engines = {name: found for kind in looked_up for name, found in kind.get(passages, {}).items()}
        mine = results.get("variants", {}).get("usual" if int(passages) == PASSAGES else passages)
        for name, found in engines.items():
            rows.append([passages, name, str(found["asked"]), *(figure(found[kind]) for kind in KINDS)])
        if mine:
            best = mine["beams"]["20"]
            rows.append([passages, "generative", str(mine["asked"]), *(figure(best[kind]) for kind in KINDS)])
    return table(("passages", "engine", "questions", *KINDS), rows)


def variants_table(results: Mapping[str, Any]) -> list[str]:
    """Return what each difference does."""
    rows = []
    for one in results.get("variants", {}).values():
        best = one["beams"]["20"]
        never = one["never_asked"]
        rows.append(
            [
                one["title"], str(one["passages"]), f"{one['steps']} ({one['trained_s'] / 60:.0f} min)",
                f"{one['trained_crops']:.3f}", f"{one['other_crops']:.3f}",
                *(figure(best[kind]) for kind in ("R@1", "R@5", "R@20", "MRR")),
                figure(never["R@1"]) if never else "-",
            ]
        )  # fmt: skip
    heads = ("model", "passages", "steps", "R@1 crops learnt", "R@1 other crops", *KINDS, "R@1 never asked about")
    return table(heads, rows)


def beams_table(results: Mapping[str, Any]) -> list[str]:
    """Return what the width of the beam and the trie do."""
    rows = []
    for one in results.get("variants", {}).values():
        beams = [figure(one["beams"][width]["R@1"]) for width in ("1", "5", "20")]
        free = one["without_trie"]
        rows.append([one["title"], *beams, figure(one["beams"]["20"]["R@20"]), figure(free["R@1"]),
                     figure(free["R@20"]), f"{one['invalid_share']:.3f}"])  # fmt: skip
    heads = ("model", "R@1 beam 1", "beam 5", "beam 20", "R@20 beam 20", "R@1 without trie", "R@20 without trie",
             "no address")  # fmt: skip
    return table(heads, rows)


def codes_table(results: Mapping[str, Any]) -> list[str]:
    """Return how good codes are: of every model, and of the adapter's vectors of more passages without a model."""
    coded = [(one["title"], one["passages"], one["codes"]) for one in results.get("variants", {}).values()]
    for name, codes in results.get("codes", {}).items():
        passages, levels, size = map(int, name.split())
        coded.append((f"no model: {levels} codes of {size} from vectors", passages, codes))
    rows = [
        [
            title, str(passages), f"{codes['unique']:.3f}", str(codes["largest_group"]),
            " ".join(f"{used:.2f}" for used in codes["use"]),
            " ".join(f"{each:.0f}" for each in codes["perplexity"]),
            f"{codes['explained']:.2f}",
        ]
        for title, passages, codes in coded
    ]  # fmt: skip
    heads = ("codes of", "passages", "alone with theirs", "largest group", "use by level", "perplexity", "explained")
    return table(heads, rows)


def speed_table(results: Mapping[str, Any]) -> list[str]:
    """Return what a typed question takes, each model in a process of its own."""
    titles = {name: one["title"] for name, one in results.get("variants", {}).items()}
    rows = [
        [
            titles.get(name, name), str(one["passages"]), f"{one['question_ms']:.0f}", f"{one['reading_ms']:.0f}",
            f"{one['model_mb']:.1f}", f"{one['peak_mb']:.0f}",
        ]
        for name, one in results.get("speed", {}).items()
    ]  # fmt: skip
    heads = ("model", "passages", "ms of a core, a question", "of it, to read it", "weights, MB", "process at most, MB")
    return table(heads, rows)


def document(results: Mapping[str, Any], heading: str) -> str:
    """Return all tables, under a line that says where they come from."""
    lines = [heading, "", *engines_table(results), *spoken_table(results)]
    lines += ["Each row differs in one thing from the first.", "", *variants_table(results), *beams_table(results)]
    lines += [*codes_table(results), *speed_table(results)]
    for one in results.get("continual", {}).values():
        asked = (f"{name.replace('_', ', ')}: R@1 {figure(one[name])}"
                 for name in ("questions_before", "questions_after", "questions_new"))  # fmt: skip
        said = [
            f"old passages before it {one['before']}",
            f"after it {one['old']}",
            f"the new ones {one['new']}",
            *asked,
        ]
        lines += [f"An update ({one['passages']}; half of every batch repeats old ones):", ""]
        lines += [f"- {each}" for each in said] + [""]
    if crops := results.get("adapter_crops"):
        lines += [f"Crops by the adapter's vectors, on {n} passages: R@1 {share:.3f}." for n, share in crops.items()]
    return "\n".join(lines).rstrip() + "\n"


def write(results: Mapping[str, Any], heading: str) -> None:
    """Write all tables into docs/generative.md, in place of those that are there."""
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(f"{before}{BEGIN}\n{document(results, heading)}{END}{after}", encoding="utf-8")
