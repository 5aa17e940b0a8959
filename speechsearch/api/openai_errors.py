"""Errors as OpenAI's interface has them, so that its client raises its own exceptions; whatever refused the request."""

from __future__ import annotations

import json
import logging
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speechsearch.api.error_responses import status_of
from speechsearch.domain.errors import InputError, SpeechSearchError

log = logging.getLogger(__name__)

PREFIX = "/v1/"
STATUSES = {422: 400, 501: 400}
"""What is not of use to programs that try again after every status of 500 and more, or have no exception for it."""
CODES = {"login": "invalid_api_key", "too_many": "rate_limit_exceeded"}
OF_THE_FILE = ("decode", "too_long", "too_large", "silent")
LASTING = ("model_unavailable", "missing_dependency")
"""Failures that no second try mends; OpenAI's client asks a header about that."""


class ParameterError(InputError):
    """A parameter of a request cannot be used: ``param``, for a reason for which OpenAI's word is ``reason``."""

    def __init__(self, message: str, hint: str, param: str, reason: str = "invalid_value", status: int = 400):
        super().__init__(message, hint)
        self.param, self.reason, self.status = param, reason, status


def error_body(status: int, message: str, code: str | None, param: str | None = None) -> dict[str, Any]:
    """Return the body of an error.

    >>> error_body(429, "Later.", "rate_limit_exceeded")
    {'error': {'message': 'Later.', 'type': 'requests', 'param': None, 'code': 'rate_limit_exceeded'}}
    """
    kind = "requests" if status == 429 else "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def failure_of(error: Exception) -> tuple[int, dict[str, Any]]:
    """Return the status and the body of an error; what was not foreseen goes into the log.

    >>> from speechsearch.domain.errors import DecodeError
    >>> failure_of(DecodeError("a.wav is no sound."))[1]["error"]["param"]
    'file'
    """
    if isinstance(error, ParameterError):
        return error.status, error_body(error.status, str(error), error.reason, error.param)
    if isinstance(error, SpeechSearchError):
        return _ours(status_of(error), error.code, str(error))
    log.error("A request below %s failed.", PREFIX, exc_info=error)
    return 500, error_body(500, "The server failed. Its log says why.", None)


def translated(status: int, body: bytes) -> tuple[int, dict[str, Any]]:
    """Return an answer of ours, or of the framework, that says what is wrong, in OpenAI's form.

    >>> translated(422, b'{"code": "too_large", "message": "Too large.", "hint": "Cut it."}')[1]["error"]["message"]
    'Too large. Cut it.'
    >>> translated(404, b'{"detail": "Not Found"}')
    (404, {'error': {'message': 'Not Found', 'type': 'invalid_request_error', 'param': None, 'code': None}})
    """
    try:
        given = json.loads(body)
    except ValueError:
        given = {}
    if "error" in given:
        return status, given
    said = given.get("message") or str(given.get("detail", "The request failed."))
    return _ours(status, given.get("code"), f"{said} {given.get('hint', '')}".strip())


def _ours(status: int, code: str | None, message: str) -> tuple[int, dict[str, Any]]:
    status, param = STATUSES.get(status, status), "file" if code in OF_THE_FILE else None
    return status, error_body(status, message, CODES.get(str(code), code), param)


class OpenAiErrorsMiddleware:
    """Gives every failure below ``/v1/`` OpenAI's form, those of the middleware inside it too."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; what succeeds passes through as it is."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self.app(scope, receive, send)
            return
        start: Message | None = None
        has_begun, body = False, bytearray()

        async def send_translated(message: Message) -> None:
            nonlocal start, has_begun
            if message["type"] == "http.response.start" and message["status"] >= 400:
                start = message
                return
            has_begun = True
            if start is None:
                await send(message)
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body"):
                await _answer(start, bytes(body))(scope, receive, send)

        try:
            await self.app(scope, receive, send_translated)
        except Exception as error:  # the door
            if has_begun:
                raise
            status, failure = failure_of(error)
            await JSONResponse(failure, status)(scope, receive, send)


def add_openai_errors(app: FastAPI) -> None:
    """Have everything below ``/v1/`` fail as OpenAI's interface does; to be called after all other middleware."""
    app.add_middleware(OpenAiErrorsMiddleware)
    app.add_exception_handler(ParameterError, _on_parameter_error)


async def _on_parameter_error(request: Request, error: Exception) -> JSONResponse:
    status, body = failure_of(error)
    return JSONResponse(body, status)


def _answer(start: Message, body: bytes) -> JSONResponse:
    status, content = translated(start["status"], body)
    answer = JSONResponse(content, status)
    own = {name for name, _ in answer.raw_headers}
    answer.raw_headers += [(name, value) for name, value in start["headers"] if name.lower() not in own]
    if content["error"]["code"] in LASTING:
        answer.headers["x-should-retry"] = "false"
    return answer
