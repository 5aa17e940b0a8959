"""Training texts from the data folder, the reserved ones left out."""

from __future__ import annotations

import csv
import gzip
import json
import lzma
import re
from collections.abc import Iterator
from pathlib import Path

SENTENCE_END = re.compile(r"(?<=[.!?])[\"']?\s+(?=[\"'A-Z])")
LJ_HELD_OUT_SHARE = 0.17


def held_out_lj_ids(data: Path) -> frozenset[str]:
    """Return the ids of the last 17 % of the LJ clips (file order), which are reserved for evaluation."""
    ids = [line.split("\t")[0] for line in open(data / "speech/ljspeech_385/transcripts.tsv", encoding="utf-8")]
    return frozenset(ids[len(ids) - round(len(ids) * LJ_HELD_OUT_SHARE) :])


def fairytales(data: Path) -> Iterator[str]:
    """Yield the sections of FairytaleQA's training part."""
    with gzip.open(data / "qa/fairytaleqa_sections.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["split"] == "train":
                yield row["text"].replace("\n", " ")


def novels(data: Path) -> Iterator[str]:
    """Yield paragraphs of at least 20 words."""
    with lzma.open(data / "text/novels_to1928_paragraphs.txt.xz", "rt", encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith("#") and line.count(" ") >= 20:
                yield line.strip().replace("_", "")


def read_sentences(data: Path) -> Iterator[str]:
    """Yield the sentences of LibriTTS and LJ Speech, without those that the reserved recordings speak."""
    with gzip.open(data / "text/libritts_train_clean_100_text.tsv.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            name, text = line.rstrip("\n").split("\t")
            if not name.startswith("8226_"):  # the reserved LibriSpeech reader
                yield text
    reserved = held_out_lj_ids(data)
    with gzip.open(data / "text/ljspeech_metadata_full.csv.gz", "rt", encoding="utf-8") as lines:
        for row in csv.reader(lines, delimiter="|", quoting=csv.QUOTE_NONE):
            if row[0] not in reserved:
                yield row[-1]


def encyclopedia(data: Path) -> Iterator[str]:
    """Yield long Wikipedia sentences."""
    with gzip.open(data / "text/wiki_split_tune_val_test.sentences.txt.gz", "rt", encoding="utf-8") as lines:
        yield from (line.replace("''", "").replace(" ,", ",").replace(" .", ".").strip() for line in lines)


def dialogues(data: Path) -> Iterator[str]:
    """Yield dialogue turns of at least six words."""
    with gzip.open(data / "text/sgd_dialogues.txt.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith("#") and line.count(" ") >= 5:
                yield line.rstrip("\n").split("\t", 1)[-1]


def split_sentences(paragraph: str) -> list[str]:
    """Return a paragraph's sentences.

    >>> split_sentences("It rained. We left! Why?")
    ['It rained.', 'We left!', 'Why?']
    """
    return [sentence for sentence in SENTENCE_END.split(paragraph) if sentence]
