"""Which words of a transcript that is still being made are certain: those on which two guesses in a row agree.

Source: Liu et al., 2020, Low-Latency Sequence-to-Sequence Speech Recognition (Interspeech), LocalAgreement; Macháček et
al., 2023, Turning Whisper into Real-Time Transcription System (arXiv 2307.14743), by word times.
Differs: words are compared without case and punctuation, and are shown as the second guess writes them.
"""

from __future__ import annotations

from collections.abc import Sequence

from speechsearch.domain.values import Transcript, Word

SAID_AGAIN = 5
"""So many words at most that are certain already may be guessed again, because their times have moved."""
EARLIER_S = 0.1
"""A guess may hear a word so much earlier than the one before."""


class Agreement:
    """The words of a window of sound, guessed again and again while it grows; what is ``certain`` never changes.

    >>> words = lambda text: [Word(word, place, place + 1.0) for place, word in enumerate(text.split())]
    >>> agreement = Agreement()
    >>> agreement.guess(words("the old fairy")); agreement.guess(words("The old ferry left"))
    >>> [word.text for word in agreement.certain], [word.text for word in agreement.open]
    (['The', 'old'], ['ferry', 'left'])
    """

    def __init__(self) -> None:
        self.certain: list[Word] = []
        self.open: list[Word] = []

    def guess(self, words: Sequence[Word]) -> None:
        """Take a further guess of the whole window, in order of time."""
        new = after(words, self.certain)
        agreed = 0
        while agreed < min(len(new), len(self.open)) and bare(new[agreed]) == bare(self.open[agreed]):
            agreed += 1
        self.certain += new[:agreed]
        self.open = new[agreed:]

    def finish(self, words: Sequence[Word]) -> list[Word]:
        """Take the last guess and return all words: the certain ones, and what it hears after them."""
        return [*self.certain, *after(words, self.certain)]

    def cut(self, count: int) -> list[Word]:
        """Take out the first ``count`` certain words and return them; the others stay certain."""
        done, self.certain = self.certain[:count], self.certain[count:]
        return done


def after(words: Sequence[Word], certain: Sequence[Word]) -> list[Word]:
    """Return the words of a guess that come after the certain ones.

    >>> certain = [Word("old", 0.0, 1.0)]
    >>> [word.text for word in after([Word("Old,", 0.2, 1.3), Word("ferry", 1.3, 2.0)], certain)]
    ['ferry']
    """
    if not certain:
        return list(words)
    until_s = certain[-1].end_s - EARLIER_S
    later = [word for word in words if (word.start_s + word.end_s) / 2 > until_s]
    for count in range(min(SAID_AGAIN, len(certain), len(later)), 0, -1):
        if [bare(word) for word in certain[-count:]] == [bare(word) for word in later[:count]]:
            return later[count:]
    return later


def bare(word: Word) -> str:
    """Return a word without case and punctuation; of signs alone, themselves.

    >>> bare(Word("Ferry,", 0, 1)), bare(Word("$", 0, 1))
    ('ferry', '$')
    """
    return "".join(filter(str.isalnum, word.text.casefold())) or word.text


def timed(said: Transcript, begin_s: float, duration_s: float) -> list[Word]:
    """Return a transcript's words with times from ``begin_s`` on; without times, by their share of the letters.

    >>> timed(Transcript("so bees", "r"), 10.0, 3.0)
    [Word(text='so', start_s=10.0, end_s=11.0), Word(text='bees', start_s=11.0, end_s=13.0)]
    """
    if said.words:
        return [Word(word.text, begin_s + word.start_s, begin_s + word.end_s) for word in said.words]
    texts = said.text.split()
    a_letter_s = duration_s / max(1, sum(map(len, texts)))
    words, at_s = [], begin_s
    for text in texts:
        words.append(Word(text, at_s, at_s + len(text) * a_letter_s))
        at_s = words[-1].end_s
    return words
