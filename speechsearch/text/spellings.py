"""One form for what is written in several ways: 1984 and nineteen eighty-four, NASA and N A S A, 3rd and third.

Numbers become digits, and words are compared joined together, so that "19 84" is 1984, "N A S A" NASA and "web site"
website; how a text may be said is the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product

from num2words import num2words

from speechsearch.text.spoken import SYMBOLS, number_words, spoken_words
from speechsearch.text.words import STOP_WORDS

PIECE = re.compile(r"[%&$£€°]|\w+(?:[.,'’]\w+)*")
CURRENCY = re.compile(r"([$£€])(\d[\d,.]*\d|\d)")
DIGITS = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?(?:st|nd|rd|th|s)?")
SPELT = r"\b(?:[A-Za-z]\.){2,5}|\b[A-Za-z](?:[ -][A-Za-z]){1,4}\b"
"""An acronym written letter by letter."""
CAPITALS = r"\b[A-Z]{2,5}\b"
MOST_READINGS, MOST_SEVERAL = 8, 12

TENS = (*range(20), *range(20, 100, 10))
UNITS = {str(num2words(number)): number for number in TENS}
SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
ORDINALS = {str(num2words(number, to="ordinal")): number for number in TENS}
DECADES = {f"{str(num2words(number))[:-1]}ies": number for number in range(20, 100, 10)}


@dataclass(frozen=True, slots=True)
class Key:
    """A word or number in the form in which it is compared, and where it stands in the text, in characters."""

    text: str
    start: int
    end: int


@lru_cache(maxsize=4096)
def keys(text: str) -> tuple[Key, ...]:
    """Return the words of a text in the form in which they are compared; numbers are digits.

    >>> [key.text for key in keys("In nineteen eighty-four, NASA's 3rd bridge cost $5")]
    ['in', '19', '84', 'nasa', '3rd', 'bridge', 'cost', '5', 'dollars']
    >>> [key.text for key in keys("two thousand and five; the eighties; the twenty-first")]
    ['2005', 'the', '80s', 'the', '21st']
    >>> places("3.5", "three point five"), places("the point", "the point")
    ([(0, 16)], [(0, 9)])
    """
    found = list(_with_digits(list(_words(text))))
    for before, point, after in zip(found, found[1:], found[2:], strict=False):
        if point.text == "point" and before.text[-1].isdigit() and after.text[0].isdigit():
            found[found.index(point)] = Key(".", point.start, point.end)
    return tuple(found)


def places(phrase: str, text: str) -> list[tuple[int, int]]:
    """Return where a text has a phrase, word by word, as (start, end) of characters.

    >>> places("model bridge", "The model, bridge and Model-bridges."), places("1984", "nineteen eighty-four")
    ([(4, 17)], [(0, 20)])
    >>> places("N A S A", "NASA flew"), places("art", "a party")
    ([(0, 4)], [])
    """
    sought = "".join(key.text for key in keys(phrase))
    found = []
    written = keys(text) if sought else ()
    for first, start in enumerate(written):
        joined = ""
        for end in written[first:]:
            joined += end.text
            if joined == sought:
                found.append((start.start, end.end))
            if not sought.startswith(joined):
                break
    return found


@lru_cache(maxsize=1024)
def readings(text: str) -> tuple[tuple[str, ...], ...]:
    """Return how a text may be said, word by word, the usual way first: numbers and acronyms have several.

    >>> [" ".join(words) for words in readings("in 1905")][:3]
    ['in nineteen oh five', 'in one thousand nine hundred and five', 'in one thousand nine hundred five']
    >>> [" ".join(words) for words in readings("NASA")], [" ".join(words) for words in readings("N A S A")]
    (['nasa', 'n a s a'], ['n a s a', 'nasa'])
    """
    text = CURRENCY.sub(lambda found: f"{found[2]}{SYMBOLS[found[1]]}", text)
    parts: list[list[str]] = []
    position = 0
    for found in _several(text):
        parts += [[text[position : found.start()]], list(_ways(found.group()))]
        position = found.end()
    parts.append([text[position:]])
    said = (spoken_words(" ".join(chosen)) for chosen in islice(product(*parts), 4 * MOST_READINGS))
    return tuple(dict.fromkeys(said))[:MOST_READINGS]


def several_ways(text: str) -> list[tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]]:
    """Return the first numbers and acronyms of a text that can be said in several ways: (words, other readings).

    >>> several_ways("the budget of NASA")
    [(('nasa',), (('n', 'a', 's', 'a'),))]
    """
    found = (readings(match.group()) for match in _several(text))
    return list(islice(((one[0], one[1:]) for one in found if len(one) > 1), MOST_SEVERAL))


def other_spellings(text: str) -> list[str]:
    """Return the acronyms of a text as they may be written otherwise.

    >>> other_spellings("NASA in 1984"), other_spellings("the F.B.I."), other_spellings("who built it")
    (['n a s a'], ['fbi'], [])
    """
    found = [one.group() for one in _several(text) if not one.group()[0].isdigit()]
    return [" ".join(words) for one in found for words in readings(one)[1:]]


def _several(text: str) -> list[re.Match[str]]:
    """Return what of a text may be said in several ways; where all is in capitals, they are no acronyms."""
    is_shouted = text.isupper() and len(text.split()) > 2
    pattern = "|".join((DIGITS.pattern, SPELT, *(() if is_shouted else (CAPITALS,))))
    return [one for one in re.finditer(pattern, text) if one.group().lower() not in STOP_WORDS]


def _ways(written: str) -> Iterator[str]:
    """Yield the ways to say a number or an acronym, the usual one first."""
    if not written[0].isdigit():
        letters = re.sub(r"[^A-Za-z]", "", written).lower()
        is_spelt = len(letters) < len(written)
        spelt = " ".join(letters)
        yield from (spelt, letters) if is_spelt else (letters, spelt)
        return
    yield number_words(written) if written[-1] != "s" else decade(written[:-1])
    digits = written.replace(",", "")
    if not digits.isdigit() or len(digits) > 9:
        return
    cardinal = str(num2words(int(digits))).replace(",", "")
    yield cardinal
    yield cardinal.replace(" and ", " ")
    if 3 <= len(digits) <= 4 and digits[0] != "0":
        before, after = int(digits[:-2]), digits[-2:]
        rest = "hundred" if after == "00" else f"{'oh ' * (after[0] == '0')}{num2words(int(after))}"
        yield f"{num2words(before)} {rest}"
    if len(digits) > 1:
        yield " ".join("oh" if digit == "0" else str(num2words(int(digit))) for digit in digits)


def decade(digits: str) -> str:
    """Return a decade as it is said.

    >>> decade("1980"), decade("90"), decade("747")
    ('nineteen eighties', 'nineties', 'seven hundred and forty-sevens')
    """
    said = number_words(digits)
    return f"{said[:-1]}ies" if said.endswith("y") else f"{said}s"


def _words(text: str) -> Iterator[Key]:
    """Yield the words and digits of a text, each with the stretch that it is written in."""
    swapped = {found.start(): found for found in CURRENCY.finditer(text)}
    skipped_to = 0
    for piece in PIECE.finditer(text):
        start, end = piece.span()
        if start < skipped_to:
            continue
        if start in swapped:
            sign, amount = swapped[start].groups()
            skipped_to = swapped[start].end()
            yield Key(amount.replace(",", ""), start, skipped_to)
            yield Key(SYMBOLS[sign].strip(), start, skipped_to)
        elif DIGITS.fullmatch(piece.group()):
            yield Key(piece.group().replace(",", ""), start, end)
        else:
            symbol = SYMBOLS.get(piece.group(), piece.group()).strip()
            yield from (Key(word.removesuffix("'s"), start, end) for word in spoken_words(symbol))


def _with_digits(words: Sequence[Key]) -> Iterator[Key]:
    """Yield the words; those that say a number as one key of digits."""
    place = 0
    while place < len(words):
        digits, length = _number(words[place:])
        if length:
            yield Key(digits, words[place].start, words[place + length - 1].end)
        else:
            yield words[place]
        place += max(1, length)


def _number(words: Sequence[Key]) -> tuple[str, int]:
    """Return the number that some words begin with, as digits, and how many words say it; ("", 0): they do not."""
    total = current = 0
    length = place = 0
    last = ""  # what the word before was: a unit, ten, scale
    texts = [word.text for word in words[:20]]
    if texts[0] == "a" and len(texts) > 1 and texts[1] in SCALES:
        current, place, last = 1, 1, "unit"
    while place < len(texts):
        word = texts[place]
        if word == "and" and last == "scale" and place + 1 < len(texts) and _value(texts[place + 1]) is not None:
            place += 1
            continue
        if word in SCALES and (last or place == 0) and (current or total):
            scale = SCALES[word]
            if scale == 100:
                current *= 100
            else:
                total, current = total + current * scale, 0
            last = "scale"
        elif word in ("oh", "o") and place == 0 and len(texts) > 1 and UNITS.get(texts[1], 99) < 10:
            return f"0{UNITS[texts[1]]}", 2
        elif (value := _value(word)) is not None:
            is_tens_and_unit = last == "ten" and 0 < value < 10
            if last not in ("", "scale") and not is_tens_and_unit:
                break
            current += value
            if word in ORDINALS and word not in UNITS:
                return str(num2words(total + current, to="ordinal_num")), place + 1
            if word in DECADES:
                return f"{total + current}s", place + 1
            last = "ten" if value >= 20 and value % 10 == 0 and value < 100 else "unit"
        else:
            break
        place += 1
        length = place
    return (str(total + current), length) if length else ("", 0)


def _value(word: str) -> int | None:
    """Return what a number word below a hundred says, a cardinal, an ordinal or a decade."""
    for table in (UNITS, ORDINALS, DECADES):
        if word in table:
            return table[word]
    return None
