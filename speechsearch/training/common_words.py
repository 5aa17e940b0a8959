"""Recipe: which English words are common: ``python -m speechsearch.training.common_words DATA``.

Writes the 20,000 most frequent words of the training texts, the most frequent first, as ``assets/common_words.txt``.
"""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import typer

from speechsearch.text.common import FILE
from speechsearch.text.spoken import spoken_words
from speechsearch.training import texts

SIZE = 20_000
EVERY = 6
"""Of the novels, which are most of the texts, every so many paragraphs are counted."""


def main(data: Path, out: Path = FILE) -> None:
    """Count the words of DATA and write OUT."""
    novels = itertools.islice(texts.novels(data), 0, None, EVERY)
    others = (texts.fairytales, texts.read_sentences, texts.encyclopedia, texts.dialogues)
    counts: Counter[str] = Counter()
    for text in itertools.chain(novels, *(source(data) for source in others)):
        counts.update(spoken_words(text))
    words = sorted(counts, key=lambda word: (-counts[word], word))[:SIZE]
    out.write_text("\n".join(words) + "\n", encoding="utf-8")
    print(f"{len(words)} of {len(counts)} words; the last was met {counts[words[-1]]} times")


if __name__ == "__main__":
    typer.run(main)
