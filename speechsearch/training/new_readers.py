"""Recipe: label readers without transcripts by what Whisper writes down, where the speech encoder heard the same.

``python -m speechsearch.training.new_readers DATA runs/corpus/train/readers`` writes a shard of the corpus. Readers who
are reserved, or transcribed elsewhere, are left out.

Source: Xu et al., 2021 (arXiv 2010.11430), self-training on labels of another recogniser; Huang et al., 2014, agreement
of two different systems as the filter.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import typer

from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from speechsearch.models.base import Recognizer, SpeechEncoder
from speechsearch.service.open import new_loader
from speechsearch.service.settings import read_settings
from speechsearch.text.keywords import heard_symbols
from speechsearch.text.lexicon import Lexicon
from speechsearch.training.corpus import ShardWriter
from speechsearch.training.speech_corpus import RESERVED_READER, flite_letter_to_sound, label, to_mono
from speechsearch.training.train_encoder import edit_distance

READERS = Path("speech/librispeech_train_clean_251_untranscribed/audio")
TRANSCRIBED = Path("speech/librispeech_train_clean_4spk/audio")
RECOGNIZER = "whisper-base"
MOST_DIFFERENT = 0.2
"""Phoneme error rate between what was written down and what was heard; worse ones are left out."""


def difference(symbols: list[int], sound: Audio, encoder: SpeechEncoder) -> float:
    """Return the phoneme error rate of what an encoder hears in a sound against what is said to be in it."""
    track = encoder.encode_passages([sound])[0].track
    heard = heard_symbols(track) if track else []
    return edit_distance(heard, symbols) / max(1, len(symbols))


def labelled(sound: Audio, recognizer: Recognizer, encoder: SpeechEncoder, lexicon: Lexicon) -> tuple[list[int], str]:
    """Return (symbols, text) of a reader's sound; no symbols where the two do not agree."""
    (said,) = recognizer.transcribe([sound], "en")
    symbols = label(said.text, lexicon) or []
    if not symbols or difference(symbols, sound, encoder) > MOST_DIFFERENT:
        return [], said.text
    return symbols, said.text


def speakers(folder: Path) -> set[str]:
    """Return who speaks the files of a folder, whose names begin with the speaker's number."""
    return {path.stem.split("-")[0] for path in folder.iterdir()}


def main(data: Path, out: Path, limit: int = 1000) -> None:
    """Write OUT.pcm and OUT.jsonl."""
    loader = new_loader(read_settings())
    recognizer, encoder = loader.recognizer(RECOGNIZER), loader.speech_encoder("mini")
    lexicon, writer = Lexicon(flite_letter_to_sound), ShardWriter(out)
    known = speakers(data / TRANSCRIBED) | {RESERVED_READER}
    files = [path for path in sorted((data / READERS).iterdir()) if path.stem.split("-")[0] not in known][:limit]
    for path in files:
        samples = to_mono(soundfile.read(path, dtype="int16")[0])
        symbols, text = labelled(Audio(samples.astype(np.float32) / np.float32(32768)), recognizer, encoder, lexicon)
        if symbols:
            writer.add(samples, symbols, text, f"human:{path.stem.split('-')[0]}")
    writer.close()
    print(f"{writer.offset / SAMPLE_RATE_HZ / 60:.1f} minutes of {len(files)} readers")


if __name__ == "__main__":
    typer.run(main)
