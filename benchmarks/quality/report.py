"""Write the evaluation as text: ``docs/evaluation.md``, the model card's figures, the README's table. All but one pure.

Every number comes from ``evaluation.json``; a test compares what lies in the checkout with what is written here.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.quality.condition_tables import conditions_part
from benchmarks.quality.figures import OURS, Record
from benchmarks.quality.question_tables import kinds_part, speed_part, spoken_part
from benchmarks.quality.recognizers import ASR, EVERYTHING, MINI_ASR
from benchmarks.quality.set_tables import details_table, sets_table, standing, summary_table, tests_table
from benchmarks.quality.sets import CLEAN
from benchmarks.quality.tables import (
    CEILING,
    ENGINES,
    METRICS,
    RECALLS,
    against,
    cell,
    error_rates,
    lines,
    mean,
    rows_of,
    test_of,
    tested,
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

- `hybrid`, `adapter`, `phonetic` search the sound. Each `asr` searches what a recogniser wrote down, a text encoder's
  vectors fused with BM25. `all` fuses the sound with the transcripts of `asr (whisper-base)`.
- `asr (whisper-base)` is the baseline, and a strong one: the recogniser that the product comes with. Tests are against
  it. `asr (whisper-tiny.en)` is its smaller sister. `asr (mini)` searches what the *same* network as that of `hybrid`
  wrote down, so that difference is what deciding on words costs. `asr (PocketSphinx)` is a recogniser of the years
  before deep networks.
- `text`, `text-bm25`, `text-hybrid` search what was really said: ceilings, not engines. `text-hybrid` is what `asr`
  would be with perfect transcripts.
- A dash: not measured. The slow recognisers hear clean passages only, or some conditions.
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
- `whisper-base` is strong but not the strongest: larger recognisers mishear less, and against them every engine below
  would stand worse. What Whisper was trained on is not public; readings of the same books may have been among it.
- `whisper-base` tells the language of each passage itself, as in the product where none is given. It takes some of
  the learners of English (`nonnative`) for speakers of other languages and writes those; `whisper-tiny.en` cannot.
- `asr (mini)` is our small network decided to words; its difference from `hybrid` says what is lost by deciding, on
  this network only.
- The channel weights of `asr` are the same for every recogniser, and were not learnt for each of them anew.
- FairytaleQA, SQuAD, the samples and most of the names are spoken by synthesisers. The human sets have few speakers and
  few passages; their intervals are over questions and not over speakers.
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
        "## Recall, as recorded\n",
        "Among the first five:\n",
        summary_table(document, "recall@5"),
        "At the first place:\n",
        summary_table(document, "recall@1"),
        "## Against the baselines\n",
        standing(document),
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
    shown = ("hybrid", EVERYTHING, ASR)
    heads = ["n", "PER %", "WER % whisper-base", *(f"{ENGINES[engine]} R@5" for engine in shown)]

    def row(title: str, record: Record) -> list[str]:
        found = (cell(record, engine, "recall@5") for engine in shown)
        return [title, str(record["n"]), *error_rates(record, [ASR]), *found]

    sets = [row(name, one["conditions"][CLEAN]) for name, one in rows_of(document)]
    noisy = [row(document["titles"][name], record) for name, record in document["together"]["conditions"].items()]
    return "\n".join([
        made + " PER: of this model. WER: of the recogniser of the baseline. In brackets: 95 % intervals over n "
        "questions. A dash: not measured.\n",
        lines(["set", *heads], sets),
        "All sets together, by condition:\n",
        lines(["condition", *heads], noisy),
        "How it was measured, and every other figure: [docs/evaluation.md](../../../docs/evaluation.md).",
    ])  # fmt: skip


def readme_table(document: Record) -> str:
    """Return the README's table: recall at 1 and at 5 of the engines on every set, the tests, and who is ahead."""
    shown = (CEILING, ASR, MINI_ASR, "phonetic", "hybrid", EVERYTHING)
    columns = [(engine, metric) for metric in RECALLS for engine in shown]
    tests = [(ours, ASR, metric) for ours in reversed(OURS) for metric in RECALLS]
    rows = []
    for name, one in rows_of(document):
        clean = one["conditions"][CLEAN]
        means = (number(mean(clean, engine, metric), 3) for engine, metric in columns)
        rows.append([name, str(clean["n"]), *means, *(tested(test_of(clean, *test)) for test in tests)])
    heads = [f"{METRICS[metric]} {ENGINES[engine]}" for engine, metric in columns]
    machine = Machine(**document["machine"])
    return "\n".join([
        f"Recall at 1 and at 5 on clean passages ({document['date']}, `{document['command']}`, {machine}):\n",
        lines(["set", "n", *heads, *(against(*test) for test in tests)], rows),
        standing(document),
    ])  # fmt: skip
