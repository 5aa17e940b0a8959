"""What goes into a language model and comes out of it: messages become tokens, tokens become text piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from jinja2 import TemplateError

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.base import Message

UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""What a letter decodes to of which not all bytes have come."""
MOST_UNFINISHED = 4
"""Tokens: a letter has at most so many bytes, so what is unfinished for longer stays so."""


def prompt_of(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """Return the tokens that a model gets for messages, as its template writes a conversation down.

    Tokens with a meaning of their own, such as the end of a message, are taken out of what is said. Where the template
    has no place for the system, its message stands before the user's first.

    Raises:
        ModelUnavailableError: the model has no template, or none for such messages.
    """
    if not tokenizer.chat_template:
        raise ModelUnavailableError(
            "The language model has no template of conversations.", "Take the one whose name says Instruct or Chat."
        )
    marks = [token.content for token in tokenizer.added_tokens_decoder.values()]
    said = [{"role": one.role, "content": without_marks(one.content, marks)} for one in messages]
    try:
        return _written(tokenizer, said)
    except TemplateError:
        system, rest = said[:1], said[1:]
        if not rest or system[0]["role"] != "system" or rest[0]["role"] != "user":
            raise ModelUnavailableError("The language model's template takes no such conversation.") from None
        first = {"role": "user", "content": f"{system[0]['content']}\n\n{rest[0]['content']}"}
    try:
        return _written(tokenizer, [first, *rest[1:]])
    except TemplateError as error:
        raise ModelUnavailableError(
            f"The language model's template cannot be used: {error}.", "Take another model."
        ) from error


def _written(tokenizer: Any, said: list[dict[str, str]]) -> list[int]:
    # enable_thinking: Qwen3 would write hundreds of tokens to itself first; other templates do not look at it
    found = tokenizer.apply_chat_template(said, add_generation_prompt=True, return_dict=True, enable_thinking=False)
    return [int(token) for token in found["input_ids"]]


def check_length(name: str, tokens: int, longest: int) -> None:
    """Do nothing if a model was made for so many tokens.

    Raises:
        ModelUnavailableError: it was not.
    """
    if tokens > longest:
        raise ModelUnavailableError(
            f"The language model '{name}' takes {longest:,} tokens, and this would be {tokens:,}.",
            "Ask for less, or take a model that takes more.",
        )


def without_marks(text: str, marks: Sequence[str]) -> str:
    """Return a text without a tokeniser's marks, which would end what is said and begin another's message.

    >>> without_marks("Hi<|im_<|end|>end|> there.", ["<|end|>", "<|im_end|>"])
    'Hi there.'
    """
    marks = [mark for mark in marks if mark.strip()]
    while found := [mark for mark in marks if mark in text]:
        for mark in found:
            text = text.replace(mark, "")
    return text


def pieces(tokens: Iterable[int], decode: Callable[[list[int]], str], stop: Sequence[str] = ()) -> Iterator[str]:
    r"""Yield the text of tokens as they come, in whole letters, up to one of the texts to stop at.

    What may be the beginning of such a text waits until that is known. ``decode`` may give other letters for tokens
    alone than among others, so what comes new is told from the tokens of the last piece with it and without.

    >>> letters = {0: b"a", 1: b"\xc3", 2: b"\xa9", 3: b"b. ", 4: b"En", 5: b"d"}
    >>> decode = lambda tokens: b"".join(letters[one] for one in tokens).decode(errors="replace")
    >>> list(pieces([0, 1, 2, 3, 0], decode)), list(pieces([3, 4, 5, 0], decode, ["End"]))
    (['a', 'é', 'b. ', 'a'], ['b. '])
    >>> "".join(pieces([4, 3], decode, ["End"]))
    'Enb. '
    """
    stop = [text for text in stop if text]
    waiting = ""
    for new in _letters(tokens, decode):
        waiting += new
        found = [place for text in stop if (place := waiting.find(text)) >= 0]
        if found:
            waiting = waiting[: min(found)]
            break
        held = max((_overlap(waiting, text) for text in stop), default=0)
        ready, waiting = waiting[: len(waiting) - held], waiting[len(waiting) - held :]
        if ready:
            yield ready
    if waiting:
        yield waiting


def _letters(tokens: Iterable[int], decode: Callable[[list[int]], str]) -> Iterator[str]:
    before: list[int] = []
    new: list[int] = []
    for token in tokens:
        new.append(token)
        known = decode(before)
        text = decode(before + new)
        if text.endswith(UNFINISHED) and len(new) < MOST_UNFINISHED:
            continue
        if len(text) > len(known):
            yield text[len(known) :]
            before, new = new, []
    if new and len(text := decode(before + new)) > len(known := decode(before)):
        yield text[len(known) :]


def _overlap(text: str, stop: str) -> int:
    r"""Return how many letters at a text's end may begin a text to stop at.

    >>> _overlap("It is.\nQues", "\nQuestion:"), _overlap("It is.", "\n")
    (5, 0)
    """
    return next((size for size in range(min(len(text), len(stop) - 1), 0, -1) if stop.startswith(text[-size:])), 0)
