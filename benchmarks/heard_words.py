"""Measure how often "heard at" is right: ``python -m benchmarks.heard_words speechsearch/assets/samples``.

FOLDER is an evaluation collection. A word is there when the passage's text has a word of the same stem; that its sounds
are in the middle of another word counts as an error. Every question is put to every passage, and to the five best.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from speechsearch.domain.values import PhonemeTrack, Query
from speechsearch.evaluation import read_collection
from speechsearch.evaluation.encoding import SOUND, encode_collection
from speechsearch.library.makers import Makers
from speechsearch.retrieval.calibration import read_calibrations
from speechsearch.retrieval.engine_cards import DEFAULT
from speechsearch.retrieval.evidence import Pattern, listen, patterns
from speechsearch.service.open import new_loader
from speechsearch.service.settings import Settings
from speechsearch.text.spoken import spoken_words
from speechsearch.text.words import stem

BEST = 5


class Count:
    """How many of the words that are there were heard, and of those that are not."""

    def __init__(self) -> None:
        self.present = self.heard = self.absent = self.invented = 0

    def add(self, is_there: bool, is_heard: bool) -> None:
        """Count one word in one passage."""
        self.present += is_there
        self.heard += is_there and is_heard
        self.absent += not is_there
        self.invented += is_heard and not is_there

    def row(self, name: str) -> str:
        """Return a row of a Markdown table."""
        recall = self.heard / max(1, self.present)
        precision = self.heard / max(1, self.heard + self.invented)
        alarms = self.invented / max(1, self.absent)
        return f"| {name} | {self.present} | {recall:.2f} | {precision:.2f} | {self.absent} | {alarms:.2%} |"


def kind(pattern: Pattern) -> str:
    """Return the row that a pattern is counted in."""
    sounds = len(pattern.symbols)
    return "pairs" if " " in pattern.text else f"{sounds} sounds" if sounds < 7 else "7 sounds and more"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    settings = Settings()
    loader = new_loader(settings)
    makers = Makers(loader.speech_encoder(settings.engines.encoder))
    text_encoder = loader.text_encoder(settings.engines.text_encoder)
    prepared = encode_collection(read_collection(parser.parse_args().folder), makers, text_encoder, has_gold=False)
    engine = prepared.engines(read_calibrations())[DEFAULT].retriever
    phonemes = prepared.made[SOUND].phonemes
    ids = list(phonemes)
    tracks = [
        PhonemeTrack(np.array(said, np.uint8), np.arange(len(said), dtype=np.float32)) for said in phonemes.values()
    ]
    texts = {passage.passage_id: passage.text for passage in prepared.collection.passages}
    said = {one: " ".join(["", *map(stem, spoken_words(text)), ""]) for one, text in texts.items()}
    counts: dict[tuple[bool, str], Count] = defaultdict(Count)
    for query in prepared.collection.queries:
        found = engine.retrieve(Query(query.text), BEST).passages
        best = {prepared.names[one.passage_id] for one in found}
        sought = patterns(query.text, makers.speech_encoder.pronounce)
        for pattern in sought:
            stems = " ".join(["", *map(stem, pattern.text.split()), ""])
            for one, heard in zip(ids, listen([pattern], tracks), strict=True):
                for is_best in {False, one in best}:
                    counts[is_best, kind(pattern)].add(stems in said[one], bool(heard))
    for is_best in (False, True):
        print(f"\n{'The five best passages' if is_best else 'All passages'} of {len(ids)}\n")
        print("| | present | recall | precision | absent | false alarms |\n|---|---|---|---|---|---|")
        for name in sorted({name for _, name in counts}):
            print(counts[is_best, name].row(name))


if __name__ == "__main__":
    main()
