"""The interface of OpenAI's for transcription, so that programs made for it work here: ``/v1``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from speechsearch.api.identity import counted_as, visitor_of
from speechsearch.api.openai_answers import LongAnswer
from speechsearch.api.openai_asked import Asked, asked_of
from speechsearch.api.openai_bodies import (
    DiarizedBody,
    ModelBody,
    ModelsBody,
    OpenAiErrorBody,
    TranscriptionBody,
    TranslationBody,
    VerboseBody,
)
from speechsearch.api.openai_errors import ParameterError
from speechsearch.api.openai_forms import AudioForm, TranscriptionForm, TranslationForm, form_of
from speechsearch.api.openai_work import Work
from speechsearch.api.transcription_turns import Turns
from speechsearch.api.uploads import Upload, receive
from speechsearch.domain.captions import GIVEN
from speechsearch.domain.errors import InputError, NotAllowedError
from speechsearch.domain.visitors import Visitor
from speechsearch.service.known_models import recognizers
from speechsearch.service.open import may_download, model_files

if TYPE_CHECKING:
    from speechsearch.jobs.queue import JobQueue
    from speechsearch.service.open import Service

ALIAS = "whisper-1"
"""What programs ask for that were made for OpenAI: the recogniser that transcripts are made with here."""
FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": OpenAiErrorBody} for status in (400, 401, 403, 404, 413, 422, 429, 500, 501, 503)
}
KINDS: dict[str, dict[str, Any]] = {"text/plain": {}, "text/event-stream": {}}


def openai_routes(service: Service, jobs: JobQueue) -> APIRouter:
    """Return the routes below ``/v1``."""
    router = APIRouter(prefix="/v1", tags=["as OpenAI's"], responses=FAILURES)
    turns = Turns()
    default = next((name for name in service.settings.engines.recognizers if name != GIVEN), "")
    aliases = {ALIAS: default} if default else {}
    one_file = service.limits.model_copy(update={"archive_files": 1})

    @router.get("/models")
    def models() -> ModelsBody:
        """Return the recognisers that can be asked."""
        return ModelsBody(data=[ModelBody(id=name) for name in names()])

    @router.get("/models/{model}")
    def one_model(model: str) -> ModelBody:
        """Return a recogniser that can be asked."""
        if model not in names():
            raise no_model(model)
        return ModelBody(id=model)

    @router.post(
        "/audio/transcriptions",
        response_model=TranscriptionBody | VerboseBody | DiarizedBody,
        responses={200: {"content": KINDS}},
        openapi_extra=described(TranscriptionForm),
    )
    async def transcribe(request: Request) -> Response:
        """Write down a file; nothing is kept."""
        return await answer(request, TranscriptionForm)

    @router.post(
        "/audio/translations",
        response_model=TranslationBody | VerboseBody,
        responses={200: {"content": {"text/plain": {}}}},
        openapi_extra=described(TranslationForm),
    )
    async def translate(request: Request) -> Response:
        """Write down a file in English, whatever is spoken; nothing is kept."""
        return await answer(request, TranslationForm)

    async def answer(request: Request, kind: type[AudioForm]) -> Response:
        visitor = visitor_of(request)
        if not visitor.may_add:
            raise NotAllowedError(
                "You may not have files written down here.", "Log in: the key is your name, a colon and your password."
            )
        with ExitStack() as stack:
            place = stack.enter_context(turns.place(counted_as(request.scope), visitor.address))
            folder, arrived = stack.enter_context(jobs.arriving(visitor))
            try:
                upload = await receive(request, folder, one_file, arrived)
            except ClientDisconnect:
                raise InputError("The upload broke off.", "Send it again.") from None
            form = form_of(kind, upload.fields)
            work = Work(asked(upload, form, visitor), service.transcriber, service.diarizer, turns, place)
            held = stack.pop_all()
        if isinstance(form, TranscriptionForm) and form.stream:
            return LongAnswer(work.streamed, held, work.events.keep_open)
        return LongAnswer(work.whole, held)

    def names() -> list[str]:
        files, is_here = model_files(service.settings), may_download(service.settings)
        cards = recognizers(service.loader.catalog)
        return [*aliases, *(card.name for card in cards if is_here or files.state(card).is_installed)]

    def asked(upload: Upload, form: AudioForm, visitor: Visitor) -> Asked:
        """Return what is asked for. Raises ParameterError."""
        if upload.file_fields != ["file"]:
            raise ParameterError("Missing required parameter: 'file'.", "", "file", "missing_required_parameter")
        model = aliases.get(form.model, form.model)
        card = next((one for one in recognizers(service.loader.catalog) if one.name == model), None)
        if card is None:
            raise no_model(form.model)
        longest_s = service.limits.duration_s if visitor.is_owner else service.limits.visitor_duration_s
        found = asked_of(form, *upload.files[0], model, longest_s, card.takes_hotwords)
        return replace(found, only_language=card.languages[0]) if len(card.languages) == 1 else found

    return router


def no_model(name: str) -> ParameterError:
    """Return the error for a model that there is not."""
    hint = "GET /v1/models lists those that there are."
    return ParameterError(f"There is no model '{name:.80}'.", hint, "model", "model_not_found", 404)


def described(kind: type[AudioForm]) -> dict[str, Any]:
    """Return a form for the description of the routes."""
    fields = kind.model_json_schema()["properties"]
    fields.pop("chunking_strategy", None)  # "auto", or an object in members of its own
    lists: Sequence[str] = [name for name, field in fields.items() if field.get("type") == "array"]
    properties = {f"{name}[]" if name in lists else name: field for name, field in fields.items()}
    schema = {
        "type": "object",
        "required": ["file", "model"],
        "properties": {"file": {"type": "string", "format": "binary"}, **properties},
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
