"""Names heard: the passages in which the names of the list were heard, and what people say of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from speechsearch.domain.values import Filters, Passage, Query, Recording
from speechsearch.domain.visitors import LOCAL, Visitor
from speechsearch.library.library import Library
from speechsearch.retrieval.engine_cards import BASELINE, PHONETIC
from speechsearch.retrieval.engines import Engine
from speechsearch.retrieval.names import NameHeard, hear_name
from speechsearch.service.my_names import MyNames

LOOKED_AT = 300
LEAST_LIKELY = 0.2
"""What is less likely, and not in a transcript, is no place where a name was heard."""
Allowed = Callable[[Filters, Visitor], Filters | None]


@dataclass(frozen=True, slots=True)
class NameFound:
    """A passage in which a name was heard; ``is_said``: what somebody has confirmed, None when nobody has."""

    passage: Passage
    recording: Recording
    heard: NameHeard
    is_said: bool | None


class NamesHeard:
    """Says where listed names were heard.

    Args:
        library: what is searched.
        names: the list.
        engines: by name; those that look for sounds and in transcripts say which passages are looked at.
        allowed: makes filters that leave out what a visitor must not see; None: nothing is left.
    """

    def __init__(self, library: Library, names: MyNames, engines: Mapping[str, Engine], allowed: Allowed) -> None:
        self._library, self._names, self._allowed = library, names, allowed
        self._first = [engines[one].retriever for one in (PHONETIC.name, BASELINE) if one in engines]

    def find(self, written: str, limit: int = 20, collection: str = "", visitor: Visitor = LOCAL) -> list[NameFound]:
        """Return the passages in which a name was heard, the likeliest first; those that were rejected are left out.

        Raises:
            NotFoundError: the list has no such name, or there is no such collection.
        """
        name = self._names.get(written)
        filters = self._allowed(Filters(collections=(collection,) if collection else ()), visitor)
        if filters is None:
            return []
        verdicts, store = self._names.verdicts(name.written), self._library.store
        sounds = self._names.sounds(name.written)
        query = Query(name.written, top_k=LOOKED_AT, filters=filters, sounds=sounds)
        ids = {one.passage_id for engine in self._first for one in engine.retrieve(query, LOOKED_AT).passages}
        recordings = store.recordings.of_passages(sorted(ids | verdicts.confirmed))
        seen = sorted(
            one for one, recording in recordings.items()
            if visitor.sees(recording.collection) and one not in verdicts.rejected
            and (not filters.collections or recording.collection in filters.collections)
        )  # fmt: skip
        texts: dict[str, list[str]] = {}
        for baseline in self._library.makers.baselines:
            for passage_id, text in store.transcripts.texts(seen, baseline.name).items():
                texts.setdefault(passage_id, []).append(text)
        encoder = self._library.makers.speech_encoder
        heard = hear_name(name, encoder.pronounce, sounds, store.passages.tracks(seen), texts)
        passages = store.passages.get(seen)
        found = [
            NameFound(passages[one.passage_id], recordings[one.passage_id], one, verdicts.of(one.passage_id))
            for one in heard
            if one.passage_id in passages  # one may have been deleted meanwhile
            and (one.likelihood >= LEAST_LIKELY or one.is_written or one.passage_id in verdicts.confirmed)
        ]
        return found[:limit]
