"""What came with recordings, on both databases."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from speechsearch.domain.captions import Caption, Chapter, Given
from speechsearch.domain.errors import InputError
from speechsearch.domain.values import Span
from tests.contract.stores import TALK, save, stored_passages

SAID = Given("talk.srt", (Caption(Span(0.0, 2.0), "Bees."),), (Chapter(0.0, "Start"),))


def test_which_recordings_have_a_transcript_is_known_without_reading_it(store):
    other = replace(TALK, recording_id="b" * 64)
    for one in (TALK, other):
        save(store, one, "a.opus", list(stored_passages(one, 1)), "1")
    store.given.save(TALK.recording_id, SAID)
    store.given.save(other.recording_id, Given("chapters only", (), SAID.chapters))
    asked = []
    sa.event.listen(store._database._engine, "before_cursor_execute", lambda *seen: asked.append(seen[2]))
    assert store.given.with_captions() == {TALK.recording_id}
    assert [store.given.has_captions(one.recording_id) for one in (TALK, other)] == [True, False]
    assert len(asked) >= 3 and not [one for one in asked if "captions" in one]
    assert store.given.of(other.recording_id) == Given("", (), SAID.chapters)


def test_a_transcript_has_its_files_name(store):
    save(store, TALK, "a.opus", list(stored_passages(TALK, 1)), "1")
    with pytest.raises(InputError, match="file has no name"):
        store.given.save(TALK.recording_id, replace(SAID, name=""))
    assert store.given.of(TALK.recording_id) == Given()
