"""What a generative model learns from: whole passages, crops of them, and questions, as states that are computed once.

States are kept in half precision, file by file while they are made, so that a killed training goes on where it was.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from speechsearch.models.generative.listener import Listener
from speechsearch.models.generative.unity import Example
from speechsearch.text.words import content_words

KEPT_TOGETHER = 128
"""Passages of a file of states."""
Sounds = Callable[[Sequence[str]], Iterable[tuple[str, Audio]]]
"""Gives the sound of passages, in any order; some may be missing."""
PATTERNS = (
    "what is said about {a}", "what about {a} and {b}", "who talks about {a}", "when is it about {a} and {b}",
    "{a} {b}", "{a} {b} {c}", "why {a} {b}", "where is {a}",
)  # fmt: skip
RARE_SHARE = 0.6
"""So much of the content words of a passage, the rarest of the collection first, is asked about."""


@dataclass(frozen=True, slots=True)
class CropPlan:
    """How many crops of how many seconds are heard of every passage; another seed draws others."""

    count: int = 4
    length_s: float = 3.0
    seed: int = 1

    def of(self, passage_id: str, sound: Audio) -> list[Audio]:
        """Return the crops of a passage; one that is no longer than a crop is its only crop.

        >>> import numpy as np
        >>> [one.duration_s for one in CropPlan(2, 3.0).of("a", Audio(np.zeros(160_000, np.float32)))]
        [3.0, 3.0]
        """
        length = round(self.length_s * SAMPLE_RATE_HZ)
        free = len(sound.samples) - length
        if free <= 0:
            return [sound]
        rng = random.Random(f"{self.seed}:{passage_id}")
        starts = (rng.randrange(free + 1) for _ in range(self.count))
        return [Audio(sound.samples[start : start + length]) for start in starts]


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """Something to read, (states, dim) float16; whether it was heard; the passages that it is of, or asks for."""

    states: Tensor
    is_sound: bool
    passage_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Whole passages by id, and crops and questions; nothing in them is empty."""

    passages: Mapping[str, Item]
    crops: Sequence[Item]
    questions: Sequence[Item]

    def within(self, passage_ids: Iterable[str]) -> Material:
        """Return what concerns some passages only; questions keep those of theirs that are among them."""
        wanted = set(passage_ids)

        def kept(items: Sequence[Item]) -> list[Item]:
            found = ((one, tuple(name for name in one.passage_ids if name in wanted)) for one in items)
            return [Item(one.states, one.is_sound, names) for one, names in found if names]

        whole = {name: one for name, one in self.passages.items() if name in wanted}
        return Material(whole, kept(self.crops), kept(self.questions))


def heard(listener: Listener, ids: Sequence[str], sounds: Sounds, plan: CropPlan, kept: Path) -> Material:
    """Return the states of passages and their crops, those that are kept in a folder and those that are heard now.

    Passages in which nothing is heard are left out. ``kept``: one folder for all collections of files of states; what
    another encoder or plan made lies apart.
    """
    folder = kept / f"{listener.hears}-{listener.encoder.fingerprint}-{plan.count}x{plan.length_s:g}s-{plan.seed}"
    known: dict[str, Tensor] = {}
    files = sorted(folder.glob("*.safetensors"))
    for file in files:
        known |= load_file(file)
    missing = [name for name in ids if name not in known]
    number = int(files[-1].stem) + 1 if files else 0
    coming = iter(sounds(missing)) if missing else iter(())
    while group := list(islice(coming, KEPT_TOGETHER)):
        new = _states_of(listener, group, plan)
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / "unfinished"
        save_file(new, unfinished)
        unfinished.replace(folder / f"{number:04d}.safetensors")
        known |= new
        number += 1
        print(f"{sum(name in known for name in ids)} of {len(ids)} passages are heard", flush=True)
    whole = {name: Item(known[name], True, (name,)) for name in ids if name in known and len(known[name])}
    crops = [
        Item(known[key], True, (name,))
        for name in whole
        for place in range(plan.count)
        if len(known.get(key := f"{name}:{place}", ()))
    ]
    return Material(whole, crops, [])


def _states_of(listener: Listener, group: Sequence[tuple[str, Audio]], plan: CropPlan) -> dict[str, Tensor]:
    """Return the states of passages, by id, and of their crops, by id:number."""
    sounds = dict(group)
    for name, sound in group:
        sounds |= {f"{name}:{place}": crop for place, crop in enumerate(plan.of(name, sound))}
    states = listener.of_sounds(list(sounds.values()))
    return {name: one.half().contiguous() for name, one in zip(sounds, states, strict=True)}


def asked(listener: Listener, questions: Sequence[tuple[str, tuple[str, ...]]]) -> list[Item]:
    """Return typed questions, each with the passages that answer it, as they are read; empty ones are left out."""
    found = list[Item]()
    for first in range(0, len(questions), 64):
        some = questions[first : first + 64]
        states = listener.of_texts([text for text, _ in some])
        found += [Item(one.half(), False, names) for one, (_, names) in zip(states, some, strict=True) if len(one)]
    return found


def pattern_questions(texts: Mapping[str, str], each: int, seed: int) -> list[tuple[str, tuple[str, ...]]]:
    """Return questions about what is written of passages, ``each`` of every one, made of its rarer words by pattern.

    >>> texts = {"a": "the old mill stands by the river", "b": "rain fell on the old town"}
    >>> [question for question, ids in pattern_questions(texts, 2, 1) if ids == ("a",)]
    ['who talks about mill', 'why mill stands']
    """
    words_of = {name: list(dict.fromkeys(content_words(text))) for name, text in texts.items()}
    frequency = Counter(word for words in words_of.values() for word in words)
    found = list[tuple[str, tuple[str, ...]]]()
    for name, words in words_of.items():
        rng = random.Random(f"{seed}:{name}")
        rare = sorted(words, key=lambda word: (frequency[word], words.index(word)))
        rare = rare[: max(3, round(len(words) * RARE_SHARE))]
        for _ in range(each if rare else 0):
            chosen = sorted(rng.sample(rare, min(3, len(rare))), key=words.index)
            a, b, c = (chosen * 3)[:3]
            found.append((rng.choice(PATTERNS).format(a=a, b=b, c=c), (name,)))
    return found


@dataclass(frozen=True, slots=True)
class Mix:
    """How likely an example is a whole passage, a crop or a question; what there is none of counts nothing."""

    passages: float
    crops: float
    questions: float


class Lessons:
    """Draws batches; those of a step are the same whenever they are drawn.

    Args:
        material: what is drawn from.
        tokens: of each passage's address.
        units: gives the semantic units of states.
        seed: another one draws others.
    """

    def __init__(
        self,
        material: Material,
        tokens: Mapping[str, tuple[int, ...]],
        units: Callable[[Tensor, bool], tuple[int, ...]],
        seed: int,
    ) -> None:
        self._tokens, self._seed, self._units = tokens, seed, units
        self._pools = (list(material.passages.values()), list(material.crops), list(material.questions))

    def batch(self, step: int, size: int, mix: Mix) -> list[Example]:
        """Return the examples of a step."""
        rng = random.Random(f"{self._seed}:{step}")
        weights = (mix.passages, mix.crops, mix.questions)
        filled = [(pool, weight) for pool, weight in zip(self._pools, weights, strict=True) if pool and weight]
        pools = rng.choices([pool for pool, _ in filled], [weight for _, weight in filled], k=size)
        return [self._example(rng.choice(pool), rng) for pool in pools]

    def _example(self, item: Item, rng: random.Random) -> Example:
        states = item.states.float()
        passage_id = rng.choice(item.passage_ids)
        return Example(states, item.is_sound, self._units(states, item.is_sound), self._tokens[passage_id])


def chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Yield the items in groups."""
    for first in range(0, len(items), size):
        yield items[first : first + size]
