"""Turn English text into the phonemes that Kokoro reads, by way of espeak-ng's IPA."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable

TIE = "^"
ABBREVIATIONS = {"Dr.": "Doctor", "Mr.": "Mister", "Mrs.": "Missus", "St.": "Saint"}
SYMBOLS = {
    "ʔˌn\u0329": "tᵊn", "ʔn\u0329": "tᵊn", "ʔn": "tᵊn", "a^ɪ": "I", "a^ʊ": "W", "d^ʒ": "ʤ", "e^ɪ": "A", "t^ʃ": "ʧ",
    "ɔ^ɪ": "Y", "ə^l": "ᵊl", "o^ʊ": "O", "ə^ʊ": "Q", "e^ə": "ɛɹ", "ʔ": "t", "ɚ": "əɹ", "ɬ": "l", "x": "k", "ç": "k",
    "ɐ": "ə", "r": "ɹ", "ɡ\u0303": "ɡ", "\u0303": "",
}  # fmt: skip
AMERICAN = {"ɜːɹ": "ɜɹ", "ɜː": "ɜɹ", "ɪə": "iə", "ɾ": "T", "o": "ɔ", "e": "A"}
BRITISH = {"iə": "ɪə", "e": "ɛ", "o": "ɔ"}
SENTENCE_TOKENS = 110
"""A piece ends with its sentence once it has so many: a short one alone sounds hurried."""
MOST_TOKENS = 380


def to_symbols(ipa: str, accent: str) -> str:
    """Return espeak-ng's IPA with ties in Kokoro's symbols; diphthongs are capitals, length marks are dropped.

    >>> to_symbols("ðə d^ʒˈʌd^ʒ mˌe^ɪd ɡɹˈe^ɪt t^ʃˈɔ^ɪsᵻz fɔːɹ bˈʌʔn\u0329", "us")
    'ðə ʤˈʌʤ mˌAd ɡɹˈAt ʧˈYsᵻz fɔɹ bˈʌtᵊn'
    """
    ipa = re.sub(r"\([a-z-]+\)", "", ipa)  # espeak-ng's notes on a change of language
    for written, symbol in (SYMBOLS | (AMERICAN if accent == "us" else BRITISH)).items():
        ipa = ipa.replace(written, symbol)
    ipa = re.sub(r"(\S)\u0329", r"ᵊ\1", ipa)
    return ipa.replace("ː", "").replace(TIE, "")


def clauses(text: str) -> list[tuple[str, str]]:
    """Return (words, the mark after them) of the text's clauses.

    >>> clauses('Dr. Ma paid 1,300 (in all); "why?" he asked.')
    [('Doctor Ma paid 1,300', ','), ('in all', ';'), ('why', '?'), ('he asked', '.')]
    """
    for short, whole in ABBREVIATIONS.items():
        text = text.replace(short, whole)
    text = re.sub(r"\s*[()]+\s*(?=[,.;:!?])|[\"“”]", "", text)
    text = re.sub(r"\s*[()—]+\s*|\s+-+\s+", ", ", text)
    parts = re.split(r"([.,;:!?…]+)(?=\s|$)", text)
    marks = [*parts[1::2], "."]
    return [(words.strip(), mark[0]) for words, mark in zip(parts[::2], marks, strict=False) if words.strip()]


def pieces(spoken: Iterable[tuple[str, str]]) -> list[str]:
    """Return the clauses' phonemes joined to pieces of a sentence or more; one that gets too long ends at a clause.

    >>> [len(piece) for piece in pieces([("a" * 60, "."), ("b" * 60, "."), ("c" * 300, ","), ("d" * 200, ".")])]
    [123, 301, 201]
    """
    found, current = [], ""
    for phonemes, mark in spoken:
        if current and len(current) + len(phonemes) > MOST_TOKENS:
            found.append(current.strip())
            current = ""
        current += f"{phonemes}{mark} "
        if mark in ".!?" and len(current) >= SENTENCE_TOKENS:
            found.append(current.strip())
            current = ""
    return [*found, current.strip()] if current else found


def phonemes_of(text: str, espeak_voice: str, accent: str) -> list[str]:
    """Return the pieces of a text in Kokoro's symbols, each short enough to be spoken at once."""
    spoken = []
    for words, mark in clauses(text):
        command = ["espeak-ng", "-q", "--ipa", f"--tie={TIE}", "-v", espeak_voice, "--stdin"]
        said = subprocess.run(command, input=words.encode(), check=True, capture_output=True, timeout=60).stdout
        phonemes = to_symbols(" ".join(said.decode().split()), accent)
        spoken += [(phonemes[at : at + MOST_TOKENS], mark) for at in range(0, len(phonemes), MOST_TOKENS)]
    return pieces(spoken)
