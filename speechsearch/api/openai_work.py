"""From a file that was sent to OpenAI's answer: in a worker thread, when it is its turn, whole or piece by piece."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from contextlib import aclosing
from functools import partial
from typing import TypeVar, cast

import anyio
from anyio import from_thread
from anyio.to_thread import run_sync
from pydantic import BaseModel
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from speechsearch.api.openai_answers import EventStream
from speechsearch.api.openai_asked import Asked
from speechsearch.api.openai_bodies import (
    DeltaBody,
    DiarizedBody,
    DoneBody,
    SpokenSegmentBody,
    TranscriptionBody,
    TranslationBody,
    UsageBody,
    VerboseBody,
    separator,
    text_of,
)
from speechsearch.api.openai_errors import failure_of
from speechsearch.api.transcription_turns import Place, Turns
from speechsearch.domain.captions import as_captions
from speechsearch.domain.errors import TooLongError
from speechsearch.domain.progress import Progress
from speechsearch.domain.segments import Segment, language_of
from speechsearch.domain.spoken_by import with_speakers
from speechsearch.service.diarizer import Diarizer
from speechsearch.service.transcript_formats import captions
from speechsearch.service.transcription import Transcriber

T = TypeVar("T")


class Work:
    """One request on its way to an answer.

    Args:
        asked: what is asked for.
        transcriber: writes files down.
        diarizer: says who speaks when.
        turns: whose turn it is.
        place: this request's place among them.
    """

    def __init__(
        self,
        asked: Asked,
        transcriber: Transcriber,
        diarizer: Diarizer,
        turns: Turns,
        place: Place,
    ) -> None:
        self.asked, self.events = asked, EventStream()
        self._transcriber, self._diarizer = transcriber, diarizer
        self._turns, self._place = turns, place
        self._duration_s = 0.0

    async def whole(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer when all is written."""
        async with aclosing(self._segments()) as found:
            segments = [one async for one in found]
        await self._answer(segments)(scope, receive, send)

    async def streamed(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events while it is being written; what goes wrong after the first of them is an event too."""
        is_diarized, segments = self.asked.format == "diarized_json", list[Segment]()
        try:
            async with aclosing(self._segments()) as found:
                async for one in found:
                    body = SpokenSegmentBody.of(len(segments), one)
                    delta = separator(one, len(segments)) + one.text
                    await self.events.say(send, DeltaBody(delta=delta, segment_id=body.id if is_diarized else None))
                    if is_diarized:
                        await self.events.say(send, body)
                    segments.append(one)
            await self.events.say(send, DoneBody(text=text_of(segments)))
        except Exception as error:  # the door: the status is sent already
            if not self.events.has_begun:
                raise
            await self.events.say(send, failure_of(error)[1])
        await self.events.end(send)

    async def _segments(self) -> AsyncGenerator[Segment]:
        """Yield what is said, as soon as it is written, when it is this request's turn."""
        asked = self.asked
        await self._turns.begin(self._place)
        self._duration_s = await run_sync(self._transcriber.duration_s, asked.path, asked.name)
        if self._duration_s > asked.longest_s:
            raise TooLongError(
                f"{asked.name} lasts {self._duration_s:,.0f} s; you may send {asked.longest_s:,.0f} s at once.",
                "Cut it into parts.",
            )
        turns, names = None, {}
        if asked.format == "diarized_json":
            diarize = partial(self._diarizer.diarize, asked.path, name=asked.name, progress=halt_if_cancelled)
            heard = await run_sync(diarize)
            turns, names = heard.turns, {voice.number: letters(voice.number) for voice in heard.voices}
        begin = partial(
            self._transcriber.segments,
            asked.path,
            model=asked.model,
            language=asked.language,
            hotwords=asked.hotwords,
            to_english=asked.to_english,
            name=asked.name,
        )
        async with aclosing(in_steps(begin, self._turns.piece)) as found:
            async for segment in found:
                for one in [segment] if turns is None else with_speakers([segment], turns, names):
                    yield one

    def _answer(self, segments: Sequence[Segment]) -> Response:
        """Return the answer to a request of which all is written."""
        asked, duration_s = self.asked, self._duration_s
        if asked.format == "text":
            return PlainTextResponse(text_of(segments) + "\n")
        if asked.format == "srt" or asked.format == "vtt":
            return PlainTextResponse(as_captions(captions(segments), asked.format))
        body: BaseModel
        if asked.format == "diarized_json":
            body = DiarizedBody.of(segments, duration_s)
        elif asked.format == "verbose_json":
            language = asked.language or language_of(segments) or asked.only_language
            body = VerboseBody.of(segments, duration_s, asked.granularities, language, asked.to_english)
        elif asked.to_english:
            body = TranslationBody(text=text_of(segments))
        else:
            body = TranscriptionBody(text=text_of(segments), usage=UsageBody(seconds=round(duration_s, 3)))
        return JSONResponse(body.model_dump(exclude_none=True))


async def in_steps(
    begin: Callable[[], Iterator[T]],
    piece: anyio.Lock,
    waits_after: type | None = None,
    waiting: anyio.CapacityLimiter | None = None,
) -> AsyncGenerator[T]:
    """Yield what a generator gives; it is made and asked in worker threads, and closed when nobody wants more.

    ``piece`` is held for each of its steps; not for those after something of the kind ``waits_after``, which only wait
    for work that is done elsewhere, in the threads of ``waiting``.
    """
    async with piece:
        iterator = cast(Generator[T], await run_sync(begin))
    is_waiting = False
    try:
        while True:
            if is_waiting:
                one = await run_sync(next, iterator, None, limiter=waiting)
            else:
                async with piece:
                    one = await run_sync(next, iterator, None)
            if one is None:
                return
            is_waiting = is_waiting or (waits_after is not None and isinstance(one, waits_after))
            yield one
    finally:
        with anyio.CancelScope(shield=True):
            await run_sync(iterator.close)


def halt_if_cancelled(progress: Progress) -> None:
    """Raise in a worker thread if nobody waits for its work any more."""
    from_thread.check_cancelled()


def letters(number: int) -> str:
    """Return how OpenAI calls a voice, the first is 1.

    >>> letters(1), letters(26), letters(27)
    ('A', 'Z', 'AA')
    """
    before, last = divmod(number - 1, 26)
    return (letters(before) if before else "") + chr(ord("A") + last)
