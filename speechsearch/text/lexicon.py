"""Turn words into phonemes: look them up in CMUdict, spell out the rest.

Source: the CMU Pronouncing Dictionary (BSD licence), as the pocketsphinx package carries it (its code is not used);
39 phonemes, no stress.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache

from speechsearch.domain.packages import packaged_file
from speechsearch.text.spoken import WORD, spoken_words

CMUDICT = "pocketsphinx/model/en-us/cmudict-en-us.dict"
LONGEST_ACRONYM = 4
BLANK = 0
PHONEMES = tuple(
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH".split()
)
"""The phonemes in the order of the encoder's symbols; symbol 0 is the CTC blank, so PHONEMES[i] is symbol i + 1."""
SYMBOL_OF = {phoneme: index + 1 for index, phoneme in enumerate(PHONEMES)}

LONGEST_WORD = 60
"""So many letters of an unknown word are pronounced: no word is longer, and the time grows with each."""

Pronunciation = tuple[int, ...]


@cache
def dictionary() -> dict[str, tuple[Pronunciation, ...]]:
    """Return CMUdict's pronunciations of every word, as encoder symbols (about 125,000 words).

    Raises:
        MissingDependencyError: the package that carries it is not installed.
    """
    path = packaged_file("pocketsphinx", CMUDICT, "python -m pip install pocketsphinx")
    entries: dict[str, tuple[Pronunciation, ...]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        word, *phonemes = line.split()
        word = word.partition("(")[0]  # word(2) is another way to say it
        if WORD.fullmatch(word):
            entries[word] = (*entries.get(word, ()), tuple(SYMBOL_OF[phoneme] for phoneme in phonemes))
    return entries


class Lexicon:
    """Pronounces any word: CMUdict first, a letter-to-sound rule for the rest."""

    def __init__(self, letter_to_sound: Callable[[str], Sequence[Pronunciation]]) -> None:
        """``letter_to_sound`` says a lower-case word of letters that the dictionary lacks, the likeliest way first."""
        self.entries = dictionary()
        self.letter_to_sound = lru_cache(maxsize=65536)(letter_to_sound)

    def pronounce(self, word: str) -> Pronunciation:
        """Return the likeliest symbols of one word as ``spoken_words`` gives it."""
        found = self.pronunciations(word)
        return found[0] if found else ()

    def pronunciations(self, word: str) -> tuple[Pronunciation, ...]:
        """Return how a word may be said, the likeliest way first; a short unknown one also letter by letter."""
        known = self.entries.get(word)
        if known is not None:
            return known
        if word.endswith("'s"):
            return tuple(stem + possessive(stem) for stem in self.pronunciations(word[:-2]))
        letters = word.replace("'", "")[:LONGEST_WORD]
        guesses = tuple(self.letter_to_sound(letters))
        spelt: Pronunciation = ()
        if len(letters) <= LONGEST_ACRONYM:
            spelt = tuple(symbol for letter in letters for symbol in self.entries[letter][-1])
        return tuple(dict.fromkeys(one for one in (*guesses, spelt) if one))

    def pronounce_text(self, text: str) -> list[Pronunciation]:
        """Return the symbols of each word of a text."""
        return [self.pronounce(word) for word in spoken_words(text)]


def possessive(stem: Pronunciation) -> Pronunciation:
    """Return how 's is said after a stem: IH Z after a sibilant, S after a voiceless consonant, else Z."""
    last = PHONEMES[stem[-1] - 1] if stem else ""
    if last in {"S", "Z", "SH", "ZH", "CH", "JH"}:
        return (SYMBOL_OF["IH"], SYMBOL_OF["Z"])
    return (SYMBOL_OF["S" if last in {"P", "T", "K", "F", "TH"} else "Z"],)
