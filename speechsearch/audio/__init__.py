"""Sound in: any readable file becomes 16 kHz mono blocks, speech spans and passages."""

from speechsearch.audio.decode import load, probe, read_span, stream
from speechsearch.audio.passages import passages
from speechsearch.audio.playback import levelled, media_type, to_wav, write_flac
from speechsearch.audio.readers import SoundInfo
from speechsearch.audio.segmentation import cut
from speechsearch.audio.spans import sounds_at
from speechsearch.audio.voice_activity import speech_spans

__all__ = [
    "SoundInfo",
    "cut",
    "levelled",
    "load",
    "media_type",
    "passages",
    "probe",
    "read_span",
    "sounds_at",
    "speech_spans",
    "stream",
    "to_wav",
    "write_flac",
]
