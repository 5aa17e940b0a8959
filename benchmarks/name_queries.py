"""Queries of names and rare words only: no verb, no question, one to three words of a passage."""

from __future__ import annotations

import gzip
import json
import lzma
import random
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import count, pairwise
from pathlib import Path
from typing import Any

from benchmarks.set_folder import Question
from speechsearch.text.spoken import spoken_words

COMMON_WORDS = 20_000
MOST_RELEVANT = 4
"""A name that more passages have says too little."""
INVENTED = Path(__file__).with_name("names.jsonl")
TITLES = frozenset("Mr Mrs Miss Doctor Dr Professor Sir Saint St Captain King Queen Prince Princess Lord Lady".split())


def common_words(data: Path, most: int = COMMON_WORDS) -> frozenset[str]:
    """Return the most frequent words of the texts in DATA/text, in lower case."""
    counts: Counter[str] = Counter()
    for path in sorted((data / "text").glob("*.*z")):
        opener = lzma.open if path.suffix == ".xz" else gzip.open
        with opener(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                counts.update(re.findall(r"[a-z]+(?:'[a-z]+)?", line.lower()))
    return frozenset(word for word, _ in counts.most_common(most))


def names_in(text: str, common: Collection[str]) -> list[str]:
    """Return a text's names and rare words, neighbouring ones together, in the order they are said.

    A word counts as a name when it has a capital inside a sentence and no frequent word is written so.

    >>> names_in("The tailor Bo Quist saw Ada. He ate a zabaglione in Oslo, I think.", {"the", "tailor", "he", "saw",
    ...     "ate", "a", "in", "i", "think"})
    ['Bo Quist', 'Ada', 'zabaglione', 'Oslo']
    """
    found: list[list[str]] = []
    is_start, last = True, -2
    for place, token in enumerate(text.split()):
        word = re.sub(r"^[^\w]+|(?:'s?)?[^\w]*$", "", token)
        is_capital = word[:1].isupper() and not is_start and word not in {"I", "O", "Oh"} and word[:2] != "I'"
        is_rare = word.isalpha() and len(word) > 3 and word.lower() not in common
        if word and word.isascii() and (is_capital or is_rare) and not re.search(r"\d", word):
            if place == last + 1:
                found[-1].append(word)
            else:
                found.append([word])
            last = place
            if (not token[-1].isalnum() and word not in TITLES) or token.endswith("'s"):
                last = -2  # a comma ends a name
        is_start = (token.rstrip("\"')")[-1:] in {".", "!", "?", ":"} and word not in TITLES) or (is_start and not word)
    return list(dict.fromkeys(" ".join(words[-3:]) for words in found))


def rare_words(words: Sequence[str], common: Collection[str]) -> list[str]:
    """Return the different rare words of lower-cased speech of more than three letters.

    >>> rare_words(["the", "marshalsea", "stood", "the", "marshalsea"], {"the", "stood"})
    ['marshalsea']
    """
    return [word for word in dict.fromkeys(words) if len(word) > 3 and word.isalpha() and word not in common]


def relevant_to(query: str, words_of: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """Return the passages that have all words of a query.

    >>> relevant_to("Bo Quist", {"p1": {"bo", "quist", "sang"}, "p2": {"bo"}})
    ('p1',)
    """
    wanted = set(spoken_words(query))
    return tuple(name for name, words in words_of.items() if wanted.issubset(words))


def queries_of(
    kind: str, names: Mapping[str, Sequence[str]], words_of: Mapping[str, Collection[str]], most: int, seed: int
) -> Iterator[Question]:
    """Yield at most so many queries a passage, of its names or of two of them, at most three words each.

    >>> names, words = {"p1": ["Ada", "Bo Quist"]}, {"p1": {"ada", "bo", "quist"}}
    >>> sorted(query.text for query in queries_of("tale", names, words, 5, 1))
    ['Ada', 'Ada Bo Quist', 'Bo Quist']
    """
    rng, numbers, asked = random.Random(seed), count(), set()
    for passage, own in names.items():
        pairs = [f"{one} {other}" for one, other in pairwise(own)]
        pool = [*own, *rng.sample(pairs, len(pairs))[: (len(own) + 1) // 2]]
        pool = [text for text in dict.fromkeys(pool) if len(text.split()) <= 3 and text.lower() not in asked]
        kept = 0
        for text in rng.sample(pool, len(pool)):
            relevant = relevant_to(text, words_of)
            if kept < most and passage in relevant and len(relevant) <= MOST_RELEVANT and text.lower() not in asked:
                asked.add(text.lower())
                kept += 1
                yield Question(f"{kind}-{next(numbers):03d}", text, relevant)


def read_invented(path: Path = INVENTED) -> list[dict[str, Any]]:
    """Return the invented passages, each with its id, text and queries (ours, CC0 1.0)."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def with_random_names(text: str, names: Sequence[str], draw: Callable[[], float], share: float) -> str:
    """Return a text some of whose words are random names, which no story makes likely.

    >>> with_random_names("The fox ran home", ["kowalski"], iter([1, 0, 0.9, 1, 1]).__next__, 0.5)
    'The Kowalski ran home'
    """
    said = []
    for word in text.split():
        is_replaced = draw() < share and word.isalpha()
        said.append(names[int(draw() * len(names))].capitalize() if is_replaced else word)
    return " ".join(said)
