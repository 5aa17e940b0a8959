"""Lines of the log: text or JSON, each with the id of its request, and none with what somebody asked or is called.

Errors quote what they are about: a question, a file's name, an address. So of an error only its kind, its code and
where it came from are written, and text only where the settings switch it on; of what other packages write, only who
wrote it. What the program writes itself names things by their ids.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
import traceback
from asyncio import CancelledError
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from speechsearch.domain.errors import SpeechSearchError
from speechsearch.domain.safe_text import one_line
from speechsearch.service.settings import LogSettings

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that is being answered, in its threads too; empty outside of one."""
MOST_FRAMES = 30
WITHOUT_TEXTS = ("speechsearch", "ingest", "uvicorn")
"""Whose messages quote nothing but their arguments."""
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)


def request_id(given: str) -> str:
    r"""Return the id of a request: the one that it brings from a proxy, if it can be one, or a new one.

    >>> request_id("5f0c2a9e-trace"), len(request_id("no id\nat all"))
    ('5f0c2a9e-trace', 16)
    """
    return given if _GIVEN_ID.fullmatch(given) else secrets.token_hex(8)


def nameless(error: BaseException) -> str:
    """Return an error without what it quotes: its kind, and the code of one of ours.

    >>> from speechsearch.domain.errors import NotFoundError
    >>> nameless(NotFoundError("There is no collection 'divorce'.")), nameless(KeyError("divorce"))
    ('NotFoundError (not_found)', 'KeyError')
    """
    kind = type(error).__name__
    return f"{kind} ({error.code})" if isinstance(error, SpeechSearchError) else kind


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, what caused it, and so on, each once."""
    seen: list[BaseException] = []
    found: BaseException | None = error
    while found is not None and found not in seen:
        seen.append(found)
        yield found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


def trace_of(error: BaseException, has_texts: bool) -> str:
    """Return where an error came from, the last cause first; what errors quote only with ``has_texts``."""
    if has_texts:
        return "".join(traceback.format_exception(error)).rstrip()
    lines = []
    for one in reversed(list(causes(error))):
        frames = traceback.extract_tb(one.__traceback__)[-MOST_FRAMES:]
        lines += [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        inside = ", ".join(nameless(each) for each in getattr(one, "exceptions", ()))
        lines.append(nameless(one) + (f" of {inside}" if inside else ""))
    return "\n".join(lines)


class LineFormatter(logging.Formatter):
    """Writes records as lines of text or JSON; ``has_texts``: with what errors quote and other packages write."""

    def __init__(self, is_json: bool, has_texts: bool) -> None:
        super().__init__()
        self._is_json, self._has_texts = is_json, has_texts

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line; in text, a traceback follows it."""
        error = record.exc_info[1] if record.exc_info else None
        trace = trace_of(error, self._has_texts) if error is not None else ""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "request_id": REQUEST_ID.get(),
            "message": self._message(record),
            **getattr(record, "fields", {}),
            "traceback": trace,
        }
        if self._is_json:
            return json.dumps({name: value for name, value in line.items() if value != ""}, default=str)
        del line["traceback"]
        # What was sent may begin no line of its own.
        text = one_line(" ".join(str(value) for value in line.values() if value != ""))
        return f"{text}\n{trace}" if trace else text

    def _message(self, record: logging.LogRecord) -> str:
        if self._has_texts:
            return record.getMessage()
        if record.name.partition(".")[0] not in WITHOUT_TEXTS:
            return f"something at {record.module}:{record.lineno} (SPEECHSEARCH_LOG__TEXTS=true writes what)"
        if not isinstance(record.args, tuple):
            return record.getMessage()
        shown = tuple(nameless(one) if isinstance(one, BaseException) else one for one in record.args)
        return str(record.msg) % shown if shown else str(record.msg)


class PageTraceback:
    """Stands where Gradio would write an event's error to the terminal, with what was asked in it."""

    @staticmethod
    def print_exc() -> None:
        """Write the error that is being handled to the log."""
        logging.getLogger(__name__).error("An event of the page failed.", exc_info=sys.exc_info())


def is_told(record: logging.LogRecord) -> bool:
    """Say whether a record is worth a line: the server's on each request that its end has broken off is not."""
    return not (record.exc_info and isinstance(record.exc_info[1], CancelledError))


def write_logs(settings: LogSettings) -> None:
    """Have everything that is logged in this process written to the terminal as the settings want it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(is_told)
    handler.setFormatter(LineFormatter(settings.format == "json", settings.texts))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("speechsearch").setLevel(logging.INFO)
