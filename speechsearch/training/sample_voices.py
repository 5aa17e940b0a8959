"""Say how each engine is asked to speak the samples; which voice speaks which is in `passages.jsonl`."""

import re
from pathlib import Path

ESPEAK_WORDS_PER_MINUTE = "168"
FLITE_STRETCH = {"rms": "0.92"}  # a slow reader
UNITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEENS = [
    "ten",
    "eleven",
    "twelve",
    *(f"{stem}teen" for stem in ("thir", "four", "fif", "six", "seven", "eigh", "nine")),
]
TENS = [f"{stem}ty" for stem in ("twen", "thir", "for", "fif", "six", "seven", "eigh", "nine")]
NUMBERS = UNITS + TEENS + [f"{ten} {unit}".removesuffix(" zero") for ten in TENS for unit in UNITS]


RESPELLED = {"Wojciechowski": "Voycheh-hoffski", "Kaichi": "Kye-eechee", "Watanabe": "Wahtah-nahbeh"}
"""Names that no synthesiser says as those who bear them do, and how they are written for it."""


def years_in_words(text: str) -> str:
    """Return the text with years spelled out, because espeak-ng reads 1874 as a count of things.

    >>> years_in_words("in 1874, 1901 and 2002, 1,300 men")
    'in eighteen seventy four, nineteen oh one and two thousand and two, 1,300 men'
    """

    def year(match: re.Match[str]) -> str:
        century, rest = divmod(int(match.group()), 100)
        if rest == 0:
            return "two thousand" if century == 20 else f"{NUMBERS[century]} hundred"
        if century == 20 and rest < 10:
            return f"two thousand and {NUMBERS[rest]}"
        return f"{NUMBERS[century]} {'oh ' if rest < 10 else ''}{NUMBERS[rest]}"

    return re.sub(r"(?<![\d,])(?:1[1-9]|20)\d\d(?![\d]|,\d)", year, text)


def speaking_command(voice: str, text_path: Path, wave_path: Path) -> list[str]:
    """Return the command that speaks a text file to a wave file. Raises ValueError for an unknown engine."""
    engine, _, name = voice.partition(":")
    if engine == "flite":
        stretch = ["--setf", f"duration_stretch={FLITE_STRETCH.get(name, '1.0')}"]
        return ["flite", "-voice", name, *stretch, "-f", str(text_path), "-o", str(wave_path)]
    if engine == "festival":
        return ["text2wave", "-eval", f"(voice_{name})", str(text_path), "-o", str(wave_path)]
    if engine == "espeak":
        return ["espeak-ng", "-v", name, "-s", ESPEAK_WORDS_PER_MINUTE, "-f", str(text_path), "-w", str(wave_path)]
    raise ValueError(f"No command speaks {voice!r}. Write flite:, festival: or espeak: and the voice's name.")
