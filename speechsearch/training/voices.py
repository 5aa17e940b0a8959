"""Speak a text with the free synthesisers of Debian, espeak-ng, flite and festival, and with Kokoro.

The voices in ``RESERVED_*`` belong to the evaluation and are refused here unless asked for by ``is_evaluation``, and so
is every blend that has Kokoro's reserved style in it.
"""

from __future__ import annotations

import random
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from speechsearch.training.kokoro_styles import RESERVED_KOKORO, draw_style, read_style

SAMPLE_RATE_HZ = 16_000
RESERVED_ESPEAK = ("klatt2", "f5", "m8", "belinda", "Mike", "steph2")
RESERVED_FLITE = ("awb",)
RESERVED_FESTIVAL = ("cmu_us_slt_arctic_hts", "ked_diphone")
RESERVED = frozenset(RESERVED_ESPEAK + RESERVED_FLITE + RESERVED_FESTIVAL + RESERVED_KOKORO)

ESPEAK_VARIANTS = (
    "Alex Alicia Andrea Andy Annie antonio aunty benjamin boris caleb david Denis Diogo ed edward edward2 Gene Gene2 "
    "gustave Henrique Hugo iven iven2 iven3 iven4 Jacky john kaukovalta Lee linda marcelo Marco Mario max michael "
    "michel miguel Mr Nguyen pablo paul pedro quincy RicishayMax rob robert steph steph3 Storm travis victor zac anika "
    "AnxiousAndy f1 f2 f3 f4 grandma grandpa klatt klatt3 klatt4 klatt5 klatt6 m1 m2 m3 m4 m5 m6 m7 norbert sandro "
    "shelby adam croak"
).split()
ESPEAK_ACCENTS = (
    "en-us",
    "en-us",
    "en-us",
    "en-us",
    "en-us-nyc",
    "en-gb",
    "en-gb-x-rp",
    "en-gb-scotland",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-029",
)
FLITE_WEIGHTS = {"slt": 5, "rms": 5, "kal16": 2, "kal": 1}


@dataclass(frozen=True, slots=True)
class Voice:
    """One way to speak: a synthesiser, its voice and its options."""

    synthesiser: str
    name: str
    options: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        return f"{self.synthesiser}:{self.name}"

    @property
    def is_reserved(self) -> bool:
        """Whether it is kept for evaluation; an espeak accent does not matter, its variant does.

        >>> Voice("espeak", "en-gb+f5").is_reserved, Voice("flite", "rms").is_reserved
        (True, False)
        >>> Voice("kokoro", "blend:jf_alpha+jf_tebukuro:0.1").is_reserved, Voice("kokoro", "jm_kumo").is_reserved
        (True, False)
        """
        if self.synthesiser == "kokoro":
            return read_style(self.name).is_reserved
        return self.name.split("+")[-1] in RESERVED


def named(voice: str) -> Voice:
    """Return the voice that a name like "flite:awb" means, without options."""
    synthesiser, _, name = voice.partition(":")
    return Voice(synthesiser, name)


def draw_voice(synthesiser: str, rng: random.Random) -> Voice:
    """Return a random training voice of a synthesiser ("espeak", "flite", "kokoro" or "festival")."""
    if synthesiser == "espeak":
        name = f"{rng.choice(ESPEAK_ACCENTS)}+{rng.choice(ESPEAK_VARIANTS)}"
        return Voice("espeak", name, ("-s", str(rng.randint(130, 210)), "-p", str(rng.randint(20, 80))))
    if synthesiser == "flite":
        name = rng.choices(list(FLITE_WEIGHTS), list(FLITE_WEIGHTS.values()))[0]
        options: tuple[str, ...] = ("--setf", f"duration_stretch={rng.uniform(0.8, 1.3):.2f}")
        if name.startswith("kal"):
            options += ("--setf", f"int_f0_target_mean={rng.randint(80, 200)}")
        return Voice("flite", name, options)
    if synthesiser == "kokoro":
        return Voice("kokoro", draw_style(rng))
    return Voice("festival", "kal_diphone")


def reserved_voices() -> list[Voice]:
    """Return the evaluation voices: six espeak variants, flite awb, two of festival, three of Kokoro."""
    espeak = [Voice("espeak", f"en-us+{name}") for name in RESERVED_ESPEAK]
    return (
        espeak
        + [Voice("flite", name) for name in RESERVED_FLITE]
        + [Voice("festival", name) for name in RESERVED_FESTIVAL]
        + [Voice("kokoro", name) for name in RESERVED_KOKORO]
    )


def speak(text: str, voice: Voice, *, is_evaluation: bool = False) -> NDArray[np.int16]:
    """Return the text spoken at 16 kHz, (samples,) int16.

    Raises:
        ValueError: a reserved voice was asked for outside evaluation.
        subprocess.CalledProcessError: the synthesiser failed.
    """
    if not is_evaluation and voice.is_reserved:
        raise ValueError(f"voice {voice} is reserved for evaluation; draw_voice() never returns it")
    if voice.synthesiser == "kokoro":
        from speechsearch.training.kokoro import kokoro  # its packages are needed by those who ask for it only

        spoken: NDArray[np.int16] = (kokoro().speak(text, voice.name) * 32767).astype(np.int16)
        return spoken
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        text = text.lstrip("-")
        if voice.synthesiser == "espeak":
            command = ["espeak-ng", "-v", voice.name, *voice.options, "-w", str(path), "--stdin"]
        elif voice.synthesiser == "flite":
            command = ["flite", "-voice", voice.name, *voice.options, "-f", "/dev/stdin", "-o", str(path)]
        else:
            command = ["text2wave", "-eval", f"(voice_{voice.name})", "-o", str(path)]
        subprocess.run(command, input=text.encode("ascii", "ignore"), check=True, capture_output=True, timeout=120)
        samples, rate_hz = soundfile.read(path, dtype="float32")
    if rate_hz != SAMPLE_RATE_HZ:
        samples = soxr.resample(samples, rate_hz, SAMPLE_RATE_HZ)
    result: NDArray[np.int16] = (samples.clip(-1, 1) * 32767).astype(np.int16)
    return result
