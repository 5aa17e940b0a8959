"""What a recording, an upload and a visitor may be, and how recordings are cut."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Group(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Segmentation(Group):
    """How a recording is cut: at pauses, or not at all (one passage a file)."""

    method: Literal["pauses", "none"] = "pauses"
    shortest_s: float = Field(5.0, gt=0)
    longest_s: float = Field(30.0, gt=1)
    longest_whole_s: float = Field(120.0, gt=1, description="the longest file that method 'none' takes")


class Limits(Group):
    """What an upload may be."""

    file_bytes: int = Field(2_000_000_000, gt=0)
    duration_s: float = Field(6 * 3600.0, gt=0)
    channels: int = Field(16, gt=0)
    sample_rate_hz: int = Field(384_000, gt=0)
    archive_files: int = Field(10_000, gt=0)
    archive_bytes: int = Field(8_000_000_000, gt=0)
    archive_ratio: float = Field(200.0, gt=1)
    query_audio_s: float = Field(60.0, gt=0)
    sent_audio_s: float = Field(600.0, gt=0, description="sound that may be sent over /ws/understand at once")
    visitor_duration_s: float = Field(3600.0, gt=0, description="speech that one visitor's own collections may hold")
    visitor_hours: float = Field(24.0, gt=0, description="how long a visitor's own collections are kept")
    waiting_bytes: int = Field(
        8_000_000_000, gt=0, description="uploads of one visitor that may wait in the queue, of an address three times"
    )
    jobs_an_hour: int = Field(60, gt=0, description="tasks that one visitor may start an hour")
    searches_a_minute: int = Field(600, gt=0, description="questions that one visitor may ask a minute")
    free_disk_bytes: int = Field(1_000_000_000, ge=0, description="no job starts with less space left")
