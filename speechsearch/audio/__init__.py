"""Sound in: any readable file becomes 16 kHz mono blocks, speech spans and passages.

``probe``, ``stream``, ``stream_channels``, ``load``, ``question`` and ``passages`` take files from outside and read
them in a child process. ``read_span`` and ``media_type`` read in the calling process, fast enough for a player's
request: give them only recordings of the library, which were decoded whole in a child, within its limits, before they
were kept.
"""

from speechsearch.audio.decode import read_span
from speechsearch.audio.passages import passages
from speechsearch.audio.playback import levelled, media_type, to_wav, write_flac
from speechsearch.audio.question import question
from speechsearch.audio.segmentation import cut
from speechsearch.audio.spans import sounds_at
from speechsearch.audio.track import SoundInfo
from speechsearch.audio.untrusted import load, probe, stream, stream_channels
from speechsearch.audio.voice_activity import speech_spans

__all__ = [
    "SoundInfo",
    "cut",
    "levelled",
    "load",
    "media_type",
    "passages",
    "probe",
    "question",
    "read_span",
    "sounds_at",
    "speech_spans",
    "stream",
    "stream_channels",
    "to_wav",
    "write_flac",
]
