"""The only reader of the environment and of ``.env``: nested, frozen, unknown keys refused.

Variables are named ``SPEECHSEARCH_<GROUP>__<NAME>``, for example ``SPEECHSEARCH_SERVER__PORT=8000``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Group(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerSettings(Group):
    """Where the page is served."""

    host: str = "127.0.0.1"
    port: int = Field(7860, ge=0, le=65535)
    root_path: str = ""


class IndexSettings(Group):
    """Where the vectors live: a folder (Qdrant Edge) unless a Qdrant server's URL is set."""

    url: str = ""
    api_key: SecretStr = SecretStr("")
    name: str = "speechsearch"


class StoreSettings(Group):
    """Where recordings and passages are kept: SQLite in the data folder unless a database URL is set."""

    url: SecretStr = SecretStr("")


class SegmentationSettings(Group):
    """How a recording is cut: at pauses, or not at all (one passage a file)."""

    method: Literal["pauses", "none"] = "pauses"
    shortest_s: float = Field(5.0, gt=0)
    longest_s: float = Field(30.0, gt=1)
    longest_whole_s: float = Field(120.0, gt=1, description="the longest file that method 'none' takes")


class LimitSettings(Group):
    """What an upload may be."""

    file_bytes: int = Field(2_000_000_000, gt=0)
    duration_s: float = Field(6 * 3600.0, gt=0)
    channels: int = Field(16, gt=0)
    sample_rate_hz: int = Field(384_000, gt=0)
    archive_files: int = Field(10_000, gt=0)
    archive_bytes: int = Field(8_000_000_000, gt=0)
    archive_ratio: float = Field(200.0, gt=1)
    query_audio_s: float = Field(60.0, gt=0)


class EngineSettings(Group):
    """Which engines are indexed and which recogniser the baseline uses."""

    encoder: str = "mini"
    recognizer: str = "mini"
    threads: int = Field(0, ge=0, description="CPU threads; 0 takes all")


class Settings(BaseSettings):
    """All settings."""

    model_config = SettingsConfigDict(
        env_prefix="SPEECHSEARCH_",
        env_nested_delimiter="__",
        env_file=".env",
        extra="forbid",
        frozen=True,
    )

    data_dir: Path = Path("data")
    server: ServerSettings = ServerSettings()
    index: IndexSettings = IndexSettings()
    store: StoreSettings = StoreSettings()
    segmentation: SegmentationSettings = SegmentationSettings()
    limits: LimitSettings = LimitSettings()
    engines: EngineSettings = EngineSettings()
