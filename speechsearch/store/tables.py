"""The tables. What belongs to a recording goes with it, what belongs to a collection goes with that."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Float, ForeignKey, LargeBinary, MetaData, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
}


class Base(DeclarativeBase):
    """Gathers the tables; text has no length and floats are double on every database."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {str: Text(), float: Float(53), bytes: LargeBinary()}


class CollectionRow(Base):
    """A named set of recordings."""

    __tablename__ = "collections"
    name: Mapped[str] = mapped_column(primary_key=True)
    description: Mapped[str]
    licence: Mapped[str]
    source: Mapped[str]


class RecordingRow(Base):
    """One file, identified by the hash of its content.

    ``described`` is JSON: what was said about it when it was last taken in, by field.
    """

    __tablename__ = "recordings"
    recording_id: Mapped[str] = mapped_column(primary_key=True)
    collection: Mapped[str] = mapped_column(ForeignKey("collections.name", ondelete="CASCADE"), index=True)
    title: Mapped[str]
    duration_s: Mapped[float]
    file_name: Mapped[str]
    speaker: Mapped[str]
    date: Mapped[str]
    language: Mapped[str]
    licence: Mapped[str]
    source: Mapped[str]
    media_name: Mapped[str]
    wants_transcripts: Mapped[bool] = mapped_column(server_default=sa.true())
    added_at: Mapped[str] = mapped_column(server_default="")
    times_found: Mapped[int] = mapped_column(server_default="0")
    described: Mapped[str] = mapped_column(server_default="")


class PassageRow(Base):
    """A stretch of a recording."""

    __tablename__ = "passages"
    passage_id: Mapped[str] = mapped_column(primary_key=True)
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.recording_id", ondelete="CASCADE"), index=True)
    start_s: Mapped[float]
    end_s: Mapped[float]


class VectorRow(Base):
    """One named vector of a passage: float32 weights, and uint32 term numbers if sparse (NULL if dense)."""

    __tablename__ = "vectors"
    passage_id: Mapped[str] = mapped_column(ForeignKey("passages.passage_id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    weights: Mapped[bytes]
    terms: Mapped[bytes | None]


class EncodingRow(Base):
    """What made a recording's vectors in a channel, and how many of its passages have one."""

    __tablename__ = "encodings"
    recording_id: Mapped[str] = mapped_column(
        ForeignKey("recordings.recording_id", ondelete="CASCADE"), primary_key=True
    )
    channel: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    passages: Mapped[int]


class TranscriptRow(Base):
    """What a recogniser made of a passage; ``words`` is JSON, a list of [text, start_s, end_s]."""

    __tablename__ = "transcripts"
    passage_id: Mapped[str] = mapped_column(ForeignKey("passages.passage_id", ondelete="CASCADE"), primary_key=True)
    recognizer: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    text: Mapped[str]
    words: Mapped[str]


class GivenRow(Base):
    """What came with a recording: ``captions`` is JSON, a list of [start_s, end_s, text, words]; ``chapters`` too.

    A word is [text, start_s, end_s], a chapter [start_s, title]; all times are from the recording's start.
    """

    __tablename__ = "given"
    recording_id: Mapped[str] = mapped_column(
        ForeignKey("recordings.recording_id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str]
    captions: Mapped[str]
    chapters: Mapped[str]


class TrackRow(Base):
    """The phonemes that may have been heard in a passage, frame by frame: uint8 symbols and losses, float32 times."""

    __tablename__ = "tracks"
    passage_id: Mapped[str] = mapped_column(ForeignKey("passages.passage_id", ondelete="CASCADE"), primary_key=True)
    symbols: Mapped[bytes]
    losses: Mapped[bytes]
    starts_s: Mapped[bytes]


class JournalRow(Base):
    """How far a recording has come; also of those that failed, so it refers to no other table."""

    __tablename__ = "journal"
    recording_id: Mapped[str] = mapped_column(primary_key=True)
    file_name: Mapped[str]
    collection: Mapped[str] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(index=True)
    fingerprint: Mapped[str]
    message: Mapped[str]
    updated_at: Mapped[str]


class LeaseRow(Base):
    """Which process works on a recording, until when (seconds since 1970), and how often it failed.

    It refers to no other table, since the recording may not be there yet.
    """

    __tablename__ = "leases"
    recording_id: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str] = mapped_column(index=True)
    expires_s: Mapped[float]
    tries: Mapped[int]
    message: Mapped[str]


class PlaceRow(Base):
    """Where a recording was taken in from: a file's path or an address, and which version of what lay there."""

    __tablename__ = "places"
    place: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str]
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.recording_id", ondelete="CASCADE"), index=True)


class JobRow(Base):
    """A task of the queue: what to take in, for whom, and how far it is; ``task`` is JSON."""

    __tablename__ = "jobs"
    job_id: Mapped[str] = mapped_column(primary_key=True)
    visitor_id: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    collection: Mapped[str]
    task: Mapped[str]
    state: Mapped[str] = mapped_column(index=True)
    message: Mapped[str]
    created_at: Mapped[str]
    updated_at: Mapped[str]
    crashes: Mapped[int] = mapped_column(server_default="0")


class JobFileRow(Base):
    """What became of one file of a job."""

    __tablename__ = "job_files"
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.job_id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    passages: Mapped[int]
    duration_s: Mapped[float]
    message: Mapped[str]
    recording_id: Mapped[str] = mapped_column(server_default="", index=True)


class FeedbackRow(Base):
    """A visitor's judgement of a passage as an answer to a question; 1 relevant, 0 not."""

    __tablename__ = "feedback"
    visitor_id: Mapped[str] = mapped_column(primary_key=True)
    question: Mapped[str] = mapped_column(primary_key=True)
    passage_id: Mapped[str] = mapped_column(
        ForeignKey("passages.passage_id", ondelete="CASCADE"), primary_key=True, index=True
    )
    relevance: Mapped[int]
    engine: Mapped[str]
    rank: Mapped[int]
    created_at: Mapped[str]


class NameRow(Base):
    """A name of the library's list; ``sounds_like`` is a JSON list, ``phonemes`` are uint8 of a recorded example."""

    __tablename__ = "names"
    written: Mapped[str] = mapped_column(primary_key=True)
    sounds_like: Mapped[str]
    phonemes: Mapped[bytes]
    heard_by: Mapped[str]


class NameVerdictRow(Base):
    """Whether a name is said in a passage, as somebody has heard."""

    __tablename__ = "name_verdicts"
    written: Mapped[str] = mapped_column(ForeignKey("names.written", ondelete="CASCADE"), primary_key=True)
    passage_id: Mapped[str] = mapped_column(
        ForeignKey("passages.passage_id", ondelete="CASCADE"), primary_key=True, index=True
    )
    is_said: Mapped[bool]
    created_at: Mapped[str]


class SpeakerRow(Base):
    """A person known by voice; ``owner`` is the visitor whose private recordings those are, empty for everybody's."""

    __tablename__ = "speakers"
    speaker_id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(index=True)
    number: Mapped[int]
    name: Mapped[str]
    created_at: Mapped[str]


class DiarizationRow(Base):
    """That it was heard who speaks in a recording, and the fingerprint of what heard it."""

    __tablename__ = "diarizations"
    recording_id: Mapped[str] = mapped_column(
        ForeignKey("recordings.recording_id", ondelete="CASCADE"), primary_key=True
    )
    fingerprint: Mapped[str]


class VoiceRow(Base):
    """A voice of a recording and whose it is; ``vector`` is float32, ``joined_by`` says how it came to the speaker.

    A forgotten voice has no row; its turns stay, as those of somebody who is not known.
    """

    __tablename__ = "voices"
    recording_id: Mapped[str] = mapped_column(
        ForeignKey("diarizations.recording_id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    speaker_id: Mapped[str] = mapped_column(ForeignKey("speakers.speaker_id", ondelete="CASCADE"), index=True)
    vector: Mapped[bytes]
    speech_s: Mapped[float]
    fingerprint: Mapped[str]
    joined_by: Mapped[str]


class TurnRow(Base):
    """A stretch in which one voice of a recording speaks; ``is_overlap``: another one does at the same time."""

    __tablename__ = "turns"
    recording_id: Mapped[str] = mapped_column(
        ForeignKey("diarizations.recording_id", ondelete="CASCADE"), primary_key=True
    )
    start_s: Mapped[float] = mapped_column(primary_key=True)
    voice: Mapped[int] = mapped_column(primary_key=True)
    end_s: Mapped[float]
    is_overlap: Mapped[bool]


class RefusalRow(Base):
    """That a voice is not a speaker's, as somebody has heard."""

    __tablename__ = "voice_refusals"
    recording_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    speaker_id: Mapped[str] = mapped_column(
        ForeignKey("speakers.speaker_id", ondelete="CASCADE"), primary_key=True, index=True
    )
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["recording_id", "number"], ["voices.recording_id", "voices.number"], ondelete="CASCADE"
        ),
    )


class PassageVoiceRow(Base):
    """For how long a voice of its recording speaks in a passage, where that is enough to call it one who speaks."""

    __tablename__ = "passage_voices"
    passage_id: Mapped[str] = mapped_column(ForeignKey("passages.passage_id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    speech_s: Mapped[float]


class ConstellationRow(Base):
    """The spectral peaks of a recording: uint32 frames, uint8 bins, how many frames it has, and what found them."""

    __tablename__ = "constellations"
    recording_id: Mapped[str] = mapped_column(
        ForeignKey("recordings.recording_id", ondelete="CASCADE"), primary_key=True
    )
    fingerprint: Mapped[str]
    frames: Mapped[bytes]
    bins: Mapped[bytes]
    length: Mapped[int]


class SoundWindowsRow(Base):
    """What the windows of a recording sound like: float16 vectors of ``dim`` numbers, one every ``hop_s``."""

    __tablename__ = "sound_windows"
    recording_id: Mapped[str] = mapped_column(
        ForeignKey("recordings.recording_id", ondelete="CASCADE"), primary_key=True
    )
    fingerprint: Mapped[str]
    vectors: Mapped[bytes]
    dim: Mapped[int]
    hop_s: Mapped[float]


class DuplicateVerdictRow(Base):
    """What an owner said of two recordings that are alike; the smaller id is the first."""

    __tablename__ = "duplicate_verdicts"
    first_id: Mapped[str] = mapped_column(ForeignKey("recordings.recording_id", ondelete="CASCADE"), primary_key=True)
    second_id: Mapped[str] = mapped_column(
        ForeignKey("recordings.recording_id", ondelete="CASCADE"), primary_key=True, index=True
    )
    verdict: Mapped[str]
    created_at: Mapped[str]


class SettingRow(Base):
    """A small value kept between runs."""

    __tablename__ = "settings"
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
