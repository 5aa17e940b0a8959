"""Who speaks when: sound and a speaker encoder in, turns and voices out."""

from speechsearch.diarization.pipeline import Mode, diarize

__all__ = ["Mode", "diarize"]
