"""One client of ``/ws/understand``: what it sends is answered in order, one thing at a time, by steps in threads."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio
import numpy as np
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import WebSocket, WebSocketDisconnect

from speechsearch.api.answer_bodies import AnswerBody
from speechsearch.api.doors import LONGEST_QUESTION_BYTES
from speechsearch.api.openai_work import in_steps
from speechsearch.api.sent_sounds import SentSounds
from speechsearch.api.sound_buffer import SoundBuffer
from speechsearch.api.throttle import Throttle
from speechsearch.api.transcription_turns import Turns
from speechsearch.api.understand_bodies import (
    Ahead,
    AnswerTold,
    ClientMessage,
    End,
    Ended,
    ErrorTold,
    EvidenceTold,
    LoadModels,
    ModelsLoaded,
    Ping,
    Pong,
    ProgressTold,
    QuotesTold,
    Ready,
    ResultTold,
    SegmentBody,
    SentenceTold,
    Start,
    Started,
    Told,
    Transcribe,
    UnderstandAsked,
)
from speechsearch.api.understand_messages import WHAT_TO_SEND, count, heard_told, object_of, parsed
from speechsearch.api.understand_stream import Stream
from speechsearch.audio.live import EncodedStream
from speechsearch.domain.answers import Answer, AnswerEvent, Evidence, Quotes
from speechsearch.domain.errors import InputError, SpeechSearchError, TooLargeError, TooManyError
from speechsearch.domain.progress import Progress
from speechsearch.domain.segments import Segment
from speechsearch.domain.values import Audio
from speechsearch.domain.visitors import Visitor
from speechsearch.service.listening import Final, Heard
from speechsearch.service.understanding import Sent

if TYPE_CHECKING:
    from speechsearch.service.understanding import Understand

log = logging.getLogger(__name__)

WAITING = 8
"""So many messages of a client may wait to be answered, and no more bytes in them than a question may have."""
CASCADE = "cascade"
"""A recogniser writes down what is said, and a reader looks for the answer to that."""
SEND_S = 30.0
"""A client that takes nothing for so long is gone."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """What all clients share. ``turns.piece``: is held for each step of anybody's work, in the order they came.

    ``decoders``: threads in which sound is decoded.
    """

    understand: Understand
    sounds: SentSounds
    throttle: Throttle
    turns: Turns
    decoders: CapacityLimiter
    idle_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """A message that waits to be answered, with the bytes that came before it, or the stream that it begins."""

    asked: ClientMessage
    content: bytes | None = None
    stream: Stream | None = None

    @property
    def held_bytes(self) -> int:
        """How much it keeps in memory while it waits."""
        audio = self.asked.audio if isinstance(self.asked, Transcribe) else None
        return len(self.content or b"") + len(audio or "")


class Client:
    """A client that is connected."""

    def __init__(self, socket: WebSocket, visitor: Visitor, shared: Shared) -> None:
        self._socket, self._visitor, self._shared = socket, visitor, shared
        self._understand, self._scope = shared.understand, socket.scope
        self._sending = anyio.Lock()
        self._tasks = anyio.create_task_group()
        self._at_work = self._held_bytes = 0
        self._bytes = bytearray()
        self._stream: Stream | None = None
        self._streams: set[Stream] = set()
        self._sent: Sent | None = None

    async def serve(self) -> None:
        """Answer until the client is gone, or silent for too long."""
        self._put, self._asked = anyio.create_memory_object_stream[Work](WAITING)
        try:
            async with self._tasks, self._put, self._asked:
                self._tasks.start_soon(self._work)
                await self._read()
                self._tasks.cancel_scope.cancel()
        finally:
            for stream in self._streams:
                stream.close()

    async def tell(self, told: Told) -> None:
        """Send a message; a client that is gone ends everything."""
        body = told.model_dump(mode="json", by_alias=True)
        if told.id is None:
            del body["id"]
        try:
            async with self._sending:
                with anyio.fail_after(SEND_S):
                    await self._socket.send_json(body)
        except (WebSocketDisconnect, TimeoutError, OSError):
            self._tasks.cancel_scope.cancel()

    async def _read(self) -> None:
        """Take messages as they come, until there is none for too long while nothing is done either."""
        while True:
            with anyio.move_on_after(self._shared.idle_s) as waited:
                message = await self._socket.receive()
            if waited.cancelled_caught:
                if self._at_work:
                    continue
                seconds = f"{self._shared.idle_s:g}"
                await self.tell(ErrorTold.of(TooManyError(f"Nothing came for {seconds} seconds.", "Connect again.")))
                await self._socket.close(1001)
                return
            if message["type"] == "websocket.disconnect":
                return
            request: dict[str, object] = {}
            try:
                if (data := message.get("bytes")) is not None:
                    await self._take(data)
                else:
                    request = object_of(message["text"])
                    await self._begin(parsed(request))
            except SpeechSearchError as error:
                given = request.get("id")
                await self.tell(ErrorTold.of(error, given[:64] if isinstance(given, str) else None))

    async def _take(self, data: bytes) -> None:
        """Take a binary frame: of a stream, or of a file that will be asked about."""
        if self._stream is not None:
            await self._stream.take(data)
            return
        if len(self._bytes) + len(data) > LONGEST_QUESTION_BYTES:
            self._bytes.clear()
            raise TooLargeError(f"More than {LONGEST_QUESTION_BYTES:,} bytes are not taken at once.", "Stream it.")
        self._bytes += data

    async def _begin(self, message: ClientMessage) -> None:
        """Answer a message at once, or let it wait for those before it."""
        if isinstance(message, Ping):
            await self.tell(Pong(id=message.id))
            return
        if isinstance(message, End):
            if self._stream is None:
                raise InputError("There is no stream to end.", "Begin one with 'start'.")
            stream, self._stream = self._stream, None
            await stream.finish()
            return
        if self._stream is not None:
            raise InputError("A stream is still open.", "Send 'end' first.")
        count(self._shared.throttle, self._scope, message)
        work = Work(message, self._collected(message), self._opened(message) if isinstance(message, Start) else None)
        is_room = self._put.statistics().current_buffer_used < WAITING
        if not is_room or self._held_bytes + work.held_bytes > LONGEST_QUESTION_BYTES:
            if work.stream is not None:
                work.stream.close()
            raise TooManyError("Too much of yours waits already.", "Wait for the answers.")
        self._held_bytes += work.held_bytes
        self._put.send_nowait(work)
        if work.stream is not None:
            self._stream = work.stream
            self._streams.add(work.stream)

    def _collected(self, message: ClientMessage) -> bytes | None:
        """Return what binary frames have brought since they were asked about last; None where they are not meant."""
        if isinstance(message, LoadModels):
            return None
        content, self._bytes = bytes(self._bytes), bytearray()
        is_meant = not isinstance(message, Transcribe) or (message.audio is None and message.upload_id is None)
        return content if content and is_meant else None

    def _opened(self, start: Start) -> Stream:
        async def on_ahead(waiting_s: float) -> None:
            await self.tell(Ahead(id=start.id, waiting_s=round(waiting_s, 1)))

        decoder = self._understand.decoder(start.encoding, start.rate_hz, start.channels, self._visitor)
        return Stream(start, decoder, SoundBuffer(self._understand.longest_s(self._visitor), on_ahead))

    async def _work(self) -> None:
        """Answer what waits, one after the other."""
        async for work in self._asked:
            asked, is_stream = work.asked, work.stream is not None  # of a stream, the client may be waited for
            self._held_bytes -= work.held_bytes
            self._at_work += not is_stream
            try:
                await self._answer(work)
            except SpeechSearchError as error:
                await self.tell(ErrorTold.of(error, asked.id))
            except Exception:  # the door: what went wrong stays in the terminal
                log.exception("a message of %s could not be answered", asked.type)
                await self.tell(ErrorTold.of(SpeechSearchError("Something went wrong here."), asked.id))
            finally:
                self._at_work -= not is_stream

    async def _answer(self, work: Work) -> None:
        if work.stream is not None:
            await self._listen(work.stream)
        elif isinstance(work.asked, LoadModels):
            await self._load(work.asked)
        elif isinstance(work.asked, Transcribe):
            await self._transcribe(work.asked, work.content)
        elif isinstance(work.asked, UnderstandAsked):
            await self._answer_about(work.asked, work.content)

    async def _load(self, asked: LoadModels) -> None:
        async def tell(one: Progress) -> None:
            told = ProgressTold(id=asked.id, stage=one.stage, name=one.name, done=one.done, total=one.total)
            await self.tell(told)

        await self._each(self._understand.load, tell)
        await self.tell(Ready(id=asked.id, models=[name for _, name in self._understand.models]))
        await self.tell(ModelsLoaded(id=asked.id))

    async def _transcribe(self, asked: Transcribe, content: bytes | None) -> None:
        sent = await self._written(await self._content(asked, content), asked.language)
        shapes = await self._all(partial(self._understand.features_shapes, sent.sound))
        begin = partial(self._understand.respond, sent.text, asked.told(), asked.query(), self._visitor, asked.engine)
        model = self._understand.speech_model
        if model:
            replies = await self._all(partial(self._understand.reply, sent.sound, asked.told()))
            answer, response = None, " ".join(filter(None, replies))
        else:
            events = await self._all(begin)
            answer = events[-1] if events and isinstance(events[-1], Answer) else None
            response = answer.text if answer else ""
        result = ResultTold(
            id=asked.id,
            transcript=sent.text,
            response=response,
            speech_features_shape=(1, sum(count for count, _ in shapes), max((one for _, one in shapes), default=0)),
            model=f"{model} (experimental)" if model else CASCADE,
            duration_s=round(sent.sound.duration_s, 3),
            segments=[SegmentBody.of(one) for one in sent.segments],
            answer=AnswerBody.of(answer) if answer else None,
        )
        await self.tell(result)

    async def _answer_about(self, asked: UnderstandAsked, content: bytes | None) -> None:
        sent = await self._written(content, None)
        query = asked.query(asked.question)
        begin = partial(self._understand.answer, sent, asked.told(), query, self._visitor, asked.engine)

        async def tell(event: AnswerEvent) -> None:
            told: Told
            if isinstance(event, Evidence):
                told = EvidenceTold.of(event)
            elif isinstance(event, Answer):
                told = AnswerTold.of(event)
            elif isinstance(event, Quotes):
                told = QuotesTold.of(event)
            else:
                told = SentenceTold.of(event)
            told.id = asked.id
            await self.tell(told)

        await self._each(begin, tell)

    async def _content(self, asked: Transcribe, collected: bytes | None) -> bytes | None:
        """Return the bytes of the sound that a message is about; None: that of before."""
        if asked.audio is not None:
            try:
                return await run_sync(partial(base64.b64decode, asked.audio, validate=True))
            except (binascii.Error, ValueError) as error:
                raise InputError("'audio' is not base64.", WHAT_TO_SEND) from error
        if asked.upload_id is not None:
            return await run_sync(self._shared.sounds.content, asked.upload_id, self._visitor)
        return collected

    async def _written(self, content: bytes | None, language: str | None) -> Sent:
        """Return a sound with what is said in it, or that of before; it is the one asked about from now on."""
        if content is not None:
            decoders = self._shared.decoders  # the threads of their own: all other routes need the others
            sound = await run_sync(self._understand.sound, content, self._visitor, limiter=decoders)
            begin = partial(self._understand.segments, sound, language)
            self._sent = Sent(sound, tuple(await self._all(begin)))
        if self._sent is None:
            raise InputError("No sound was sent.", WHAT_TO_SEND)
        return self._sent

    async def _listen(self, stream: Stream) -> None:
        """Tell what is said in a stream while it comes in."""
        asked, buffer = stream.asked, stream.buffer
        segments, kept = list[Segment](), list[np.ndarray[tuple[int], np.dtype[np.float32]]]()
        await self.tell(Started(id=asked.id, longest_s=buffer.longest_s))
        if isinstance(stream.decoder, EncodedStream):
            self._tasks.start_soon(stream.decode, stream.decoder, self._shared.decoders)
        failed: SpeechSearchError | None = None
        try:
            live = self._understand.live(asked.language)
            try:
                async for samples in buffer.pieces():
                    kept.append(samples)
                    await self._tell_heard(asked, partial(live.hear, samples), segments)
            except SpeechSearchError as error:  # what was heard until then is written down still
                failed = error
            await self._tell_heard(asked, live.finish, segments)
        finally:
            self._streams.discard(stream)
            stream.close()
            self._sent = Sent(Audio(np.concatenate([np.zeros(0, np.float32), *kept])), tuple(segments))
        if failed is not None:
            raise failed
        await self.tell(
            Ended(id=asked.id, duration_s=round(self._sent.sound.duration_s, 3), transcript=self._sent.text)
        )

    async def _tell_heard(self, asked: Start, begin: Callable[[], Iterator[Heard]], segments: list[Segment]) -> None:
        async def tell(one: Heard) -> None:
            if isinstance(one, Final):
                segments.append(one.segment)
            told = heard_told(one)
            told.id = asked.id
            await self.tell(told)

        await self._each(begin, tell)

    async def _each(self, begin: Callable[[], Iterator[T]], do: Callable[[T], Awaitable[None]]) -> None:
        """Do something with each that a generator gives; a step of it is made in a thread, in turn with others'.

        After the quotes a language model writes, in a thread of its own: it holds nobody up.
        """
        self._at_work += 1
        try:
            steps = in_steps(begin, self._shared.turns.piece, Quotes, self._shared.decoders)
            async with aclosing(steps) as found:
                async for one in found:
                    await do(one)
        finally:
            self._at_work -= 1

    async def _all(self, begin: Callable[[], Iterator[T]]) -> list[T]:
        found = list[T]()

        async def keep(one: T) -> None:
            found.append(one)

        await self._each(begin, keep)
        return found
