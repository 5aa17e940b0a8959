"""The one place where our errors become HTTP status codes."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from speechsearch.api.bodies import ErrorBody
from speechsearch.domain.counters import ERRORS, Counters
from speechsearch.domain.errors import (
    CapabilityError,
    DataFolderInUseError,
    DuplicateError,
    IndexUnavailableError,
    InputError,
    MissingDependencyError,
    ModelUnavailableError,
    NotAllowedError,
    NotFoundError,
    SpeechSearchError,
    StoreError,
    TooLargeError,
    TooManyError,
)

_STATUS: tuple[tuple[type[SpeechSearchError], int], ...] = (
    (TooLargeError, 413),
    (InputError, 422),
    (NotAllowedError, 403),
    (NotFoundError, 404),
    (DuplicateError, 409),
    (TooManyError, 429),
    (CapabilityError, 501),
    (ModelUnavailableError, 503),
    (MissingDependencyError, 503),
    (IndexUnavailableError, 503),
    (DataFolderInUseError, 503),
    (StoreError, 503),
)


def status_of(error: SpeechSearchError) -> int:
    """Return the HTTP status of an error.

    >>> from speechsearch.domain.errors import TooLongError
    >>> status_of(TooLongError("70 s")), status_of(NotFoundError("no such passage")), status_of(SpeechSearchError("x"))
    (422, 404, 500)
    """
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def _answer(status: int, body: ErrorBody) -> JSONResponse:
    return JSONResponse(body.model_dump(), status_code=status)


async def _on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = str(first["loc"][-1]) if first["loc"] else "request"
    return _answer(422, ErrorBody(code="input", message=f"{name}: {first['msg']}.", hint="See /api/openapi.json."))


def add_error_handlers(app: FastAPI, counters: Counters) -> None:
    """Make every error of ours, and every request that does not fit its route, a JSON body of the same form."""

    async def on_our_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, SpeechSearchError)
        counters.add(ERRORS, code=error.code)
        return _answer(status_of(error), ErrorBody(code=error.code, message=error.message, hint=error.hint))

    app.add_exception_handler(SpeechSearchError, on_our_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
