"""What makes a library's vectors: its speech encoder, and its recognisers with the encoder of their transcripts."""

from __future__ import annotations

from dataclasses import dataclass

from speechsearch.audio.constellation import VERSION
from speechsearch.domain.values import Channel
from speechsearch.models.base import SoundEmbedder, SpeakerEncoder, SpeechEncoder
from speechsearch.models.baseline import Baseline

HEARING = "1"
"""Raised when the same speaker encoder would give other turns and voices."""


@dataclass(frozen=True, slots=True)
class Makers:
    """The models of a library; without a baseline there are no transcripts, without a speaker encoder no voices.

    Without a sound embedder nothing is found that sounds alike. ``has_peaks``: whether recordings keep their spectral
    peaks, by which copies are found.
    """

    speech_encoder: SpeechEncoder
    baselines: tuple[Baseline, ...] = ()
    speaker_encoder: SpeakerEncoder | None = None
    sound_embedder: SoundEmbedder | None = None
    has_peaks: bool = True

    @property
    def channels(self) -> tuple[Channel, ...]:
        """All channels that passages can have; the index keeps one named vector for each."""
        transcribed = (channel for baseline in self.baselines for channel in baseline.encoder.channels)
        return (*self.speech_encoder.channels, *transcribed)

    @property
    def of_sound(self) -> dict[str, str]:
        """The channels of sound -> the fingerprint of what makes them."""
        return {channel.name: self.speech_encoder.fingerprint for channel in self.speech_encoder.channels}

    @property
    def made_by(self) -> dict[str, str]:
        """All channels -> the fingerprint of what makes them now."""
        transcribed = {name: maker for one in self.baselines for name, maker in one.made_by.items()}
        return {**self.of_sound, **transcribed}

    @property
    def heard_by(self) -> str:
        """The fingerprint of what hears now who speaks; empty where nothing does."""
        return f"{self.speaker_encoder.fingerprint}:{HEARING}" if self.speaker_encoder else ""

    @property
    def peaks_by(self) -> str:
        """The fingerprint of what finds spectral peaks; empty where none are kept."""
        return f"peaks-{VERSION}" if self.has_peaks else ""

    @property
    def embedded_by(self) -> str:
        """The fingerprint of what hears which windows sound alike; empty where nothing does."""
        return self.sound_embedder.fingerprint if self.sound_embedder else ""
