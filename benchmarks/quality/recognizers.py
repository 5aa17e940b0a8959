"""Which recognisers write the passages down, under which conditions, and the keys of the engines over them. Pure."""

from __future__ import annotations

from collections.abc import Collection

from benchmarks.quality.sets import CLEAN, CONDITIONS

BASELINE = "whisper-base"
"""The recogniser that the product comes with: its engines have the plain keys, ``asr`` and ``all``."""
EVERYWHERE = tuple(condition.name for condition in CONDITIONS)
HEARS: dict[str, tuple[str, ...]] = {
    BASELINE: (CLEAN, "babble-10", "telephone", "reverberation"),
    "whisper-tiny.en": (CLEAN,),
    "mini": EVERYWHERE,
    "pocketsphinx": (CLEAN,),
}
"""The conditions in which each recogniser hears every set; the slow ones hear few."""
SPOKEN_NAMES = {"pocketsphinx": "PocketSphinx"}


def hearing(condition: str, without: Collection[str] = ()) -> list[str]:
    """Return the recognisers that hear the sets under a condition, but for those that are left out.

    >>> hearing("clean", ["pocketsphinx"])
    ['whisper-base', 'whisper-tiny.en', 'mini']
    >>> hearing("white-0"), hearing("white-0", ["mini"])
    (['mini'], [])
    """
    return [name for name, conditions in HEARS.items() if condition in conditions and name not in without]


def key_of(engine: str, recognizer: str) -> str:
    """Return the key of an engine in the results; the same wherever its recogniser stands among the others.

    ``engine`` is its name in the product, which ends in the recogniser's name where another one comes before it.

    >>> key_of("asr", "whisper-base"), key_of("asr-whisper-base", "whisper-base")
    ('asr', 'asr')
    >>> key_of("asr", "mini"), key_of("asr-mini", "mini"), key_of("hybrid", "")
    ('asr-mini', 'asr-mini', 'hybrid')
    """
    name = engine.removesuffix(f"-{recognizer}")
    return f"{name}-{recognizer}" if recognizer in HEARS and recognizer != BASELINE else name


ASR_KEYS = {recognizer: key_of("asr", recognizer) for recognizer in HEARS}
"""The engine over each recogniser's transcripts."""
ASR, MINI_ASR = ASR_KEYS[BASELINE], ASR_KEYS["mini"]
ASR_TITLES = {key: f"asr ({SPOKEN_NAMES.get(name, name)})" for name, key in ASR_KEYS.items()}
"""What those engines are called in tables and pictures."""
FROM_SOUND = ("adapter", "phonetic", "hybrid")
"""The engines that search the sound alone."""
EVERYTHING = "all"
HEARD = (*ASR_KEYS.values(), *FROM_SOUND, EVERYTHING)
"""The keys of all engines that are measured but for the ceilings, in the order of the tables."""
