"""What a client of ``/ws/understand`` sends, read and counted, and what there is to tell of a stream."""

from __future__ import annotations

import json

from pydantic import ValidationError
from starlette.types import Scope

from speechsearch.api.doors import LONGEST_BODY_BYTES
from speechsearch.api.throttle import ASK_WEIGHT, Throttle
from speechsearch.api.understand_bodies import (
    CLIENT,
    KNOWN,
    ClientMessage,
    FinalTold,
    LoadModels,
    PartialTold,
    SegmentBody,
    SpeechTold,
    Told,
    Transcribe,
)
from speechsearch.audio.utterances import Edge
from speechsearch.domain.errors import InputError, TooLargeError, TooManyError
from speechsearch.service.listening import Final, Heard

WHAT_TO_SEND = (
    "Send the sound itself: 'audio' with a file in base64, 'upload_id' of POST /api/v1/understand/sounds, or the file "
    "in binary frames before 'transcribe'."
)


def heard_told(one: Heard) -> Told:
    """Return the message of what there is to tell of a stream.

    >>> heard_told(Edge("ended", 1.25))
    SpeechTold(id=None, type='speech_ended', at_s=1.25)
    """
    if isinstance(one, Edge):
        return SpeechTold(type="speech_began" if one.kind == "began" else "speech_ended", at_s=round(one.at_s, 3))
    if isinstance(one, Final):
        return FinalTold(number=one.number, segment=SegmentBody.of(one.segment))
    start_s, end_s = one.span.start_s, one.span.end_s
    return PartialTold(number=one.number, stable=one.stable, open=one.open, start_s=start_s, end_s=end_s)


def object_of(text: str) -> dict[str, object]:
    """Return the JSON object of a message.

    Raises:
        InputError: it is none.
        TooLargeError: it is too long to be looked at.
    """
    if len(text) > LONGEST_BODY_BYTES:
        raise TooLargeError(f"A message has more than {LONGEST_BODY_BYTES:,} characters.", WHAT_TO_SEND)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("Invalid JSON", "A message is a JSON object with a 'type'.") from error
    if not isinstance(found, dict):
        raise InputError("Invalid JSON", "A message is a JSON object with a 'type'.")
    return found


def parsed(found: dict[str, object]) -> ClientMessage:
    """Return a message.

    Raises:
        InputError: it is none of those that are known, or says what does not fit.

    >>> parsed({"type": "ping"})
    Ping(id=None, type='ping')
    """
    if found.get("type") not in KNOWN:
        raise InputError(f"Unknown message type: {found.get('type')!s:.80}", f"Known are {', '.join(KNOWN)}.")
    try:
        message = CLIENT.validate_python(found)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        deepest = max(errors, key=lambda one: len(one["loc"]))  # a context is a text or an object: what it was meant as
        raise InputError(f"{deepest['loc'][-1]}: {deepest['msg']}.", "See docs/understand.md.") from error
    if isinstance(message, Transcribe) and message.audio_path is not None:
        raise InputError("'audio_path' is not taken: no path of the server is read.", WHAT_TO_SEND)
    return message


def count(throttle: Throttle, scope: Scope, message: ClientMessage) -> None:
    """Count a message as questions of its visitor. Raises TooManyError: there were too many."""
    wait_s = throttle.wait_s(scope, 1.0 if isinstance(message, LoadModels) else ASK_WEIGHT)
    if wait_s:
        raise TooManyError("That is more than one visitor may ask a minute.", f"Try again in {wait_s + 0.5:.0f} s.")
