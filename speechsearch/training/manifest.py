"""Recipe: write down what the encoder and the adapter are trained on, and look for what is reserved in it.

``python -m speechsearch.training.manifest DATA runs/corpus OUT.json``. A training text overlaps a reserved one when
both have the same eight words in a row; one of fewer words, when it is a whole reserved sentence of at least three.
Eight words are often a formula ("there was nothing left for him to do but"); sixteen, counted apart, are the same
sentence.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import typer

from speechsearch.domain.assets import SAMPLES
from speechsearch.text.spoken import spoken_words
from speechsearch.training.adapter_data import TEXT_WEIGHTS
from speechsearch.training.corpus import Utterance
from speechsearch.training.kokoro_styles import read_style
from speechsearch.training.speech_corpus import human_parts
from speechsearch.training.texts import split_sentences
from speechsearch.training.train_encoder import SAMPLE_RATE_HZ, source_of
from speechsearch.training.voices import RESERVED

RUN_WORDS = 8
LONG_RUN_WORDS = 16
FEWEST_WORDS = 3
PROMPTED = "speechocean"
"""Sources whose speakers are given prompts, some the same for several of them."""

Text = tuple[str, int]
"""A reserved text: the name of its set and its number in it."""


class ReservedTexts:
    """Finds the reserved texts that share words with a training text."""

    def __init__(self, sets: Iterable[tuple[str, Iterable[str]]]) -> None:
        """``sets``: name and texts."""
        self.counts: Counter[str] = Counter()
        self.runs: dict[tuple[str, ...], set[Text]] = {}
        self.sentences: dict[tuple[str, ...], set[Text]] = {}
        for name, texts in sets:
            for text in texts:
                place = (name, self.counts[name])
                self.counts[name] += 1
                for run in runs(spoken_words(text)):
                    self.runs.setdefault(run, set()).add(place)
                for sentence in split_sentences(text):
                    self.sentences.setdefault(spoken_words(sentence), set()).add(place)

    def shared_with(self, text: str) -> dict[Text, int]:
        """Return {reserved text: words in a row that it shares} of those that a text overlaps.

        >>> known = ReservedTexts([("tales", ["Run, fox! One two three four five six seven eight nine."])])
        >>> known.shared_with("two three four five six seven eight nine ten"), known.shared_with("run fox")
        ({('tales', 0): 8}, {})
        >>> known.shared_with("ten one two three four five six seven eight nine"), known.shared_with("two three four")
        ({('tales', 0): 9}, {})
        """
        words = spoken_words(text)
        if len(words) < RUN_WORDS:
            return dict.fromkeys(self.sentences.get(words, ()) if len(words) >= FEWEST_WORDS else (), len(words))
        longest: dict[Text, int] = {}
        ending: dict[Text, int] = {}
        for run in runs(words):
            ending = {place: ending.get(place, RUN_WORDS - 1) + 1 for place in self.runs.get(run, ())}
            for place, length in ending.items():
                longest[place] = max(length, longest.get(place, 0))
        return longest


@dataclass(frozen=True, slots=True)
class Reserved:
    """What is kept for evaluation: texts, and the speakers of human speech who are not in the training at all."""

    texts: ReservedTexts
    speakers: frozenset[str]


def runs(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the runs of eight words.

    >>> len(list(runs(tuple("abcdefghi")))), len(list(runs(tuple("abc"))))
    (2, 0)
    """
    return (words[start : start + RUN_WORDS] for start in range(len(words) - RUN_WORDS + 1))


def written(tokens: str) -> str:
    """Return a text of Penn Treebank tokens with its clitics joined and without the names of its brackets.

    >>> written("he did n't pay notre dame 's fee -lrb- $ 5 -rrb-")
    "he didn't pay notre dame's fee   $ 5  "
    """
    return re.sub(r" (n't|'(?:s|re|ve|ll|d|m)\b)", r"\1", re.sub(r"-[lr][rsc]b-", " ", tokens))


def read_reserved(data: Path, samples: Path) -> Reserved:
    """Return what is reserved: tales, encyclopedia sentences, human speech and the samples' own texts."""
    with gzip.open(data / "qa/fairytaleqa_sections.jsonl.gz", "rt", encoding="utf-8") as lines:
        tales = [row["text"].replace("\n", " ") for row in map(json.loads, lines) if row["split"] == "test"]
    with gzip.open(data / "qa/squad_nqg_test.sentence_question.tsv.gz", "rt", encoding="utf-8") as lines:
        squad = list(dict.fromkeys(written(line.split("\t")[0]) for line in lines))
    parts = list(human_parts(data))
    trained = {speaker for part, _, rows in parts if part == "train" for _, _, speaker in rows}
    heard = {speaker for part, _, rows in parts if part == "evaluation" for _, _, speaker in rows}
    human = [(name, [text for _, text, _ in rows]) for part, name, rows in parts if part == "evaluation"]
    with open(samples, encoding="utf-8") as lines:
        own = [json.loads(line)["text"] for line in lines]
    texts = ReservedTexts([("fairytale", tales), ("squad", squad), *human, ("samples", own)])
    return Reserved(texts, frozenset(heard - trained))


def overlap(shared: Iterable[dict[Text, int]]) -> dict[str, dict[str, int]]:
    """Return, for each reserved set, how many training texts overlap it, how many of its texts, and how long.

    >>> overlap([{("tales", 3): 8, ("tales", 5): 20}, {}, {("tales", 3): 9}])
    {'tales': {'training_texts': 2, 'reserved_texts': 2, 'longest_words': 20, 'training_texts_long': 1}}
    """
    found = [(index, place, length) for index, one in enumerate(shared) for place, length in one.items()]
    return {
        name: {
            "training_texts": len({index for index, place, _ in found if place[0] == name}),
            "reserved_texts": len({place for _, place, _ in found if place[0] == name}),
            "longest_words": max(length for _, place, length in found if place[0] == name),
            "training_texts_long": len({i for i, place, n in found if place[0] == name and n >= LONG_RUN_WORDS}),
        }
        for name in sorted({place[0] for _, place, _ in found})
    }


def voices_of(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the voices and human speakers by synthesiser, espeak's accents and variants apart, Kokoro's by style.

    >>> voices_of(["espeak:en-gb+f1", "espeak:en-us+f1", "flite:slt", "human:4088"])
    {'espeak accents': ['en-gb', 'en-us'], 'espeak variants': ['f1'], 'flite': ['slt'], 'human': ['4088']}
    """
    found: dict[str, set[str]] = {}
    for name in names:
        kind, voice = name.split(":", 1)
        if kind == "espeak":
            accent, variant = voice.split("+")
            found.setdefault("espeak accents", set()).add(accent)
            found.setdefault("espeak variants", set()).add(variant)
        elif kind == "kokoro":
            found.setdefault("kokoro styles", set()).update(style for style, _ in read_style(voice).shares)
        else:
            found.setdefault(kind, set()).add(voice)
    return {kind: sorted(found[kind]) for kind in sorted(found)}


def shard_rows(corpus: Path) -> dict[str, list[Utterance]]:
    """Return {source: utterances} of the training shards, without their sound."""
    found: dict[str, list[Utterance]] = {}
    for path in sorted((corpus / "train").glob("*.jsonl")):
        with open(path, encoding="utf-8") as lines:
            found.setdefault(source_of(path.stem), []).extend(Utterance(**json.loads(line)) for line in lines)
    return found


def speech_manifest(sources: dict[str, list[Utterance]], reserved: Reserved) -> dict[str, object]:
    """Return what the encoder is trained on, and what of it is reserved.

    That training speakers read a prompt which reserved speakers read too is how their corpus was made, and is counted
    apart: other voices, the same words.
    """
    described: dict[str, object] = {}
    prompted: list[dict[Text, int]] = []
    for source, rows in sources.items():
        shared = [reserved.texts.shared_with(row.text) for row in rows]
        if source.startswith(PROMPTED):
            prompted += [{t: n for t, n in one.items() if t[0].startswith(PROMPTED)} for one in shared]
            shared = [{t: n for t, n in one.items() if not t[0].startswith(PROMPTED)} for one in shared]
        hours = sum(row.samples for row in rows) / SAMPLE_RATE_HZ / 3600
        described[source] = {"hours": round(hours, 2), "utterances": len(rows), "overlaps": overlap(shared)}
    voices = voices_of({row.voice for rows in sources.values() for row in rows})
    said = {voice for kind, names in voices.items() if kind != "human" for voice in names}
    return {
        "sources": described,
        "voices": voices,
        "same_prompts": overlap(prompted),
        "reserved_voices_found": sorted(said & RESERVED),
        "reserved_speakers_found": sorted(reserved.speakers & set(voices.get("human", []))),
    }


def text_manifest(texts: Iterable[str], reserved: ReservedTexts) -> dict[str, object]:
    """Return how many passages a source of the adapter's texts has, and what of them is reserved."""
    shared = [reserved.shared_with(text) for text in texts]
    return {"passages": len(shared), "overlaps": overlap(shared)}


def main(data: Path, corpus: Path, out: Path, samples: Path = SAMPLES / "passages.jsonl") -> None:
    """Write OUT; reserved voices and speakers found end the program with an error, after it is written."""
    reserved = read_reserved(data, samples)
    manifest = speech_manifest(shard_rows(corpus), reserved)
    manifest["adapter_texts"] = {
        source.__name__: text_manifest(source(data), reserved.texts) for source in TEXT_WEIGHTS
    }
    manifest["reserved_texts"] = dict(reserved.texts.counts)
    manifest["reserved_speakers"] = sorted(reserved.speakers)
    out.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    if manifest["reserved_voices_found"] or manifest["reserved_speakers_found"]:
        raise typer.BadParameter(f"reserved voices or speakers are in the training; see {out}.")


if __name__ == "__main__":
    typer.run(main)
