"""Where the files lie that ship with the package."""

from __future__ import annotations

from pathlib import Path

ASSETS = Path(__file__).parents[1] / "assets"
SAMPLES = ASSETS / "samples"
"""The sample collection: audio, metadata, questions and their answers."""
EVALUATION = ASSETS / "evaluation.json"
"""The figures of docs/evaluation.md, as the About tab shows them."""
