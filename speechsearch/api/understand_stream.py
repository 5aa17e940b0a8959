"""A stream of sound on its way from a socket to what hears it."""

from __future__ import annotations

from dataclasses import dataclass

import anyio
from anyio import CapacityLimiter, from_thread
from anyio.to_thread import run_sync

from speechsearch.api.sound_buffer import SoundBuffer
from speechsearch.api.understand_bodies import Start
from speechsearch.audio.live import EncodedStream, PcmStream
from speechsearch.domain.errors import SpeechSearchError, TooLargeError

LARGEST_FRAME_BYTES = 2**20
"""Half a minute of samples; who streams sends much less at once."""
FULL_S = 0.02
"""After so long it is looked whether a decoder takes more."""


@dataclass(eq=False)
class Stream:
    """What was asked for, the decoder, and the samples that wait to be heard."""

    asked: Start
    decoder: PcmStream | EncodedStream
    buffer: SoundBuffer

    async def take(self, data: bytes) -> None:
        """Decode a binary frame, or leave it where the stream is over; wait where there is no room."""
        try:
            if len(data) > LARGEST_FRAME_BYTES:
                raise TooLargeError(
                    f"A frame of a stream has {len(data):,} bytes.", "Send a second at a time, or less."
                )
            if isinstance(self.decoder, PcmStream):
                await self.buffer.put(self.decoder.decode(data))
                return
            left = memoryview(data)
            while left and self.buffer.is_open:
                taken = self.decoder.write(left)
                left = left[taken:]
                if not taken:
                    await anyio.sleep(FULL_S)
        except SpeechSearchError as error:
            self.buffer.end(error)

    async def decode(self, decoder: EncodedStream, threads: CapacityLimiter) -> None:
        """Pass on what the decoder makes of a container, until its end, or until it is closed."""

        def pull() -> None:
            for samples in decoder.samples():
                from_thread.run(self.buffer.put, samples)

        try:
            await run_sync(pull, limiter=threads)
            self.buffer.end()
        except (SpeechSearchError, OSError) as error:
            self.buffer.end(error)

    async def finish(self) -> None:
        """Say that nothing more comes."""
        if isinstance(self.decoder, PcmStream):
            await self.buffer.put(self.decoder.rest())
            self.buffer.end()
        else:
            self.decoder.finish()

    def close(self) -> None:
        """End it; nobody listens any more."""
        self.buffer.close()
        if isinstance(self.decoder, EncodedStream):
            self.decoder.close()
