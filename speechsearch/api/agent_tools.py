"""What an assistant needs beside the search: read on around a passage, list, transcribe, listen, add, look how far.

Every answer is bounded, and says how to get the rest.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar

from pydantic import BaseModel, Field

from speechsearch.api.bodies import CoverageBody, audio_address, page_address
from speechsearch.api.clip_routes import CONTEXT_S
from speechsearch.api.job_routes import JobBody
from speechsearch.api.recording_routes import RecordingBody
from speechsearch.domain.errors import InputError, NotAllowedError, TooLargeError
from speechsearch.domain.values import Passage, Recording, Transcript
from speechsearch.domain.visitors import Visitor
from speechsearch.library.contents import fits
from speechsearch.service.outward import check_address

if TYPE_CHECKING:
    from speechsearch.jobs.queue import JobQueue
    from speechsearch.service.open import Service

MOST_RECORDINGS, MOST_TASKS, MOST_NEIGHBOURS = 50, 20, 5
MOST_CHARACTERS = 20_000
"""Of a transcript in one answer; about twenty minutes of speech."""
LONGEST_CLIP_S = 90.0
LARGEST_ADDED_BYTES = 5_000_000
"""In base64 it has to fit a request of 8 MiB."""

PassageId = Annotated[str, Field(max_length=36, description="The passage_id of a hit.")]
RecordingId = Annotated[str, Field(max_length=64, description="The recording_id of a hit or of `recordings`.")]
Neighbours = Annotated[int, Field(ge=0, le=MOST_NEIGHBOURS, description="How many passages before and after it.")]
Into = Annotated[str, Field(max_length=80, description="The collection they go to; made if there is none.")]


Found = TypeVar("Found")


class Asking(Protocol):
    """Calls a function of the service for the visitor whose request it is, in a thread; errors are told."""

    def __call__(self, function: Callable[[Visitor], Found]) -> Awaitable[Found]: ...  # noqa: D102


class SaidBody(BaseModel):
    """A passage: when it is said, and what a recogniser made of it (empty where nothing is written yet)."""

    passage_id: str
    start_s: float
    end_s: float
    transcript: str

    @classmethod
    def of(cls, passage: Passage, transcript: Transcript | None) -> SaidBody:
        """Return the body of a passage."""
        span, text = passage.span, transcript.text if transcript else ""
        return cls(passage_id=passage.passage_id, start_s=span.start_s, end_s=span.end_s, transcript=text)


class ContextBody(BaseModel):
    """A passage with those around it; ``page_url`` and ``audio_url`` play it alone."""

    recording: RecordingBody
    before: list[SaidBody]
    passage: SaidBody
    after: list[SaidBody]
    page_url: str
    audio_url: str


class ListBody(BaseModel):
    """Some of the recordings, by title; ``next_offset`` leads to more, null at the end."""

    total: int
    recordings: list[RecordingBody]
    next_offset: int | None


class TranscriptBody(BaseModel):
    """A stretch of a recording in passages; ``next_start_s`` leads to more, null at the end."""

    recording_id: str
    title: str
    duration_s: float
    passages: list[SaidBody]
    next_start_s: float | None


class StatusBody(BaseModel):
    """What there is, how much of it the baseline can search by transcript, and the last tasks, newest first."""

    collections: int
    recordings: int
    passages: int
    transcribed: CoverageBody | None
    tasks: list[JobBody]


def reading_tools(service: Service, ask: Asking) -> list[Callable[..., Any]]:
    """Return the tools that only read."""
    browse = service.browse

    async def passage(passage_id: PassageId, context: Neighbours = 1) -> ContextBody:
        """Read a passage with what is said before and after it, to judge a hit or to quote it in its context."""

        def found(visitor: Visitor) -> ContextBody:
            one = browse.passage(passage_id, visitor)
            said = browse.transcribed(one.recording_id, visitor)
            at = [other.passage_id for other, _ in said].index(passage_id)
            bodies = [SaidBody.of(*pair) for pair in said[max(0, at - context) : at + context + 1]]
            middle = min(at, context)
            return ContextBody(
                recording=RecordingBody.of(browse.recording(one.recording_id, visitor)),
                before=bodies[:middle],
                passage=bodies[middle],
                after=bodies[middle + 1 :],
                page_url=page_address(one),
                audio_url=audio_address(one),
            )

        return await ask(found)

    async def recordings(
        collection: Annotated[str, Field(max_length=200, description="Only this collection; all when empty.")] = "",
        words: Annotated[str, Field(max_length=200, description="Only with these in title, speaker or date.")] = "",
        limit: Annotated[int, Field(ge=1, le=MOST_RECORDINGS, description="How many at most.")] = 20,
        offset: Annotated[int, Field(ge=0, description="How many to pass over: next_offset of the answer before.")] = 0,
    ) -> ListBody:
        """List recordings with title, speaker, date, length and id; use `search` to find what is said in them."""

        def found(visitor: Visitor) -> ListBody:
            all_of_them = [one for one in browse.recordings(collection or None, visitor) if fits(one, words)]
            end = offset + limit
            page = [RecordingBody.of(one) for one in all_of_them[offset:end]]
            return ListBody(
                total=len(all_of_them), recordings=page, next_offset=end if end < len(all_of_them) else None
            )

        return await ask(found)

    async def transcript(
        recording_id: RecordingId,
        start_s: Annotated[float, Field(ge=0, description="From this second on.")] = 0.0,
        end_s: Annotated[float | None, Field(ge=0, description="Up to this second; to the end when left out.")] = None,
    ) -> TranscriptBody:
        """Read what is said in a recording, or in a stretch of it. Recognisers mishear names; listen to the clip."""

        def found(visitor: Visitor) -> TranscriptBody:
            recording = browse.recording(recording_id, visitor)
            return transcript_of(recording, browse.transcribed(recording_id, visitor), start_s, end_s)

        return await ask(found)

    async def clip(
        passage_id: PassageId,
        context_s: Annotated[float, Field(ge=0, le=10, description="Seconds before and after it.")] = CONTEXT_S,
    ) -> list[Any]:
        """Listen to a passage: its sound as WAV (16 kHz, mono), at most 90 seconds, and a line that says what it is."""
        from mcp.server.fastmcp.utilities.types import Audio

        def found(visitor: Visitor) -> list[Any]:
            one = browse.passage(passage_id, visitor)
            around_s = max(0.0, min(context_s, (LONGEST_CLIP_S - one.span.duration_s) / 2))
            if one.span.duration_s > LONGEST_CLIP_S:
                hint = f"Fetch {audio_address(one)} from this server."
                raise TooLargeError(f"The passage lasts {one.span.duration_s:.0f} seconds.", hint)
            title = browse.recording(one.recording_id, visitor).title
            said = f"{title}, {one.span.start_s:.2f} to {one.span.end_s:.2f} s, with {around_s:g} s around it."
            return [Audio(data=browse.clip(passage_id, visitor, around_s), format="wav"), said]

        return await ask(found)

    return [passage, recordings, transcript, clip]


def task_tools(service: Service, jobs: JobQueue | None, ask: Asking) -> list[Callable[..., Any]]:
    """Return the tools that add recordings (without a queue there are none), and the one that says how far that is."""

    async def status() -> StatusBody:
        """Say what can be searched, how much of it has a transcript, and how far the tasks are that add recordings."""
        return await ask(lambda visitor: status_of(service, jobs, visitor))

    async def add(
        file_name: Annotated[str, Field(max_length=200, description="With its ending, for example talk.mp3.")],
        content_base64: Annotated[str, Field(description="The file in base64; at most 5,000,000 bytes before that.")],
        collection: Into,
        title: Annotated[str, Field(max_length=255, description="Without one, the file's name.")] = "",
    ) -> JobBody:
        """Add a recording (or a ZIP of some) that you have; the task is done in the background, see `status`."""

        def added(visitor: Visitor) -> JobBody:
            queue = checked_queue(jobs)
            content = checked_content(content_base64)
            with queue.arriving(visitor) as (folder, arrived):
                queue.check(collection, visitor, len(content))
                arrived(len(content))
                path = folder / "0"
                path.write_bytes(content)
                name = PurePath(file_name.replace("\\", "/")).name or "recording"
                about = {name: {"title": title}} if title else {}
                return JobBody.of(queue.submit_files([(path, name)], collection, visitor, about))

        return await ask(added)

    async def add_feed(
        url: Annotated[str, Field(max_length=2000, description="The address of the RSS feed, of http or https.")],
        collection: Into,
        limit: Annotated[int, Field(ge=1, le=1000, description="Only so many episodes, mostly the newest.")] = 10,
    ) -> JobBody:
        """Add the episodes of a podcast feed, with their transcripts and chapters. Only owners of the server may."""

        def added(visitor: Visitor) -> JobBody:
            check_address(url, service.settings.network.hosts)
            return JobBody.of(checked_queue(jobs).submit_feed(url, collection, visitor, limit))

        return await ask(added)

    return [status, add, add_feed] if jobs is not None else [status]


def checked_queue(jobs: JobQueue | None) -> JobQueue:
    """Return the queue. Raises NotAllowedError where there is none."""
    if jobs is None:
        raise NotAllowedError("Recordings cannot be added here.")
    return jobs


def checked_content(content_base64: str) -> bytes:
    """Return the bytes of a file in base64.

    Raises:
        InputError: it is none.
        TooLargeError: it is too long.
    """
    if len(content_base64) > LARGEST_ADDED_BYTES * 3 // 2:
        raise TooLargeError(f"More than {LARGEST_ADDED_BYTES:,} bytes.", "Send it to POST /api/v1/recordings.")
    try:
        content = base64.b64decode("".join(content_base64.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError("content_base64 is no base64.", "Send the bytes of the file in base64.") from error
    if not content or len(content) > LARGEST_ADDED_BYTES:
        message = f"The file has {len(content):,} bytes; 1 to {LARGEST_ADDED_BYTES:,} are possible."
        raise TooLargeError(message, "Send a larger one to POST /api/v1/recordings.")
    return content


def transcript_of(
    recording: Recording, said: list[tuple[Passage, Transcript | None]], start_s: float, end_s: float | None
) -> TranscriptBody:
    """Return the passages of a stretch of a recording, as many as one answer may have."""
    last_s = recording.duration_s if end_s is None else end_s
    wanted = [pair for pair in said if pair[0].span.end_s > start_s and pair[0].span.start_s < last_s]
    bodies: list[SaidBody] = []
    characters, next_start_s = 0, None
    for one, written in wanted:
        body = SaidBody.of(one, written)
        characters += len(body.transcript) + 100  # what is around it counts too
        if bodies and characters > MOST_CHARACTERS:
            next_start_s = one.span.start_s
            break
        bodies.append(body)
    return TranscriptBody(
        recording_id=recording.recording_id,
        title=recording.title,
        duration_s=recording.duration_s,
        passages=bodies,
        next_start_s=next_start_s,
    )


def status_of(service: Service, jobs: JobQueue | None, visitor: Visitor) -> StatusBody:
    """Return what there is for a visitor, and his last tasks; an owner's are all."""
    found = service.browse.collections(visitor)
    tasks = jobs.jobs_now(visitor)[::-1][:MOST_TASKS] if jobs else []
    written = [card.name for card in service.search.cards() if card.is_over_transcripts]
    coverage = service.search.coverage(written[0], visitor) if written else None
    return StatusBody(
        collections=len(found),
        recordings=sum(one.recordings for one in found),
        passages=sum(one.passages for one in found),
        transcribed=CoverageBody.of(coverage) if coverage else None,
        tasks=[JobBody.of(*one) for one in tasks],
    )
