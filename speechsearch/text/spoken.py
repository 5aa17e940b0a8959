"""Text as it is said: lower case, numbers and abbreviations written out, accents and punctuation dropped."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from num2words import num2words

ABBREVIATIONS = {
    "mr": "mister",
    "mrs": "missus",
    "dr": "doctor",
    "prof": "professor",
    "vs": "versus",
    "etc": "etcetera",
    "jr": "junior",
    "sr": "senior",
    "ft": "feet",
    "km": "kilometres",
    "kg": "kilograms",
}
SYMBOLS = {"%": " percent ", "&": " and ", "$": " dollars ", "£": " pounds ", "€": " euros ", "°": " degrees "}
NUMBER = re.compile(r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?(?:st|nd|rd|th)?")
LONGEST_NUMBER = 15
"""A longer one is read digit by digit."""
WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")


def number_words(written: str) -> str:
    """Return a number as it is said; four digits from 1100 to 1999 and 2010 to 2099 are read as a year.

    >>> number_words("1874"), number_words("12,000"), number_words("3rd")
    ('eighteen seventy-four', 'twelve thousand', 'third')
    """
    digits = written.replace(",", "")
    if len(digits) > LONGEST_NUMBER:
        return " ".join(num2words(int(digit)) for digit in digits if digit.isdigit())
    if digits[-1].isalpha():
        return str(num2words(int(float(digits[:-2])), to="ordinal"))
    if "." in digits:
        return str(num2words(float(digits)))
    value = int(digits)
    is_year = len(written) == 4 and (1100 <= value < 2000 or 2010 <= value < 2100)
    return str(num2words(value, to="year" if is_year else "cardinal")).replace(",", "")


@lru_cache(maxsize=8192)
def spoken_words(text: str) -> tuple[str, ...]:
    """Return the words of a text as they are said: lower case, numbers written out, accents and punctuation dropped.

    >>> spoken_words("Dr. Łukasz's well-known 3 bridges, 1874!")
    ('doctor', "lukasz's", 'well', 'known', 'three', 'bridges', 'eighteen', 'seventy', 'four')
    """
    text = text.replace("’", "'").replace("Ł", "L").replace("ł", "l").replace("ø", "o").replace("ß", "ss")
    for symbol, said in SYMBOLS.items():
        text = text.replace(symbol, said)
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    text = NUMBER.sub(lambda match: f" {number_words(match.group())} ", text)
    return tuple(ABBREVIATIONS.get(word, word) for word in WORD.findall(text))
