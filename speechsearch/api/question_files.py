"""Spoken questions and files of questions that the page sends, in place of Gradio's own routes of the same names.

Gradio would take files of any number from anybody, keep what broke off, and hand every file to whoever names its path.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from speechsearch.api.doors import LONGEST_QUESTION_BYTES
from speechsearch.api.identity import too_many, visitor_of
from speechsearch.api.rate_limit import RateLimit
from speechsearch.api.throttle import VISITORS_AN_ADDRESS
from speechsearch.api.uploads import Upload, receive
from speechsearch.domain.errors import InputError, NotFoundError, TooManyError
from speechsearch.domain.limits import Limits
from speechsearch.domain.visitors import Visitor

KEPT_S = 2 * 3600.0
A_MINUTE = 30
MOST_FILES = 10
INCOMING = "incoming-"
VISITOR_BYTES = 4 * LONGEST_QUESTION_BYTES
"""What is kept of one visitor's; beyond it his oldest files go."""
ADDRESS_BYTES = VISITORS_AN_ADDRESS * VISITOR_BYTES
LONGEST_NAME = 100
SOUNDS = {".wav": "audio/wav", ".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".opus": "audio/ogg", ".flac": "audio/flac",
          ".webm": "audio/webm", ".m4a": "audio/mp4", ".mp4": "audio/mp4"}  # fmt: skip
"""What a browser may play in place; anything else is only saved."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that waits to be asked with: where it is, whose, its size and when it came."""

    path: Path
    visitor_id: str
    address: str
    size_bytes: int
    came_s: float


class QuestionFiles:
    """The files of the visitors, each in a folder of its own below Gradio's folder.

    Args:
        folder: where Gradio looks for what was uploaded.
        limits: how much room a disk must have left, and what else holds for uploads.
        clock: the time in seconds.
    """

    def __init__(self, folder: Path, limits: Limits, clock: Callable[[], float] = time.time) -> None:
        self.folder, self._clock, self._lock = folder, clock, threading.Lock()
        most = {"file_bytes": LONGEST_QUESTION_BYTES, "archive_bytes": LONGEST_QUESTION_BYTES}
        self.limits = limits.model_copy(update={**most, "archive_files": MOST_FILES})
        self._kept: dict[str, Kept] = {}

    def keep(self, upload: Upload, visitor: Visitor) -> list[str]:
        """Take over what has been received and return the paths, which name the visitor's files from then on.

        Raises:
            TooManyError: the visitor's address has too much there already.
        """
        size_bytes = sum(path.stat().st_size for path, _ in upload.files)
        with self._lock:
            self._sweep()
            self._make_room(visitor, size_bytes)
            paths = []
            for path, name in upload.files:
                target = self.folder / secrets.token_hex(16) / plain_name(name)
                target.parent.mkdir()
                kept = Kept(target, visitor.visitor_id, visitor.address, path.stat().st_size, self._clock())
                path.replace(target)
                self._kept[str(target)] = kept
                paths.append(str(target))
        return paths

    def path(self, name: str, visitor: Visitor) -> Path:
        """Return a file of the visitor's own. Raises NotFoundError."""
        kept = self._kept.get(name)
        if kept is None or kept.visitor_id != visitor.visitor_id or not kept.path.exists():
            raise NotFoundError("There is no such file.", "It may have been removed meanwhile; ask again.")
        return kept.path

    def _make_room(self, visitor: Visitor, size_bytes: int) -> None:
        here_bytes = sum(one.size_bytes for one in self._kept.values() if one.address == visitor.address)
        if here_bytes + size_bytes > ADDRESS_BYTES:
            raise TooManyError("Too many questions were sent from this address.", "Try again later.")
        mine = sorted(
            (one for one in self._kept.values() if one.visitor_id == visitor.visitor_id), key=lambda one: one.came_s
        )
        held_bytes = sum(one.size_bytes for one in mine)
        for one in mine:
            if held_bytes + size_bytes <= VISITOR_BYTES:
                break
            held_bytes -= one.size_bytes
            self._remove(one.path.parent)

    def _sweep(self) -> None:
        """Remove what is old, and what Gradio has made of it; what still arrives is its request's to remove."""
        oldest_s = self._clock() - KEPT_S
        for one in list(self.folder.iterdir()):
            if one.stat().st_mtime < oldest_s and not one.name.startswith(INCOMING):
                self._remove(one)

    def _remove(self, entry: Path) -> None:
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)
        self._kept = {path: one for path, one in self._kept.items() if one.path.parent != entry}


def plain_name(name: str) -> str:
    r"""Return a visitor's file name without folders and signs that mean something to a shell, an address or a page.

    >>> plain_name("../../what is <b>.wav"), plain_name("C:\\a.wav"), plain_name("..")
    ('what_is__b_.wav', 'a.wav', 'sound')
    """
    name = re.sub(r"[^\w.-]", "_", re.split(r"[/\\]", name)[-1]).lstrip(".")
    return name[-LONGEST_NAME:] or "sound"


def question_file_routes(folder: Path, limits: Limits) -> APIRouter:
    """Return the routes; to be added before Gradio's, which the same requests would reach otherwise."""
    router = APIRouter(prefix="/gradio_api", include_in_schema=False)
    files = QuestionFiles(folder, limits)
    visitors, addresses = RateLimit(A_MINUTE), RateLimit(A_MINUTE * VISITORS_AN_ADDRESS)

    @router.post("/upload")
    async def upload(request: Request) -> Response:
        visitor = visitor_of(request)
        if wait_s := visitors.wait_s(visitor.visitor_id) or addresses.wait_s(visitor.address):
            return too_many("That is more sound than one visitor may send a minute.", wait_s)
        incoming = folder / f"{INCOMING}{secrets.token_hex(8)}"
        incoming.mkdir(parents=True)
        try:
            received = await receive(request, incoming, files.limits)
            return JSONResponse(await run_in_threadpool(files.keep, received, visitor))
        except ClientDisconnect:
            raise InputError("The upload broke off.", "Send it again.") from None
        finally:
            shutil.rmtree(incoming)

    @router.get("/upload_progress")
    def progress() -> Response:
        # The page asks after an upload that is small enough to be told of only when it is there.
        return Response(f"data: {json.dumps({'msg': 'done'})}\n\n", media_type="text/event-stream")

    @router.api_route("/file={name:path}", methods=["GET", "HEAD"])
    def file(request: Request, name: str) -> Response:
        path = files.path(name, visitor_of(request))
        kind = SOUNDS.get(path.suffix.lower())
        how = "inline" if kind else "attachment"
        headers = {"Cache-Control": "private, no-store"}
        return FileResponse(
            path, media_type=kind or "application/octet-stream", filename=path.name, content_disposition_type=how,
            headers=headers,
        )  # fmt: skip

    return router
