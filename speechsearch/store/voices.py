"""Who speaks: turns and voices of recordings, and the speakers whose voices they are.

A speaker without a voice is deleted, named or not: nothing is kept of who is in no recording any more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from speechsearch.domain.errors import NotFoundError, StoreError
from speechsearch.domain.speakers import Turn
from speechsearch.domain.values import Speaker
from speechsearch.store.cuts import turns_of, write_cut
from speechsearch.store.database import Database, rows_of, upsert
from speechsearch.store.jobs import time_ago
from speechsearch.store.journal import mark_stored
from speechsearch.store.records import Cut, Heard, Move, StoredVoice
from speechsearch.store.rows import checked_name, checked_text, transcript_row, vector_bytes
from speechsearch.store.tables import (
    Base,
    DiarizationRow,
    JournalRow,
    PassageRow,
    PassageVoiceRow,
    RecordingRow,
    RefusalRow,
    SettingRow,
    SpeakerRow,
    TranscriptRow,
    TurnRow,
    VoiceRow,
)

NUMBERED = "speakers numbered of "
"""Under this key and the owner's id stands the last number that a speaker got, so that none is given twice."""


class Voices:
    """The voices of a database and their speakers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def heard(self, recording_ids: Sequence[str] | None = None) -> dict[str, str]:
        """Return recording id -> the fingerprint of what heard who speaks in it, of those (of some) that were heard."""
        statement = sa.select(DiarizationRow.recording_id, DiarizationRow.fingerprint)
        with self._database.reading() as connection:
            found = rows_of(connection, statement, DiarizationRow.recording_id, recording_ids)
            return {row.recording_id: row.fingerprint for row in found}

    def is_heard(self, recording_id: str) -> bool:
        """Say whether it was heard who speaks in a recording."""
        statement = sa.select(DiarizationRow.recording_id).where(DiarizationRow.recording_id == recording_id)
        with self._database.reading() as connection:
            return connection.scalar(statement) is not None

    def turns(self, recording_id: str) -> list[Turn]:
        """Return the turns of a recording in order of time, those of forgotten voices too."""
        with self._database.reading() as connection:
            return turns_of(connection, recording_id)

    def of(self, recording_id: str) -> list[StoredVoice]:
        """Return the voices of a recording by number. Raises StoreError: a row is damaged."""
        return self._voices(VoiceRow.recording_id == recording_id)

    def of_speakers(self, speaker_ids: Sequence[str]) -> list[StoredVoice]:
        """Return the voices of some speakers, by recording. Raises StoreError: a row is damaged."""
        statement = sa.select(VoiceRow.__table__)
        with self._database.reading() as connection:
            found = rows_of(connection, statement, VoiceRow.speaker_id, speaker_ids)
        return sorted(map(voice_of, found), key=lambda one: one.key)

    def of_owner(self, owner: str, fingerprint: str) -> list[StoredVoice]:
        """Return the voices of an owner's speakers by one speaker encoder. Raises StoreError: a row is damaged."""
        of_owner = sa.select(SpeakerRow.speaker_id).where(SpeakerRow.owner == owner)
        return self._voices(VoiceRow.speaker_id.in_(of_owner), VoiceRow.fingerprint == fingerprint)

    def refusals(self, recording_id: str | None = None) -> set[tuple[str, int, str]]:
        """Return (recording id, number of the voice, speaker id) that do not belong together, as people said."""
        statement = sa.select(RefusalRow.recording_id, RefusalRow.number, RefusalRow.speaker_id)
        if recording_id is not None:
            statement = statement.where(RefusalRow.recording_id == recording_id)
        with self._database.reading() as connection:
            return {(row.recording_id, row.number, row.speaker_id) for row in connection.execute(statement)}

    def owner_of(self, speaker_id: str) -> str:
        """Return whose private recordings a speaker is heard in; empty for everybody's.

        Raises:
            NotFoundError: there is no such speaker.
        """
        with self._database.reading() as connection:
            owner = connection.scalar(sa.select(SpeakerRow.owner).where(SpeakerRow.speaker_id == speaker_id))
        if owner is None:
            raise NotFoundError("There is no such speaker.", "He may have been merged with another one.")
        return owner

    def speakers(self, collections: Sequence[str], speaker_ids: Sequence[str] | None = None) -> list[Speaker]:
        """Return who (of some) is heard in some collections, by number, in how many of their recordings, how long."""
        person: list[Any] = [SpeakerRow.speaker_id, SpeakerRow.number, SpeakerRow.name]
        counts = (sa.func.count(VoiceRow.recording_id.distinct()), sa.func.sum(VoiceRow.speech_s))
        statement = (
            sa.select(*person, *counts)
            .join(VoiceRow, VoiceRow.speaker_id == SpeakerRow.speaker_id)
            .join(RecordingRow, RecordingRow.recording_id == VoiceRow.recording_id)
            .where(RecordingRow.collection.in_(collections))
            .group_by(*person)
            .order_by(SpeakerRow.number, SpeakerRow.speaker_id)
        )
        with self._database.reading() as connection:
            if speaker_ids is None:
                return [Speaker(*tuple(row)) for row in connection.execute(statement)]
            return [Speaker(*tuple(row)) for row in rows_of(connection, statement, SpeakerRow.speaker_id, speaker_ids)]

    def people(self) -> list[tuple[Speaker, str]]:
        """Return all speakers without counts, each with the owner, by number."""
        columns = (SpeakerRow.speaker_id, SpeakerRow.number, SpeakerRow.name, SpeakerRow.owner)
        statement = sa.select(*columns).order_by(SpeakerRow.number, SpeakerRow.speaker_id)
        with self._database.reading() as connection:
            return [(Speaker(*row[:3]), row[3]) for row in connection.execute(statement)]

    def keys_of(self, speaker_ids: Sequence[str]) -> list[tuple[str, int]]:
        """Return (recording id, number) of the voices of some speakers, sorted."""
        voice: list[Any] = [VoiceRow.recording_id, VoiceRow.number]
        with self._database.reading() as connection:
            found = rows_of(connection, sa.select(*voice), VoiceRow.speaker_id, speaker_ids)
        return sorted((row.recording_id, row.number) for row in found)

    def named(self, owner: str) -> dict[str, str]:
        """Return speaker id -> name of an owner's speakers who have one."""
        statement = sa.select(SpeakerRow.speaker_id, SpeakerRow.name)
        with self._database.reading() as connection:
            found = connection.execute(statement.where(SpeakerRow.owner == owner, SpeakerRow.name != ""))
            return {row.speaker_id: row.name for row in found}

    def in_passages(self, passage_ids: Sequence[str]) -> dict[str, tuple[Speaker, ...]]:
        """Return passage id -> who speaks in it, who says most first; the speakers come without counts."""
        person: list[Any] = [SpeakerRow.speaker_id, SpeakerRow.number, SpeakerRow.name]
        is_voice = (VoiceRow.recording_id == PassageRow.recording_id) & (VoiceRow.number == PassageVoiceRow.number)
        statement = (
            sa.select(PassageRow.passage_id, *person, PassageVoiceRow.speech_s)
            .join(PassageVoiceRow, PassageVoiceRow.passage_id == PassageRow.passage_id)
            .join(VoiceRow, is_voice)
            .join(SpeakerRow, SpeakerRow.speaker_id == VoiceRow.speaker_id)
        )
        with self._database.reading() as connection:
            rows = rows_of(connection, statement, PassageRow.passage_id, passage_ids)
        found: dict[str, dict[str, Speaker]] = defaultdict(dict)
        for row in sorted(rows, key=lambda row: (-row.speech_s, row.number)):
            found[row.passage_id].setdefault(row.speaker_id, Speaker(row.speaker_id, row.number, row.name))
        return {passage_id: tuple(speakers.values()) for passage_id, speakers in found.items()}

    def numbers_in(self, recording_id: str) -> dict[str, tuple[int, ...]]:
        """Return passage id -> the numbers of the voices that speak in it, of a recording's passages that have some."""
        statement = sa.select(PassageVoiceRow.passage_id, PassageVoiceRow.number).join(PassageRow)
        ordered = statement.order_by(PassageVoiceRow.passage_id, PassageVoiceRow.number)
        found: dict[str, tuple[int, ...]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(ordered.where(PassageRow.recording_id == recording_id)):
                found[row.passage_id] = (*found.get(row.passage_id, ()), row.number)
        return found

    def counts(self, numbers: Mapping[str, frozenset[int]]) -> dict[str, tuple[int, float]]:
        """Return recording id -> in how many passages one of some voices speaks, and how long these are, in seconds.

        Args:
            numbers: recording id -> the voices' numbers.
        """
        recordings: dict[frozenset[int], list[str]] = defaultdict(list)
        for recording_id, chosen in numbers.items():
            recordings[chosen].append(recording_id)
        found: dict[str, tuple[int, float]] = {}
        with self._database.reading() as connection:
            for chosen, ids in recordings.items():
                spoken = sa.exists().where(
                    PassageVoiceRow.passage_id == PassageRow.passage_id, PassageVoiceRow.number.in_(chosen)
                )
                length_s = sa.func.sum(PassageRow.end_s - PassageRow.start_s)
                columns: list[Any] = [PassageRow.recording_id, sa.func.count(), length_s]
                grouped = sa.select(*columns).where(spoken).group_by(PassageRow.recording_id)
                rows = rows_of(connection, grouped, PassageRow.recording_id, ids)
                found |= {
                    recording_id: (passages, duration_s) for recording_id, passages, duration_s in map(tuple, rows)
                }
        return found

    def heard_where(self, names: Sequence[str]) -> set[str]:
        """Return the ids of the recordings that were heard and whose metadata name one of these as the speaker."""
        statement = sa.select(RecordingRow.recording_id).join(DiarizationRow)
        with self._database.reading() as connection:
            return {row.recording_id for row in rows_of(connection, statement, RecordingRow.speaker, names)}

    def save(self, recording_id: str, owner: str, heard: Heard, cut: Cut) -> list[str]:
        """Write who speaks in a recording, over an earlier hearing, with its cut, and mark it "stored".

        All in one transaction. Speakers that there are not are made; those who are left without voices are deleted.
        Nothing is written of a recording that is not there any more.

        Args:
            recording_id: which recording.
            owner: of the speakers.
            heard: the turns and voices.
            cut: the passages.

        Returns:
            The ids of passages that no longer exist, to be deleted from the index.

        Raises:
            InputError: something that cannot be kept; nothing is written.
        """
        of_recording = JournalRow.recording_id == recording_id
        with self._database.writing() as connection:
            mark_stored(connection, of_recording)
            if not connection.scalar(sa.select(sa.exists().where(RecordingRow.recording_id == recording_id))):
                return []
            if cut.fingerprint:
                change = {"fingerprint": checked_text(cut.fingerprint, "fingerprint")}
                connection.execute(sa.update(JournalRow).where(of_recording).values(change))
            make_speakers(connection, owner, [one.speaker_id for one in heard.voices])
            give_names(connection, heard.names)
            connection.execute(sa.delete(DiarizationRow).where(DiarizationRow.recording_id == recording_id))
            for table, rows in heard_rows(recording_id, heard).items():
                if rows:
                    connection.execute(sa.insert(table), rows)
            drop_voiceless(connection)
            gone = write_cut(connection, recording_id, cut.passages, cut.made_by)
            for (_, fingerprint), transcripts in cut.written.items():
                for passage_id, one in transcripts.items():
                    upsert(connection, TranscriptRow, transcript_row(passage_id, one) | {"fingerprint": fingerprint})
        return gone

    def move(self, owner: str, moves: Sequence[Move], names: Mapping[str, str]) -> None:
        """Give voices to speakers of an owner, and speakers their names, in one transaction.

        A speaker that there is not is made, with the owner's next number; one who is left without voices is deleted.

        Args:
            owner: of all these speakers.
            moves: of voices that there are; others are left out.
            names: speaker id -> name; empty text takes a name away.

        Raises:
            InputError: a name that cannot be kept.
        """
        with self._database.writing() as connection:
            make_speakers(connection, owner, [one.speaker_id for one in moves])
            for one in moves:
                is_voice = (VoiceRow.recording_id == one.recording_id) & (VoiceRow.number == one.number)
                change = {"speaker_id": one.speaker_id, "joined_by": one.joined_by}
                if not connection.execute(sa.update(VoiceRow).where(is_voice).values(change)).rowcount:
                    continue
                of_voice = (RefusalRow.recording_id == one.recording_id) & (RefusalRow.number == one.number)
                accepted = of_voice & (RefusalRow.speaker_id == one.speaker_id)
                connection.execute(sa.delete(RefusalRow).where(accepted))
                if one.refuses:
                    row = {"recording_id": one.recording_id, "number": one.number, "speaker_id": one.refuses}
                    upsert(connection, RefusalRow, row)
            give_names(connection, names)
            drop_voiceless(connection)
        self._database.forget()

    def forget(self, speaker_id: str) -> None:
        """Delete a speaker with all voices: name, vectors, and whose the turns are. An unknown one is no error."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(SpeakerRow).where(SpeakerRow.speaker_id == speaker_id))
        self._database.forget()

    def _voices(self, *which: sa.ColumnElement[bool]) -> list[StoredVoice]:
        statement = sa.select(VoiceRow.__table__).where(*which).order_by(VoiceRow.recording_id, VoiceRow.number)
        with self._database.reading() as connection:
            return [voice_of(row) for row in connection.execute(statement)]


def make_speakers(connection: sa.Connection, owner: str, speaker_ids: Sequence[str]) -> None:
    """Make the speakers of these ids that there are not, each with the owner's next number."""
    found = rows_of(connection, sa.select(SpeakerRow.speaker_id), SpeakerRow.speaker_id, speaker_ids)
    new = [one for one in dict.fromkeys(speaker_ids) if one not in {row.speaker_id for row in found}]
    if not new:
        return
    key = NUMBERED + checked_text(owner, "owner")
    # First, because it makes others who number speakers wait on PostgreSQL too.
    upsert(connection, SettingRow, {"key": key, "value": "0"}, kept=("value",))
    of_key = SettingRow.key == key
    last = int(connection.scalar(sa.select(SettingRow.value).where(of_key).with_for_update()) or 0)
    rows = [
        {"speaker_id": checked_name(one, "speaker id"), "owner": owner, "number": number, "name": "",
         "created_at": time_ago()}
        for number, one in enumerate(new, last + 1)
    ]  # fmt: skip
    connection.execute(sa.insert(SpeakerRow), rows)
    connection.execute(sa.update(SettingRow).where(of_key).values(value=str(last + len(new))))


def give_names(connection: sa.Connection, names: Mapping[str, str]) -> None:
    """Write speakers' names, by id. Raises InputError: one cannot be kept."""
    for speaker_id, name in names.items():
        change = {"name": checked_text(name, "name")}
        connection.execute(sa.update(SpeakerRow).where(SpeakerRow.speaker_id == speaker_id).values(change))


def drop_voiceless(connection: sa.Connection) -> None:
    """Delete the speakers that no recording has a voice of."""
    is_heard = sa.exists().where(VoiceRow.speaker_id == SpeakerRow.speaker_id)
    connection.execute(sa.delete(SpeakerRow).where(~is_heard))


def voice_of(row: Any) -> StoredVoice:
    """Return the voice of a row.

    Raises:
        StoreError: the row is damaged.
    """
    if not row.vector or len(row.vector) % 4:
        raise StoreError(
            f"Voice {row.number} of recording {row.recording_id[:12]} is damaged.", "Delete the recording."
        )
    vector = np.frombuffer(row.vector, "<f4").astype(np.float32)
    return StoredVoice(
        row.recording_id, row.number, row.speaker_id, vector, row.speech_s, row.fingerprint, row.joined_by
    )


def heard_rows(recording_id: str, heard: Heard) -> dict[type[Base], list[dict[str, Any]]]:
    """Return table -> rows of what was heard in a recording. Raises InputError."""
    voices = [voice_row(one) for one in heard.voices]
    turns = [
        {"recording_id": recording_id, "start_s": one.span.start_s, "end_s": one.span.end_s, "voice": one.voice,
         "is_overlap": one.is_overlap}
        for one in heard.turns
    ]  # fmt: skip
    refusals = [
        {"recording_id": recording_id, "number": number, "speaker_id": speaker_id}
        for number, speaker_id in sorted(heard.refusals)
    ]
    hearing = {"recording_id": recording_id, "fingerprint": checked_text(heard.fingerprint, "fingerprint")}
    return {DiarizationRow: [hearing], VoiceRow: voices, TurnRow: turns, RefusalRow: refusals}


def voice_row(voice: StoredVoice) -> dict[str, Any]:
    """Return the row of a voice. Raises InputError."""
    return {
        "recording_id": voice.recording_id,
        "number": voice.number,
        "speaker_id": checked_name(voice.speaker_id, "speaker id"),
        "vector": vector_bytes(voice.vector)["weights"],
        "speech_s": float(voice.speech_s),
        "fingerprint": checked_text(voice.fingerprint, "fingerprint"),
        "joined_by": voice.joined_by,
    }
