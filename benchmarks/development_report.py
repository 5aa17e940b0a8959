"""Evaluate every engine on development collections and write ``docs/evaluation.md`` and its JSON.

``python -m benchmarks.development_report FOLDER [FOLDER ...]``; the folders come from
``python -m benchmarks.build_development_sets`` and from ``samples``.
"""

from __future__ import annotations

import json
from pathlib import Path

import typer

from speechsearch.evaluation import as_json, as_markdown
from speechsearch.measure import measure

ENGINES = ("text", "text-bm25", "text-hybrid", "asr", "adapter", "phonetic", "hybrid")
DOCS = Path(__file__).parents[1] / "docs"
ABOUT = """# Evaluation

Written by `python -m benchmarks.development_report FOLDER ...`; the numbers are not edited by hand. The collections are
built by `python -m benchmarks.build_development_sets DATA OUT` (FairytaleQA test sections and SQuAD sentences spoken by
voices that no model heard in training; LJSpeech and LibriSpeech parts held out, human speech; the bundled samples).

Same passages, same questions, same clock for every engine. `text`, `text-bm25` and `text-hybrid` read the gold
transcript: they are ceilings, not engines. `asr` is built on the same network as `hybrid`, so their difference is what
deciding on words costs. Intervals are 95 % bootstrap intervals over questions; the tests against `asr` are paired.
"""


def main(folders: list[Path], recognizer: str = "mini", limit: int = 0) -> None:
    """Evaluate FOLDERS (the first --limit passages of each, all by default) and write the report."""
    parts, documents = [ABOUT], []
    for folder in folders:
        command = f"python -m speechsearch evaluate {folder.name} --engines {','.join(ENGINES)}"
        if limit:
            command += f" --limit {limit}"
        report = measure(folder, ENGINES, recognizer, limit or None, command)
        parts.append(as_markdown(report))
        documents.append(as_json(report))
        print(parts[-1], flush=True)
    (DOCS / "evaluation.md").write_text("\n".join(parts) + "\n", encoding="utf-8")
    (DOCS / "evaluation.json").write_text(json.dumps(documents, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
