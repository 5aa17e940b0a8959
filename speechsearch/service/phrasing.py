"""Quotes put into a language model's words, sentence by sentence, within a time: it works in a thread of its own.

Where it takes too long, fails, or was never loaded before and is only being made ready, the quotes are the answer. The
thread ends with the token that is being written; a model that is being loaded or made is loaded to the end, so that the
next question has it. Of questions that it has no time for, only so many wait: those after them get the quotes at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from queue import Empty, SimpleQueue

from speechsearch.answers.phrase import MOST_TOKENS, STOP, messages, phrased
from speechsearch.domain.answers import Sentence
from speechsearch.domain.errors import SpeechSearchError, TooManyError
from speechsearch.models.base import LanguageModel

log = logging.getLogger(__name__)

AT_WORK = 4
"""So many threads write, or wait for those that do; a model that is slower than its time would gather more and more."""
TOO_LATE = "The language model took longer than {:g} s, so the answer is what there was until then, or the quotes."


class Phraser:
    """Puts quotes into words."""

    def __init__(self, model: LanguageModel, timeout_s: float) -> None:
        """``timeout_s``: so long after the question the quotes are the answer, or what of it is said already."""
        self.model = model
        self._timeout_s = timeout_s
        self._places = threading.BoundedSemaphore(AT_WORK)

    def phrase(
        self, question: str, quotes: Sequence[Sentence]
    ) -> Generator[Sentence, None, tuple[list[Sentence], str]]:
        """Yield the sentences that the quotes say, as soon as each is checked; return all, and what went wrong, or "".

        Where nothing was said yet when something goes wrong, the quotes come.
        """
        said: list[Sentence] = []
        note = ""
        pieces = self._in_time(self.model.generate(messages(question, quotes), MOST_TOKENS, STOP))
        try:
            for sentence in phrased(question, pieces, quotes):
                said.append(sentence)
                yield sentence
        except TimeoutError:
            note = TOO_LATE.format(self._timeout_s)
        except SpeechSearchError as error:
            note = f"The language model could not be asked, so these are the quotes. {error.message}"
        except (MemoryError, RuntimeError) as error:  # what PyTorch and CTranslate2 raise in the midst of writing
            log.error("the language model '%s' failed: %s", self.model.name, error)
            note = "The language model failed, so these are the quotes."
        finally:
            pieces.close()
        if note and not said:
            said.extend(quotes)
            yield from quotes
        return said, note

    def _in_time(self, pieces: Iterator[str]) -> Generator[str]:
        """Yield pieces that come in time. Raises TimeoutError, TooManyError, and what making them raises."""
        if not self._places.acquire(blocking=False):
            raise TooManyError("It is still at work on earlier questions.")
        came: SimpleQueue[str | Exception | None] = SimpleQueue()
        is_over = threading.Event()

        def work() -> None:
            try:
                for piece in pieces:
                    came.put(piece)
                    if is_over.is_set():
                        break
                came.put(None)
            except Exception as error:
                came.put(error)
                if is_over.is_set():
                    log.warning("the language model '%s' failed after its time: %s", self.model.name, error)
            finally:
                self._places.release()
                close = getattr(pieces, "close", None)
                if close is not None:
                    close()

        ends_s = time.monotonic() + self._timeout_s
        try:
            threading.Thread(target=work, name="language-model").start()
        except RuntimeError:  # the system gives no thread
            self._places.release()
            raise
        try:
            while True:
                try:
                    piece = came.get(timeout=max(0.0, ends_s - time.monotonic()))
                except Empty:
                    raise TimeoutError from None
                if piece is None:
                    return
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            is_over.set()
