"""Write the evaluation as text: ``docs/evaluation.md``, the model card's figures, the README's table. All but one pure.

Every number comes from ``evaluation.json``; a test compares what lies in the checkout with what is written here.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.quality.figures import Record
from benchmarks.quality.sets import CLEAN
from benchmarks.quality.tables import (
    ENGINES,
    cell,
    conditions_part,
    details_table,
    kinds_part,
    lines,
    mean,
    rows_of,
    sets_table,
    speed_part,
    spoken_part,
    summary_table,
    test_of,
    tested,
    tests_table,
)
from speechsearch.domain.assets import EVALUATION
from speechsearch.evaluation import Machine
from speechsearch.evaluation.report import number

OPENING = """# Evaluation

Written on {date} from [evaluation.json](../speechsearch/assets/evaluation.json); no number is edited by hand. Model
`{model}`; {machine}:

    {command}

The sets are built by `python -m benchmarks.build_development_sets`; `samples` comes with the program.

## What is measured

A question is put to every engine, over the passages of its set; the answer counts as found when the right passage is
among the first 1, 5 or 10. All engines search the same passages with the same questions.

- `hybrid`, `adapter`, `phonetic` search the sound. `asr (mini)` searches what the *same* network wrote down, so its
  difference from `hybrid` is what deciding on words costs. `asr (PocketSphinx)` searches what another recogniser wrote
  down. Both fuse a text encoder's vectors with BM25.
- `text`, `text-bm25`, `text-hybrid` search what was really said: ceilings, not engines. `text-hybrid` is what `asr`
  would be with perfect transcripts.
- No passage below was in training; which of the voices were is in the
  [model card](../speechsearch/assets/mini/README.md). The weights of the fused engines were learnt on another set.

In brackets: 95 % bootstrap intervals over the questions (10,000 resamples). p: two-sided paired permutation test. PER
and WER: phoneme errors of the speech encoder, word errors of the recognisers, in % of what was said. R@k: recall among
the first k; MRR@10: mean of 1 / rank of the first right passage among ten. *All together*: every question of every set
counts the same.
"""
LIMITS = """## What this does not show

- The questions about human speech are known-item queries: `said-`, `rare-` and `phrase-` are words of the passage
  itself, which favours engines that match words or sounds. Their paraphrases were written by us, knowing the passages.
- `asr (mini)` is our small network decided to words; PocketSphinx is an old recogniser. The differences say what is
  lost by deciding, on these recognisers. They say nothing about large ones, which mishear far less.
- The channel weights of `asr` were learnt with the transcripts of `mini` and are used for PocketSphinx as they are.
- FairytaleQA, SQuAD and the samples are spoken by synthesisers. The human sets have few speakers and few passages;
  their intervals are over questions and not over speakers.
- Sets are small: ranking the right passage among 140 is easier than among 100,000.
- Noise, band, codecs and room are computed, not recorded. The babble is speech of other passages of the same set.
- p-values are not corrected for the number of tests in this document.
"""


def write_everything(document: Record, root: Path) -> None:
    """Write JSON, report, pictures and the generated parts of the model card and the README under a checkout."""
    from benchmarks.quality.plots import draw

    file = EVALUATION
    file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (root / "docs" / "evaluation.md").write_text(as_markdown(document), encoding="utf-8")
    draw(document, root / "docs" / "images")
    for name, marker, content in (
        ("speechsearch/assets/mini/README.md", "figures", model_card(document)),
        ("README.md", "measured", readme_table(document)),
    ):
        page = root / name
        page.write_text(with_section(page.read_text(encoding="utf-8"), marker, content), encoding="utf-8")


def with_section(text: str, marker: str, content: str) -> str:
    r"""Return a page with other content between two markers.

    Raises:
        ValueError: the markers are not there.

    >>> with_section("a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n", "x", "new")
    'a\n<!-- x: begin -->\nnew\n<!-- x: end -->\nb\n'
    """
    begin, end = f"<!-- {marker}: begin -->\n", f"<!-- {marker}: end -->"
    before, found, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise ValueError(f"the markers {begin.strip()} and {end} are not there")
    return f"{before}{begin}{content.strip()}\n{end}{after}"


def section_of(text: str, marker: str) -> str:
    r"""Return what lies between two markers.

    >>> section_of("a\n<!-- x: begin -->\nthis\n<!-- x: end -->\nb", "x")
    'this'
    """
    return text.partition(f"<!-- {marker}: begin -->\n")[2].partition(f"\n<!-- {marker}: end -->")[0]


def as_markdown(document: Record) -> str:
    """Return the whole report."""
    opening = OPENING.format(
        command=document["command"],
        date=document["date"],
        model=document["model"],
        machine=Machine(**document["machine"]),
    )
    parts = [
        opening,
        sets_table(document),
        "## Recall at 5, as recorded\n",
        summary_table(document),
        "## Hybrid against the baselines\n",
        tests_table(document),
        conditions_part(document),
        spoken_part(document),
        kinds_part(document),
        "## Every figure, as recorded\n",
        details_table(document),
        speed_part(document),
        LIMITS,
    ]
    return "\n".join(part for part in parts if part)


def model_card(document: Record) -> str:
    """Return the model card's figures: errors and recall by set and by condition."""
    made = f"From [evaluation.json](../evaluation.json), {document['date']}, model `{document['model']}`."
    heads = ["n", "PER %", "WER %", "hybrid R@5", "asr (mini) R@5", "gold text (text-hybrid) R@5"]

    def row(title: str, record: Record) -> list[str]:
        return [
            title,
            str(record["n"]),
            number(record["phoneme_error_rate"], 1, 100),
            number(record["word_error_rate"]["asr"], 1, 100),
            *(cell(record, engine, "recall@5") for engine in ("hybrid", "asr", "text-hybrid")),
        ]

    sets = [row(name, one["conditions"][CLEAN]) for name, one in rows_of(document)]
    noisy = [row(document["titles"][name], record)[:-1] for name, record in document["together"]["conditions"].items()]
    return "\n".join([
        made + " WER is that of the same network decided to words. In brackets: 95 % intervals over n questions.\n",
        lines(["set", *heads], sets),
        "All sets together, by condition:\n",
        lines(["condition", *heads[:-1]], noisy),
        "How it was measured, and every other figure: [docs/evaluation.md](../../../docs/evaluation.md).",
    ])  # fmt: skip


def readme_table(document: Record) -> str:
    """Return the README's table: recall at 5 of the engines on every set."""
    columns = ("text", "text-hybrid", "asr-pocketsphinx", "asr", "adapter", "phonetic")
    rows = []
    for name, one in rows_of(document):
        clean = one["conditions"][CLEAN]
        means = [number(mean(clean, engine, "recall@5"), 3) for engine in columns]
        test = tested(test_of(clean, "asr", "recall@5"))
        rows.append([name, str(clean["n"]), *means, cell(clean, "hybrid", "recall@5"), test])
    heads = ["set", "n", *(ENGINES[engine] for engine in columns), "hybrid", "hybrid - asr (mini) (p)"]
    machine = Machine(**document["machine"])
    return "\n".join([
        f"Recall at 5 on clean passages ({document['date']}, `{document['command']}`, {machine}):\n",
        lines(heads, rows),
    ])  # fmt: skip
