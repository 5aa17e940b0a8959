"""Errors as OpenAI's interface has them, so that its client raises its own exceptions; whatever refused the request."""

from __future__ import annotations

import json
import logging
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speechsearch.domain.errors import InputError

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


def translated(status: int, body: bytes) -> dict[str, Any]:
    """Return an error of ours, or of the framework, in OpenAI's form.

    >>> translated(422, b'{"code": "decode", "message": "a.wav is no sound.", "hint": ""}')["error"]["param"]
    'file'
    >>> translated(404, b'{"detail": "Not Found"}')["error"]["message"]
    'Not Found'
    """
    try:
        given = json.loads(body)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        given = {}
    if "error" in given:
        return given
    code = given.get("code")
    message = " ".join(filter(None, (given.get("message") or str(given.get("detail", "")), given.get("hint"))))
    param = "file" if code in OF_THE_FILE else None
    return error_body(status, message or "The request failed.", CODES.get(str(code), code), param)


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
        except Exception:  # the door: whatever was not foreseen
            log.exception("A request to %s failed.", scope["path"])
            if has_begun:
                raise
            failure = error_body(500, "The server failed. Its log says why.", None)
            await JSONResponse(failure, 500)(scope, receive, send)


def add_openai_errors(app: FastAPI) -> None:
    """Have everything below ``/v1/`` fail as OpenAI's interface does; to be called after all other middleware."""
    app.add_middleware(OpenAiErrorsMiddleware)
    app.add_exception_handler(ParameterError, _on_parameter_error)


async def _on_parameter_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ParameterError)
    return JSONResponse(error_body(error.status, str(error), error.reason, error.param), error.status)


def _answer(start: Message, body: bytes) -> JSONResponse:
    status = STATUSES.get(start["status"], start["status"])
    content = translated(status, body)
    answer = JSONResponse(content, status)
    own = {name for name, _ in answer.raw_headers}
    answer.raw_headers += [(name, value) for name, value in start["headers"] if name.lower() not in own]
    if content["error"]["code"] in LASTING:
        answer.headers["x-should-retry"] = "false"
    return answer
