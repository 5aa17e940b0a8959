"""Language models that CTranslate2 computes on a CPU, in int8.

Source: Vaswani et al., 2017 (arXiv 1706.03762), decoders; CTranslate2's own kernels.
Differs: the likeliest token is taken each time, so that the same messages give the same text.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ctranslate2
import transformers

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.base import Message
from speechsearch.models.conversation import check_length, pieces, prompt_of
from speechsearch.models.language_conversion import NUMBERS, Converted, converted
from speechsearch.models.load import Located


def load(located: Located) -> Ctranslate2LanguageModel:
    """Return the language model, which is made of its files first if it was not made before.

    Raises:
        ModelUnavailableError: the files cannot be read or converted, or there is no room for what is made.
    """
    if located.kept is not None:
        return _loaded(located, located.kept)
    with TemporaryDirectory(prefix="speechsearch-language-model-") as home:
        return _loaded(located, Path(home))  # all that it has is in memory then


def _loaded(located: Located, home: Path) -> Ctranslate2LanguageModel:
    made = converted(located, home)
    words: Any = transformers.AutoTokenizer
    try:
        generator = ctranslate2.Generator(
            str(made.folder), device="cpu", compute_type=NUMBERS, intra_threads=located.device.threads
        )
        tokenizer = words.from_pretrained(made.folder, local_files_only=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelUnavailableError(
            f"The language model '{located.card.name}' cannot be loaded from {made.folder}: {error}.",
            f"python -m speechsearch models remove {located.card.name} has it made anew.",
        ) from error
    return Ctranslate2LanguageModel(located.card.name, generator, tokenizer, made)


class Ctranslate2LanguageModel:
    """Writes token by token; of two threads that ask at once, one waits for the other."""

    sent_to = ""

    def __init__(self, name: str, generator: ctranslate2.Generator, tokenizer: Any, made: Converted) -> None:
        self.name = name
        self._generator, self._tokenizer, self._made = generator, tokenizer, made

    def generate(self, messages: Sequence[Message], max_tokens: int, stop: Sequence[str] = ()) -> Iterator[str]:
        """Yield the text that it writes, piece by piece, up to so many tokens or one of the texts to stop at.

        Raises:
            ModelUnavailableError: it takes no such messages, or not so long ones.
        """
        prompt = prompt_of(self._tokenizer, messages)
        check_length(self.name, len(prompt) + max_tokens, self._made.longest)
        with closing(self._tokens(prompt, max_tokens)) as tokens:  # at once: else it is closed when it is collected
            yield from pieces(tokens, self._decode, stop)

    def _decode(self, tokens: list[int]) -> str:
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True))

    def _tokens(self, prompt: list[int], max_tokens: int) -> Generator[int]:
        if max_tokens < 1:
            return
        ends = self._made.ends
        steps = self._generator.generate_tokens(
            self._tokenizer.convert_ids_to_tokens(prompt), max_length=max_tokens, sampling_topk=1, end_token=list(ends)
        )
        with closing(steps):
            for step in steps:
                if step.token_id in ends:
                    return
                yield step.token_id
