"""The requests that are let in, by method and path; every other is refused before it reaches a route.

Gradio brings some sixty routes. The page and Gradio's own client need the few below; others hand what is sent to
ffmpeg, fetch addresses for whoever asks, or tell of the machine. A route that a new version brings is closed until it
is listed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

LONGEST_BODY_BYTES = 8 * 2**20
LONGEST_QUESTION_BYTES = 25 * 2**20
"""A spoken question, or a file of questions, that is sent through the page."""
FORM_BYTES = 2**20
"""What a multipart form has around its files."""
READ = ("GET", "HEAD")
WEBSOCKET = "WEBSOCKET"


@dataclass(frozen=True, slots=True)
class Door:
    """Requests that are let in: their methods, a pattern of the whole path, and how long a body may be."""

    methods: tuple[str, ...]
    path: re.Pattern[str]
    longest_body_bytes: int = LONGEST_BODY_BYTES


def _door(methods: Iterable[str], path: str, longest_body_bytes: int = LONGEST_BODY_BYTES) -> Door:
    return Door(tuple(methods), re.compile(path, re.ASCII), longest_body_bytes)


OWN = (
    _door((*READ, "POST", "PUT", "PATCH", "DELETE"), r"/(api|page)/.+"),
    _door(("GET", "POST", "DELETE"), r"/mcp"),
    _door(("GET", "POST"), r"/login"),
    _door(("POST",), r"/logout"),
    _door(READ, r"/health(/live|/ready)?"),
    _door(("GET",), r"/metrics"),
    _door(("GET",), r"/v1/models(/[^/]+)?"),
    _door((WEBSOCKET,), r"/api/v1/jobs/[^/]+/events"),
    _door((WEBSOCKET,), r"/ws/understand"),
    # In place of Gradio's routes of these names, see question_files.py.
    _door(("POST",), r"/gradio_api/upload", LONGEST_QUESTION_BYTES + FORM_BYTES),
    _door(("GET",), r"/gradio_api/upload_progress"),
    _door(READ, r"/gradio_api/file=/[^:]+"),
)
GRADIO = (
    _door(READ, r"/"),
    _door(READ, r"/(assets|static)/.+"),
    _door(READ, r"/(favicon\.ico|theme\.css)"),
    _door(("POST",), r"/gradio_api/(queue/join|run/predict|cancel|reset)"),
    _door(("GET",), r"/gradio_api/(queue/data|heartbeat/\w{1,64})"),
    # For Gradio's own client, by which docs/api.md lets programs ask.
    _door(("GET",), r"/(config|gradio_api/info)"),
)


def doors(upload_bytes: int) -> tuple[Door, ...]:
    """Return all doors; ``upload_bytes``: how long the files of one request may be together that brings recordings."""
    sound = r"/api/v1/recordings|/v1/audio/(transcriptions|translations)"
    sent_to = r"/api/v1/(understand/sounds|similar/(embed|search_by_audio))|/page/similar"
    sent = _door(("POST",), sent_to, LONGEST_QUESTION_BYTES + FORM_BYTES)
    return (sent, _door(("POST",), sound, max(upload_bytes, LONGEST_BODY_BYTES) + FORM_BYTES), *OWN, *GRADIO)


def door_of(method: str, path: str, among: Iterable[Door]) -> Door | None:
    """Return the first door that a request fits; None: it is not let in.

    >>> door_of("POST", "/gradio_api/process_recording", doors(9)) is None
    True
    >>> [door_of("POST", path, doors(10**9)).longest_body_bytes for path in ("/api/v1/recordings", "/api/v1/search")]
    [1001048576, 8388608]
    """
    return next((one for one in among if method in one.methods and one.path.fullmatch(path)), None)
