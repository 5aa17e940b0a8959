"""Draw the evaluation: recall by noise, by condition, typed against spoken. SVG with text as text, on white."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib

from benchmarks.quality.figures import Record
from benchmarks.quality.recognizers import ASR, ASR_TITLES, EVERYTHING, MINI_ASR
from benchmarks.quality.sets import CLEAN, NOISES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVELS = ("clean", "20", "10", "5", "0")
ENGINES = {
    **{name: name for name in (EVERYTHING, "hybrid", "phonetic", "adapter")},
    **{key: ASR_TITLES[key] for key in (ASR, MINI_ASR)},
}
COLOURS = {
    EVERYTHING: "#1f5fbf", "hybrid": "#0b6e6e", "phonetic": "#7a4fbf", "adapter": "#c26a00", ASR: "#b3123f",
    MINI_ASR: "#d4708b",
}  # fmt: skip
MARKS = {EVERYTHING: "P", "hybrid": "o", "phonetic": "s", "adapter": "^", ASR: "D", MINI_ASR: "v"}
BANDED = ("hybrid", ASR)
CEILING = "text-hybrid"
GOLD = "gold transcript (text-hybrid)"
GREY = "#555555"
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text as text: small files, and it can be searched
    "svg.hashsalt": "speechsearch",  # the same figures give the same bytes
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


def draw(document: Record, folder: Path) -> None:
    """Write the pictures that there are figures for."""
    folder.mkdir(parents=True, exist_ok=True)
    matplotlib.use("agg")
    from matplotlib import pyplot

    with matplotlib.rc_context(SETTINGS):
        for name, picture in {
            "recall-by-noise": by_noise(document["together"]),
            "recall-by-condition": by_condition(document["together"], document["titles"]),
            "typed-and-spoken": typed_and_spoken(document["together"]),
        }.items():
            file = folder / f"{name}.svg"
            file.unlink(missing_ok=True)
            if picture is not None:
                picture.savefig(file, metadata={"Date": None})
                pyplot.close(picture)


def noise_levels(conditions: Mapping[str, object], noise: str) -> list[str]:
    """Return the names of the conditions from clean to loud that were measured.

    >>> noise_levels({"clean": 0, "white-20": 0, "white-0": 0, "babble-10": 0}, "white")
    ['clean', 'white-20', 'white-0']
    """
    names = [level if level == CLEAN else f"{noise}-{level}" for level in LEVELS]
    return [name for name in names if name in conditions]


def recall(record: Record, engine: str) -> dict[str, float] | None:
    """Return an engine's recall at 5: mean, low, high; None where it was not measured."""
    found: dict[str, float] | None = record["engines"].get(engine, {}).get("recall@5")
    return found


def present(found: Sequence[Mapping[str, float] | None]) -> tuple[list[int], list[Mapping[str, float]]]:
    """Return those figures that there are, and their places.

    >>> present([{"mean": 0.5}, None, {"mean": 0.25}])
    ([0, 2], [{'mean': 0.5}, {'mean': 0.25}])
    """
    places = [place for place, one in enumerate(found) if one is not None]
    return places, [one for one in found if one is not None]


def by_noise(together: Record) -> Figure | None:
    """Return recall at 5 from clean to loud, a panel for each noise and a line for each engine."""
    conditions = together["conditions"]
    noises = [noise for noise in NOISES if len(noise_levels(conditions, noise)) > 1]
    if not noises:
        return None
    from matplotlib import pyplot

    picture, panels = pyplot.subplots(
        1, len(noises), figsize=(4.6 * len(noises) + 0.4, 4.1), sharey=True, squeeze=False, layout="constrained"
    )
    for panel, noise in zip(panels[0], noises, strict=True):
        names = noise_levels(conditions, noise)
        for engine, title in ENGINES.items():
            at, found = present([recall(conditions[name], engine) for name in names])
            if not found:
                continue
            panel.plot(at, [one["mean"] for one in found], color=COLOURS[engine], marker=MARKS[engine], label=title,
                       markersize=5, linewidth=2.2 if engine == "hybrid" else 1.5, clip_on=False)  # fmt: skip
            if engine in BANDED:
                low, high = [one["low"] for one in found], [one["high"] for one in found]
                panel.fill_between(at, low, high, color=COLOURS[engine], alpha=0.13, linewidth=0)
        ceiling_line(panel, conditions[CLEAN])
        labels = ["clean" if name == CLEAN else f"{name.split('-')[1]} dB" for name in names]
        panel.set_xticks(range(len(names)), labels)
        panel.set_title(NOISES[noise], fontsize=11)
        panel.set_xlabel("signal-to-noise ratio")
    finish(picture, panels[0], f"Recall at 5, all sets together, n = {conditions[CLEAN]['n']}")
    return picture


def ceiling_line(panel: Axes, clean: Record) -> None:
    """Draw the ceiling across a panel."""
    if highest := recall(clean, CEILING):
        panel.axhline(highest["mean"], color=GREY, linestyle=(0, (5, 3)), linewidth=1.3, label=GOLD)


def finish(picture: Figure, panels: Sequence[Axes], title: str) -> None:
    """Give all panels the same scale, and the picture one key and a title."""
    for panel in panels:
        panel.set_ylim(0, 1.02)
        panel.tick_params(length=0)
    panels[0].set_ylabel("recall at 5")
    named: dict[str, Any] = {}
    for panel in panels:
        named |= dict(zip(*reversed(panel.get_legend_handles_labels()), strict=True))
    labels = [label for label in (*ENGINES.values(), GOLD) if label in named]
    handles = [named[label] for label in labels]
    picture.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    picture.suptitle(title, fontsize=11)


def by_condition(together: Record, titles: Mapping[str, str]) -> Figure | None:
    """Return bars of recall at 5 for the conditions that are no noise, beside clean."""
    conditions = together["conditions"]
    names = [name for name in conditions if name.split("-")[0] not in NOISES]
    if len(names) < 2:
        return None
    picture = bars(
        [titles[name].replace(", ", "\n") for name in names],
        {engine: [recall(conditions[name], engine) for name in names] for engine in ENGINES},
        conditions[CLEAN],
    )
    finish(picture, picture.axes, f"Recall at 5, all sets together, n = {conditions[CLEAN]['n']}")
    return picture


def bars(
    places: Sequence[str], found: Mapping[str, Sequence[Mapping[str, float] | None]], clean: Record | None
) -> Figure:
    """Return groups of bars with intervals, a group for each place and a bar for each engine that was measured."""
    from matplotlib import pyplot

    picture, panel = pyplot.subplots(figsize=(max(7.4, 1.4 * len(places) + 1.5), 4.1), layout="constrained")
    measured = {engine: present(figures) for engine, figures in found.items() if any(figures)}
    width = 0.8 / max(len(measured), 1)
    for number, (engine, (groups, figures)) in enumerate(measured.items()):
        means = [one["mean"] for one in figures]
        errors = [[one["mean"] - one["low"] for one in figures], [one["high"] - one["mean"] for one in figures]]
        at = [group + (number - (len(measured) - 1) / 2) * width for group in groups]
        panel.bar(at, means, width * 0.92, yerr=errors, color=COLOURS[engine], label=ENGINES[engine],
                  error_kw={"elinewidth": 1.1, "ecolor": "black"})  # fmt: skip
    if clean is not None:
        ceiling_line(panel, clean)
    panel.set_xticks(range(len(places)), places)
    panel.grid(axis="x", visible=False)
    return picture


def typed_and_spoken(together: Record) -> Figure | None:
    """Return bars of recall at 5 for typed and for spoken questions."""
    spoken = together["spoken"]
    if not spoken:
        return None
    found = {engine: [spoken[way].get(engine) for way in ("typed", "spoken")] for engine in ENGINES}
    picture = bars(["typed", "spoken"], found, None)
    finish(picture, picture.axes, f"Recall at 5 of the same questions, all sets together, n = {spoken['n']}")
    return picture
