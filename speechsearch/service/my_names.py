"""My names: the list of a library, whose names are heard as they are said to sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from speechsearch import audio
from speechsearch.domain.errors import CapabilityError, InputError, NotAllowedError, NotFoundError, SilentError
from speechsearch.domain.listed_name import ListedName, checked_name, names_in_table, with_example
from speechsearch.domain.values import SpokenWord
from speechsearch.domain.visitors import LOCAL, Visitor
from speechsearch.library.library import Library
from speechsearch.retrieval.names import Verdicts, can_be_looked_for, phonemes_of, sounds_of
from speechsearch.service.browse import Browse

MOST_NAMES = 1_000
LONGEST_EXAMPLE_S = 10.0
LONGEST_TABLE_BYTES = 2**20
MOST_REFUSED = 1_000
"""So many lines that cannot be used are named."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a table of names: how many are new, how many changed, and which lines could not be used."""

    added: int
    changed: int
    refused: tuple[str, ...]


class MyNames:
    """Keeps the list of names.

    Args:
        library: whose list it is.
        browse: knows what a visitor sees.
    """

    def __init__(self, library: Library, browse: Browse) -> None:
        self._library, self._browse = library, browse
        self._list, self._encoder = library.store.names, library.makers.speech_encoder
        self._changes = 0
        self._kept: tuple[int, tuple[ListedName, ...]] = (-1, ())  # how many changes are in it

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the encoder whose recorded examples count."""
        return self._encoder.fingerprint

    def find(self) -> tuple[ListedName, ...]:
        """Return all names, sorted."""
        changes, names = self._kept
        if changes != self._changes:
            changes = self._changes
            names = tuple(self._list.find())
            self._kept = changes, names
        return names

    def get(self, written: str) -> ListedName:
        """Return a name of the list, however its capitals are.

        Raises:
            NotFoundError: it is not in the list.
        """
        names = self.find()
        for one in (*(name for name in names if name.written == written), *names):
            if one.written.casefold() == written.strip().casefold():
                return one
        raise NotFoundError(f"The list has no name {written!r:.200}.", "It is written as in the list.")

    def put(self, written: str, sounds_like: tuple[str, ...] = (), visitor: Visitor = LOCAL) -> ListedName:
        """Add a name, or say anew how one sounds; a recorded example stays.

        Raises:
            NotAllowedError: the visitor may not change the list.
            InputError: the name or a spelling cannot be kept, or cannot be pronounced, or the list is full.
        """
        check_owner(visitor)
        name = self._merged(checked_name(written, sounds_like), self._by_key())
        self._write(name)
        return name

    def record(self, written: str, sound: Path | bytes, visitor: Visitor = LOCAL) -> ListedName:
        """Keep how a recorded example of a listed name sounds; the sound itself is not kept.

        Raises:
            NotAllowedError, NotFoundError: the visitor may not change the list, or it has no such name.
            DecodeError, TooLongError, SilentError: the sound cannot be used.
            CapabilityError: the speech encoder hears no phonemes.
        """
        check_owner(visitor)
        name = self.get(written)
        heard = audio.load(sound, self._library.limits, LONGEST_EXAMPLE_S)
        (encoded,) = self._encoder.encode_passages([heard])
        if encoded.track is None:
            raise CapabilityError("The speech encoder hears no phonemes.", "Write how the name sounds instead.")
        phonemes = phonemes_of(encoded.track)
        if len(phonemes) < 2:
            raise SilentError("Nothing was heard in the example.", "Record the name again, closer.")
        name = with_example(name, phonemes, self._encoder.fingerprint)
        self._write(name)
        return name

    def remove(self, written: str, visitor: Visitor = LOCAL) -> None:
        """Remove a name, with what was confirmed and rejected. Raises NotAllowedError, NotFoundError."""
        check_owner(visitor)
        self._list.delete(self.get(written).written)
        self._changes += 1

    def import_table(self, content: bytes, visitor: Visitor = LOCAL) -> Imported:
        """Add the names of a CSV file to the list, those that are there with the table's spellings.

        Raises:
            NotAllowedError: the visitor may not change the list.
            InputError: the file is too large, or there is no name in it.
        """
        check_owner(visitor)
        if len(content) > LONGEST_TABLE_BYTES:
            raise InputError(f"The table has {len(content):,} bytes.", f"{LONGEST_TABLE_BYTES:,} are possible.")
        counts, refused, left_out = {True: 0, False: 0}, [], 0
        known, read = self._by_key(), {}
        for one in names_in_table(content):
            try:
                if isinstance(one, str):
                    raise InputError(one)
                key = one.written.casefold()
                if key not in known and len(known) >= MOST_NAMES:
                    left_out += 1
                    continue
                name = self._merged(one, known)
                counts[key not in known] += 1
                known[key] = read[key] = name
            except InputError as error:
                refused.append(str(error))
        self._write(*read.values())
        if left_out:
            refused.append(f"{left_out:,} names were left out: {MOST_NAMES:,} are possible.")
        if not any(counts.values()) and not refused:
            raise InputError(
                "There is no name in the table.", "The first column is the name, the second how it sounds."
            )
        if len(refused) > MOST_REFUSED:
            refused[MOST_REFUSED:] = [f"And {len(refused) - MOST_REFUSED:,} more lines."]
        return Imported(counts[True], counts[False], tuple(refused))

    def sounds(self, text: str) -> tuple[SpokenWord, ...]:
        """Return how the listed names in a question may sound, and where they are known to be said or not."""
        names = self.find()
        if not names:
            return ()
        return sounds_of(names, text, self._encoder.pronounce, self.verdicts, self._encoder.fingerprint)

    def verdicts(self, written: str) -> Verdicts:
        """Return in which passages a name was confirmed and rejected."""
        found = self._list.verdicts(written)
        confirmed = frozenset(one for one, is_said in found.items() if is_said)
        return Verdicts(confirmed, frozenset(found) - confirmed)

    def judge(self, written: str, passage_id: str, is_said: bool | None, visitor: Visitor = LOCAL) -> None:
        """Keep that a name is said in a passage, or that it is not; None: forget it.

        Raises:
            NotAllowedError, NotFoundError: the visitor may not change the list, or there is no such name or passage.
        """
        check_owner(visitor)
        name = self.get(written)
        self._browse.passage(passage_id, visitor)
        self._list.judge(name.written, passage_id, is_said)

    def _by_key(self) -> dict[str, ListedName]:
        return {one.written.casefold(): one for one in self.find()}

    def _merged(self, name: ListedName, known: Mapping[str, ListedName]) -> ListedName:
        """Return a name with what is known of it besides its spellings. Raises InputError."""
        before = known.get(name.written.casefold())
        if before is None and len(known) >= MOST_NAMES:
            raise InputError(f"The list has {MOST_NAMES:,} names; no more are possible.", "Remove some.")
        self._check_pronounceable(name)
        return name if before is None else replace(before, sounds_like=name.sounds_like, is_damaged=False)

    def _write(self, *names: ListedName) -> None:
        self._list.put(*names)
        self._changes += 1

    def _check_pronounceable(self, name: ListedName) -> None:
        hears_words = any(channel.is_phonetic for channel in self._encoder.channels)
        for text in (name.written, *name.sounds_like):
            if hears_words and not can_be_looked_for(text, self._encoder.pronounce):
                raise InputError(f"{text!r:.80} cannot be pronounced.", "Use Latin letters.")


def check_owner(visitor: Visitor) -> None:
    """Refuse who may not change the list. Raises NotAllowedError."""
    if not visitor.is_owner:
        raise NotAllowedError("The list of names is changed by its owner.", "Log in.")
