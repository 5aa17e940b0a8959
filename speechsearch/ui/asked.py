"""What the Search tab's controls hold, and the address that says the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from speechsearch.domain.errors import InputError
from speechsearch.domain.values import Filters
from speechsearch.retrieval.engine_cards import BASELINE, DEFAULT, usual_pair
from speechsearch.ui.texts import Search

LONGEST_QUESTION = 1000
LONGEST_VALUE = 200
MOST_VALUES = 20
MOST_ANSWERS = 20
ANSWERS = 5

_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and how it is to be searched, in the order of the controls. What is empty does not narrow.

    ``wants_answer``: an address asks for an answer in sentences, too.
    """

    text: str = ""
    audio_path: str | None = None
    top_k: float = ANSWERS
    left: str = DEFAULT
    right: str = BASELINE
    collections: Sequence[str] = ()
    speakers: Sequence[str] = ()
    languages: Sequence[str] = ()
    date_from: str = ""
    date_to: str = ""
    wants_answer: bool = False

    @classmethod
    def of_address(cls, parameters: Iterable[tuple[str, str]], engines: Sequence[str]) -> Asked:
        """Return what an address asks; what makes no sense in it gives way to the default.

        >>> Asked.of_address([("q", "honey"), ("k", "999"), ("engine", "none")], ["hybrid", "asr"]).top_k
        20
        >>> Asked.of_address([("ask", "Why?")], ["hybrid", "asr"]).wants_answer
        True
        """
        found: dict[str, list[str]] = {}
        for name, value in parameters:
            found.setdefault(name, []).append(value[: LONGEST_QUESTION if name in ("q", "ask") else LONGEST_VALUE])

        def one(name: str) -> str:
            return found.get(name, [""])[0]

        def every(name: str) -> list[str]:
            return [value for value in found.get(name, []) if value][:MOST_VALUES]

        k = one("k")[:4]
        left, right = usual_pair(engines)
        return cls(
            text=one("q") or one("ask"),
            top_k=min(MOST_ANSWERS, max(1, int(k))) if k.isascii() and k.isdigit() else ANSWERS,
            left=one("engine") if one("engine") in engines else left,
            right=one("right") if one("right") in engines else right,
            collections=every("collection"),
            speakers=every("speaker"),
            languages=every("language"),
            date_from=one("from"),
            date_to=one("to"),
            wants_answer=bool(one("ask")) and not one("q"),
        )

    def address(self) -> list[tuple[str, str]]:
        """Return the parameters of an address that asks the same.

        >>> Asked("honey", speakers=["Ann"]).address()
        [('q', 'honey'), ('k', '5'), ('engine', 'hybrid'), ('right', 'asr'), ('speaker', 'Ann')]
        """
        question = [("q", self.text.strip()), ("k", str(int(self.top_k))), ("engine", self.left), ("right", self.right)]
        return question + self.narrowing()

    def narrowing(self) -> list[tuple[str, str]]:
        """Return only the parameters that narrow the search."""
        several = {"collection": self.collections, "speaker": self.speakers, "language": self.languages}
        single = {"from": self.date_from.strip(), "to": self.date_to.strip()}
        found = [(name, value) for name, values in several.items() for value in values]
        return found + [(name, value) for name, value in single.items() if value]

    def filters(self) -> Filters:
        """Return which passages may be found.

        Raises:
            InputError: a date is not written as 2019, 2019-03 or 2019-03-04.
        """
        return Filters(
            collections=tuple(self.collections),
            speakers=tuple(self.speakers),
            languages=tuple(self.languages),
            date_from=_date(self.date_from),
            date_to=_date(self.date_to),
        )


def _date(value: str) -> str:
    value = value.strip()
    if value and not _DATE.fullmatch(value):
        said, hint = Search.NO_DATE
        raise InputError(said.format(date=f"{value!r:.60}"), hint)
    return value
