"""The names of months and weekdays in the languages of Europe, from the Unicode consortium's tables (CLDR)."""

from __future__ import annotations

import unicodedata
from functools import cache

LOCALES = (
    "de", "fr", "es", "it", "pt", "nl", "sv", "da", "nb", "fi", "pl", "cs", "sk", "hu", "ro", "sl", "et", "lv", "lt",
    "tr", "el", "ru", "uk", "bg",
)  # fmt: skip
"""Names of months are known in these besides English; one that means different months in two of them is not."""


def folded(word: str) -> str:
    """Return a word without case and accents.

    >>> folded("Février")
    'fevrier'
    """
    return "".join(sign for sign in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(sign))


@cache
def english_months() -> dict[int, str]:
    """Return the names by number."""
    from babel import Locale

    return dict(Locale("en").months["format"]["wide"])


@cache
def months() -> dict[str, int]:
    """Return the number of each name of a month, English first."""
    english = {**_named("months", ("en",)), "sept": {9}}
    others = {word: numbers for word, numbers in _named("months", LOCALES).items() if word not in english}
    return {word: numbers.pop() for word, numbers in (others | english).items() if len(numbers) == 1}


@cache
def weekdays() -> frozenset[str]:
    """Return the names of the days of the week."""
    return frozenset(_named("days", ("en", *LOCALES)))


def _named(what: str, locales: tuple[str, ...]) -> dict[str, set[int]]:
    """Return the names of months or days, short and long, and which they are."""
    from babel import Locale

    found: dict[str, set[int]] = {}
    for locale in locales:
        names = getattr(Locale(locale), what)
        for context in ("format", "stand-alone"):
            for width in ("wide", "abbreviated"):
                for number, name in names[context][width].items():
                    found.setdefault(folded(name.strip(".")), set()).add(int(number))
    return found
