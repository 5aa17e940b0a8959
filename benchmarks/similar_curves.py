"""Draw how a sound embedder was trained: ``python -m benchmarks.similar_curves OUT/log.jsonl PICTURE.svg``."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib
import typer

from benchmarks.quality.plots import SETTINGS

RECALLS = {
    "speech R@1": "#1f5fbf", "music R@1": "#0b6e6e", "other R@1": "#b3123f", "other R@10": "#c26a00",
}  # fmt: skip


def main(log: Path, picture: Path) -> None:
    """Draw loss and recalls by step."""
    matplotlib.use("agg")
    from matplotlib import pyplot

    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    steps = [row["step"] for row in rows]
    with matplotlib.rc_context(SETTINGS):
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.2))
        left.plot(steps, [row["loss"] for row in rows], color="#555555")
        left.set(title="InfoNCE, nats", xlabel="step", ylim=(0, None))
        for name, colour in RECALLS.items():
            right.plot(steps, [row.get(name, 0.0) for row in rows], color=colour, label=name)
        right.set(title="held-out recordings", xlabel="step", ylim=(0, 1))
        right.legend(frameon=False, fontsize=8)
        figure.tight_layout()
        figure.savefig(picture, metadata={"Date": None})


if __name__ == "__main__":
    typer.run(main)
