"""Who speaks when: sound and a speaker encoder in, turns and voices out."""

from speechsearch.diarization.clustering import SAME_PERSON
from speechsearch.diarization.pipeline import Mode, diarize

__all__ = ["SAME_PERSON", "Mode", "diarize"]
