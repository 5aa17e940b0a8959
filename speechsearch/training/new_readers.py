"""Recipe: give 250 LibriSpeech readers without transcripts phoneme labels that can be trusted, or leave them out.

``python -m speechsearch.training.new_readers DATA OUT_SHARD --encoder STATE`` (``--tiny`` ends in a minute).

What the encoder hears is looked for in books; where it is found, the book's words are the label. Elsewhere the words of
PocketSphinx are, between pauses where they agree with the encoder. Finding a noisy phoneme string by shared n-grams and
a semi-global alignment is Sellers, 1980 ("The theory and computation of evolutionary distances").
"""

from __future__ import annotations

import gzip
import itertools
import lzma
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pocketsphinx
import soundfile
import torch
import typer
from numpy.typing import NDArray

from speechsearch.domain.values import Word
from speechsearch.models.mini.acoustic import AcousticConfig, AcousticEncoder
from speechsearch.models.mini.adapter import spikes
from speechsearch.models.mini.frontend import LogMel
from speechsearch.models.mini.heard import FRAME_S
from speechsearch.models.pocketsphinx import MOST_ACTIVE_HMMS
from speechsearch.text.lexicon import Lexicon, Pronunciation
from speechsearch.text.spoken import spoken_words
from speechsearch.training.checkpoint import load_state
from speechsearch.training.corpus import ShardWriter
from speechsearch.training.speech_corpus import RESERVED_READER, flite_letter_to_sound, label, to_mono
from speechsearch.training.texts import fairytales
from speechsearch.training.train_encoder import SAMPLE_RATE_HZ, edit_distance, padded

READERS = Path("speech/librispeech_train_clean_251_untranscribed")
TRANSCRIBED = Path("speech/librispeech_train_clean_4spk")

NGRAM = 5
WINDOW = 256
MARGIN = 40
"""Phonemes: of an n-gram, of a window of a book (an utterance fits into two), and of text added at its ends."""
CANDIDATES = 3
MOST_DISTANCE = 0.40
EDGE = 20
MOST_EDGE_DISTANCE = 0.5
"""A book's words are believed when the encoder is so close to them, as a whole and in its first and last symbols."""
PAUSE_S = 0.15
FEWEST_AGREED = 12
MOST_DISAGREEMENT = 0.30
"""PocketSphinx is believed between two such pauses, over so many phonemes, when the encoder is so close to it."""
EDIT = 1 << 32
"""The cost of an edit where the lower bits of a cost carry the place in the text at which the alignment began."""

Symbols = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """An utterance: ``samples`` (n,) int16, the ``symbols`` (m,) int64 heard in it and when each ``starts_s`` (m,)."""

    name: str
    samples: NDArray[np.int16]
    symbols: Symbols
    starts_s: NDArray[np.float64]

    @property
    def speaker(self) -> str:
        """The reader's number."""
        return self.name.split("-")[0]


@dataclass(frozen=True, slots=True)
class Label:
    """Words said from ``start_s`` to ``end_s`` and how far the encoder is from them, in edits a symbol heard."""

    words: tuple[str, ...]
    distance: float
    start_s: float
    end_s: float


class Stretch(NamedTuple):
    """Words of a book and how many n-grams they share with a reading, weighted."""

    score: float
    title: str
    words: tuple[str, ...]


def numeral(roman: str) -> int:
    """Return the value of a Roman numeral.

    >>> numeral("XIV"), numeral("LXXXVIII")
    (14, 88)
    """
    values = ["IVXLCDM".index(letter) for letter in roman]
    worth = [10 ** (value // 2) * (5 if value % 2 else 1) for value in values]
    return sum(-a if a < b else a for a, b in itertools.zip_longest(worth, worth[1:], fillvalue=0))


def read_headings(text: str) -> str:
    """Return the text with Roman numbers of chapters as readers say them.

    >>> read_headings("CHAPTER IV. I was born.")
    'CHAPTER 4. I was born.'
    """
    return re.sub(r"\b(CHAPTER|Chapter|BOOK|Book) ([IVXL]+)\b", numbered, text)


def numbered(heading: re.Match[str]) -> str:
    """Return a heading such as "Book II" with the number in digits."""
    return f"{heading[1]} {numeral(heading[2])}"


def books(data: Path, tiny: bool) -> Iterator[tuple[str, list[str]]]:
    """Yield (title, paragraphs) of the chapters that LibriTTS reads, the training fairy tales and (not tiny) novels."""
    with gzip.open(data / "text/libritts_train_clean_100_text.tsv.gz", "rt", encoding="utf-8") as lines:
        rows = sorted(line.rstrip("\n").split("\t") for line in lines if not line.startswith(f"{RESERVED_READER}_"))
    for title, group in itertools.groupby(rows, lambda row: "-".join(row[0].split("_")[:2])):
        yield title, [text for _, text in group]
    yield "FairytaleQA", list(fairytales(data))
    if tiny:
        return
    with lzma.open(data / "text/novels_to1928_paragraphs.txt.xz", "rt", encoding="utf-8") as lines:
        paragraphs: list[str] = []
        title = ""
        for line in itertools.chain(lines, ["# end"]):
            if not line.startswith("# "):
                paragraphs.append(line.replace("_", ""))
                continue
            if paragraphs:
                yield title, paragraphs
            title, paragraphs = line[2:].strip(), []


def ngrams(symbols: Symbols) -> Symbols:
    """Return a number for each NGRAM symbols in a row, (symbols - NGRAM + 1,) int64, or none for a shorter text.

    >>> codes = ngrams(np.array([1, 2, 3, 4, 5, 9, 1, 2, 3, 4, 5]))
    >>> len(codes), bool(codes[0] == codes[-1]), len(ngrams(np.array([1, 2])))
    (7, True, 0)
    """
    if len(symbols) < NGRAM:
        return np.zeros(0, np.int64)
    views = np.lib.stride_tricks.sliding_window_view(symbols.astype(np.int64), NGRAM)
    return views @ (40 ** np.arange(NGRAM))


def last_costs(heard: Symbols, text: Symbols, first: Symbols) -> Symbols:
    """Return what it costs to have aligned all that was heard up to each place in the text, (text + 1,) int64.

    ``first``: (text + 1,) int64, the cost of beginning at each place; an edit costs EDIT.

    >>> (last_costs(np.array([5, 6]), np.array([4, 5, 9, 6]), np.zeros(5, np.int64)) // EDIT).tolist()
    [2, 2, 1, 1, 1]
    """
    ramp = np.arange(len(text) + 1) * EDIT
    row = np.minimum.accumulate(first - ramp) + ramp
    for symbol in heard:
        best = row + EDIT
        best[1:] = np.minimum(best[1:], row[:-1] + (text != symbol) * EDIT)
        row = np.minimum.accumulate(best - ramp) + ramp
    return row


def align_words(heard: Symbols, sounds: Sequence[Pronunciation]) -> tuple[int, int, int]:
    """Return (first word, word after the last, edits) of the whole words that come closest to what was heard.

    >>> align_words(np.array([3, 4, 5, 7]), [(1, 2), (3, 4), (5, 6, 7), (8,)])
    (1, 3, 1)
    """
    text = np.array([symbol for sound in sounds for symbol in sound], np.int64)
    bounds = np.cumsum([0, *map(len, sounds)])
    first = np.full(len(text) + 1, len(text) * EDIT)
    first[bounds[:-1]] = bounds[:-1]
    costs = last_costs(heard, text, first)[bounds[1:]]
    after = int(costs.argmin()) + 1
    begin = int(np.searchsorted(bounds, costs[after - 1] % EDIT, "right")) - 1
    return begin, after, int(costs[after - 1] // EDIT)


def edge_distance(heard: Symbols, said: Symbols) -> float:
    """Return how far the first EDGE symbols heard, or the last where those are worse, are from that end of the words.

    >>> edge_distance(np.arange(100), np.arange(100)), edge_distance(np.arange(100), np.arange(10, 100))
    (0.0, 0.5)
    """
    worst = 0
    for ours, theirs in ((heard[:EDGE], said[: 2 * EDGE]), (heard[::-1][:EDGE], said[::-1][: 2 * EDGE])):
        costs = last_costs(ours, theirs, np.arange(len(theirs) + 1) * EDIT)
        worst = max(worst, int(costs.min() // EDIT))
    return worst / max(1, min(EDGE, len(heard)))


@torch.inference_mode()
def hear(files: Sequence[Path], encoder: Path) -> list[Reading]:
    """Return what the encoder of a training state hears in each file (greedy CTC)."""
    model = AcousticEncoder(AcousticConfig())
    load_state(encoder, {"encoder": model})
    model.eval()
    log_mel = LogMel()
    readings = []
    for file in files:
        samples = to_mono(soundfile.read(file, dtype="int16")[0])
        batch, lengths = padded([samples.astype(np.float32) / 32768.0])
        with torch.autocast("cpu", torch.bfloat16):
            log_probs, counts = model(log_mel(batch, lengths), lengths // 160 + 1)
        posteriors, frames = spikes(log_probs[0, : counts[0]].float())
        readings.append(Reading(file.stem, samples, posteriors.argmax(-1).numpy(), frames.numpy() * FRAME_S))
    return readings


def candidates(readings: Sequence[Reading], library: Iterable[tuple[str, list[str]]]) -> list[list[Stretch]]:
    """Return the CANDIDATES stretches of books that share most n-grams with each reading, the best first.

    A book gives each reading one stretch. An n-gram counts by its rarity in the book. Words that the dictionary lacks
    are silent here: spelling out all of a library would take longer than the search.
    """
    lexicon = Lexicon(lambda word: ())
    wanted = [np.unique(ngrams(reading.symbols)) for reading in readings]
    known = np.unique(np.concatenate(wanted))
    has = np.zeros((len(readings), len(known)), bool)
    for row, codes in zip(has, wanted, strict=True):
        row[np.searchsorted(known, codes)] = True
    found: list[list[Stretch]] = [[] for _ in readings]
    for title, paragraphs in library:
        words = [word for paragraph in paragraphs for word in spoken_words(read_headings(paragraph))]
        sounds = [lexicon.pronounce(word) for word in words]
        bounds = np.cumsum([0, *map(len, sounds)])
        codes = ngrams(np.fromiter(itertools.chain.from_iterable(sounds), np.int64))
        places = np.minimum(np.searchsorted(known, codes), len(known) - 1)
        at = np.flatnonzero(known[places] == codes)
        places = places[at]
        counts = np.bincount(places, minlength=len(known))
        rarity = np.log(max(2, len(codes)) / np.maximum(1, counts))[places]
        for reading, row in enumerate(has):
            shared = row[places]
            scores = np.bincount(at[shared] // WINDOW, rarity[shared], bounds[-1] // WINDOW + 2)
            pairs = scores[:-1] + scores[1:]
            best = int(pairs.argmax())
            first = max(0, int(np.searchsorted(bounds, best * WINDOW - MARGIN, "right")) - 1)
            last = int(np.searchsorted(bounds, (best + 2) * WINDOW + MARGIN))
            stretch = Stretch(float(pairs[best]), title, tuple(words[first:last]))
            found[reading] = sorted([*found[reading], stretch], reverse=True)[:CANDIDATES]
    return found


def closest(reading: Reading, stretches: Sequence[Stretch], lexicon: Lexicon) -> tuple[Label, str, float] | None:
    """Return the words in the stretches closest to a reading, their book's title and their edge distance, if any."""
    best: tuple[Label, str, float] | None = None
    for _, title, words in stretches:
        sounds = [lexicon.pronounce(word) for word in words]
        if not any(sounds) or len(reading.symbols) < EDGE:
            continue
        first, after, edits = align_words(reading.symbols, sounds)
        distance = edits / len(reading.symbols)
        if first < after and (best is None or distance < best[0].distance):
            said = np.array([symbol for sound in sounds[first:after] for symbol in sound])
            duration_s = len(reading.samples) / SAMPLE_RATE_HZ
            found = Label(words[first:after], distance, 0.0, duration_s)
            best = found, title, edge_distance(reading.symbols, said)
    return best


def recognise(samples: NDArray[np.int16], decoder: pocketsphinx.Decoder) -> list[Word]:
    """Return the words of PocketSphinx with their times."""
    decoder.start_utt()
    decoder.process_raw(samples.tobytes(), no_search=False, full_utt=True)
    decoder.end_utt()
    return [
        Word(segment.word.split("(")[0], segment.start_frame / 100, (segment.end_frame + 1) / 100)
        for segment in decoder.seg() or []
        if not segment.word.startswith(("<", "["))
    ]


def between_pauses(words: Sequence[Word], pause_s: float) -> list[list[Word]]:
    """Return the words in groups that pauses part.

    >>> words = [Word("a", 0.0, 1.0), Word("b", 1.0, 2.0), Word("c", 2.5, 3.0)]
    >>> [[word.text for word in group] for group in between_pauses(words, 0.2)]
    [['a', 'b'], ['c']]
    """
    groups: list[list[Word]] = []
    for word in words:
        if groups and word.start_s - groups[-1][-1].end_s < pause_s:
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups


def agreed(reading: Reading, words: Sequence[Word], lexicon: Lexicon) -> list[Label]:
    """Return the parts of a reading, cut in pauses, where the recogniser's words agree with the encoder."""
    groups = between_pauses(words, PAUSE_S)
    inner = [(a[-1].end_s + b[0].start_s) / 2 for a, b in itertools.pairwise(groups)]
    cuts = [0.0, *inner, len(reading.samples) / SAMPLE_RATE_HZ]
    labels: list[Label] = []
    for group, start_s, end_s in zip(groups, cuts, cuts[1:], strict=False):
        inside = (reading.starts_s >= start_s) & (reading.starts_s < end_s)
        heard = reading.symbols[inside].tolist()
        texts = tuple(said for word in group for said in spoken_words(word.text))
        said = label(" ".join(texts), lexicon) or []
        distance = edit_distance(heard, said) / max(1, len(heard))
        if len(said) < FEWEST_AGREED or distance > MOST_DISAGREEMENT:
            continue
        labels.append(Label(texts, distance, start_s, end_s))
    return labels


def main(data: Path, out: Path, encoder: Path = typer.Option(...), tiny: bool = False) -> None:
    """Write OUT.pcm and OUT.jsonl; readers who are transcribed elsewhere only check the labels."""
    torch.set_num_threads(1)
    lines = (data / TRANSCRIBED / "transcripts.tsv").read_text(encoding="utf-8").splitlines()
    truth = {name: text for name, _, text in (line.split("\t") for line in lines)}
    transcribed = {name.split("-")[0] for name in truth}
    files = sorted((data / READERS / "audio").glob("*.ogg"))[: 6 if tiny else None]
    readings = hear([file for file in files if file.stem.split("-")[0] != RESERVED_READER], encoder)
    print(f"{len(readings)} utterances heard", flush=True)

    lexicon = Lexicon(flite_letter_to_sound)
    decoder = pocketsphinx.Decoder(samprate=SAMPLE_RATE_HZ, loglevel="FATAL", maxhmmpf=MOST_ACTIVE_HMMS)
    unfinished = out.parent / "unfinished" / out.name
    writer = ShardWriter(unfinished)
    seconds = {"text": 0.0, "agreement": 0.0}
    distances: dict[str, list[float]] = {"text": [], "agreement": []}
    for reading, stretches in zip(readings, candidates(readings, books(data, tiny)), strict=True):
        found = closest(reading, stretches, lexicon)
        if found and found[0].distance <= MOST_DISTANCE and found[2] <= MOST_EDGE_DISTANCE:
            way, labels = "text", [found[0]]
        else:
            way, labels = "agreement", agreed(reading, recognise(reading.samples, decoder), lexicon)
        if reading.speaker in transcribed:
            print(f"{reading.name} {way} {[' '.join(one.words) for one in labels]}, said: {truth[reading.name]}")
            continue
        for one in labels:
            samples = reading.samples[round(one.start_s * SAMPLE_RATE_HZ) : round(one.end_s * SAMPLE_RATE_HZ)]
            text = " ".join(one.words)
            symbols = label(text, lexicon)
            if symbols:
                writer.add(samples, symbols, text, f"human:{reading.speaker}")
                seconds[way] += len(samples) / SAMPLE_RATE_HZ
                distances[way].append(one.distance)
    writer.close()
    for suffix in (".jsonl", ".pcm"):  # the sound last: a shard is there when its sound is
        unfinished.with_suffix(suffix).replace(out.with_suffix(suffix))
    unfinished.parent.rmdir()
    for way, values in distances.items():
        print(
            f"{way}: {len(values)} utterances, {seconds[way] / 60:.1f} min, distance to what was heard: median "
            f"{100 * float(np.median(values or [0])):.1f} %, most {100 * max(values, default=0):.1f} %"
        )


if __name__ == "__main__":
    typer.run(main)
