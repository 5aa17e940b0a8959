"""What speech encoders of one channel share: passages heard in windows, questions typed or spoken."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from speechsearch.domain.errors import CapabilityError, EmptyQueryError
from speechsearch.domain.values import Audio, Channel, FloatMatrix, Query, Vector
from speechsearch.models.base import EncodedPassage
from speechsearch.models.windows import Window


def passages_of(heard: Iterable[tuple[Window, FloatMatrix]], count: int, channel: Channel) -> list[EncodedPassage]:
    """Return so many passages, each the mean of its windows' vectors, weighted by length; zeros where none was heard.

    ``heard``: windows with their unit vectors, (dim,) each.
    """
    summed = np.zeros((count, channel.dim), np.float32)
    for window, vector in heard:
        summed[window.place] += vector * window.duration_s
    lengths = np.linalg.norm(summed, axis=1, keepdims=True)
    return [EncodedPassage({channel.name: row}) for row in summed / np.where(lengths > 0, lengths, 1)]


def question_vector(
    query: Query, wanted: str, channel: Channel, hear: Callable[[Audio], EncodedPassage], read: Callable[[str], Vector]
) -> Vector:
    """Return a question's unit vector: what is heard of a spoken one, what is read of a typed one.

    Raises:
        EmptyQueryError: there is nothing in the question.
        CapabilityError: another channel is wanted.
    """
    if wanted != channel.name:
        raise CapabilityError(f"There is no channel '{wanted}'.", f"Choose: {channel.name}.")
    if query.audio is not None:
        vector = hear(query.audio).vectors[wanted]
        if not np.any(np.asarray(vector)):
            raise EmptyQueryError("No speech was found in the spoken question.", "Record it again, closer.")
        return vector
    if not query.text.strip():
        raise EmptyQueryError("The question is empty.", "Type some words or record a question.")
    return read(query.text)
