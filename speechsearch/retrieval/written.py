"""How a spoken question reaches the channels of transcripts: it is written down first."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from speechsearch.domain.errors import EmptyQueryError
from speechsearch.domain.values import Audio, Query
from speechsearch.models.base import Recognizer

MOST = 4
"""An engine of several channels asks for the same question again."""


class Writer:
    """Writes spoken questions down and remembers the last ones; typed ones stay as they are."""

    def __init__(self, recognizer: Recognizer) -> None:
        self.recognizer = recognizer
        self._known: OrderedDict[int, tuple[Audio, str]] = OrderedDict()

    def __call__(self, query: Query) -> Query:
        """Return the question in words.

        Raises:
            EmptyQueryError: the recogniser understood nothing.
        """
        sound = query.audio
        if sound is None:
            return query
        kept = self._known.get(id(sound))  # the sound is kept beside its text, so no other has its number
        text = kept[1] if kept else self.recognizer.transcribe([sound])[0].text
        self._known[id(sound)] = (sound, text)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        if not text.strip():
            raise EmptyQueryError("The recogniser understood nothing of the spoken question.", "Record it again.")
        return replace(query, text=text, audio=None)
