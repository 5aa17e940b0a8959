"""Language models that PyTorch computes: a checkpoint of transformers as the hub has it, or a GGUF file.

Safetensors only, no code from the folder. The likeliest token is taken each time, so that the same messages give the
same text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError

from speechsearch.domain.errors import CapabilityError, ModelUnavailableError
from speechsearch.domain.packages import package_version
from speechsearch.models.base import Message
from speechsearch.models.conversation import check_length, pieces, prompt_of
from speechsearch.models.device import Device
from speechsearch.models.files import together
from speechsearch.models.gguf_file import open_gguf
from speechsearch.models.load import Located
from speechsearch.models.transformers_asr import without_progress_bars

FOUR_BIT_PACKAGES = ("bitsandbytes", "accelerate")


@dataclass(frozen=True, slots=True, eq=False)
class CausalNetwork:
    """A frozen network (``...ForCausalLM``), its tokeniser, and the tokens that end what it writes."""

    network: Any
    tokenizer: Any
    ends: tuple[int, ...]

    @property
    def longest(self) -> int:
        """How many tokens it was made for, what it is told and what it writes together."""
        return int(self.network.config.max_position_embeddings)


def open_network(located: Located) -> CausalNetwork:
    """Return the network of a language model's files on its device, ready to be asked or to be built upon.

    Raises:
        ModelUnavailableError: the files cannot be read, do not fit each other, or are of no such model.
        CapabilityError: four bits are asked for on a device, or of a file, for which there are none.
        MissingDependencyError: four bits need packages that are not installed.
    """
    return open_files(located.card.name, located.files, located.device, located.bits)


def open_files(name: str, files: Mapping[str, Path], device: Device, bits: int = 16) -> CausalNetwork:
    """Return what ``open_network`` does, for files that no loader has found. Raises the same."""
    first = next(iter(files.values()))
    if first.suffix == ".gguf":
        if bits == 4:
            raise CapabilityError(
                f"'{name}' is a GGUF file, which is not computed in four bits here.",
                "Take the model's folder as transformers saves it, or set SPEECHSEARCH_LANGUAGE_MODEL__BITS=16.",
            )
        network, tokenizer = open_gguf(first, device.torch_dtype)
    else:
        with together(files) as folder:
            network, tokenizer = _open_checkpoint(name, folder, device, bits)
    if bits != 4:
        network = network.to(device.torch_device)
    ends = network.generation_config.eos_token_id
    listed = [ends] if isinstance(ends, int) else list(ends or ())
    if tokenizer.eos_token_id is not None:
        listed.append(tokenizer.eos_token_id)
    return CausalNetwork(network, tokenizer, tuple(dict.fromkeys(listed)))


def _open_checkpoint(name: str, folder: Path, device: Device, bits: int) -> tuple[Any, Any]:
    how: dict[str, Any] = {"dtype": device.torch_dtype}
    if bits == 4:
        how |= {"quantization_config": four_bit_config(device), "device_map": {"": device.torch_device}}
    read: Any = transformers.AutoModelForCausalLM
    words: Any = transformers.AutoTokenizer
    with without_progress_bars():
        try:
            network, report = read.from_pretrained(
                folder, use_safetensors=True, local_files_only=True, output_loading_info=True, **how
            )
            if report["missing_keys"]:
                raise ValueError(f"its weights lack {', '.join(sorted(report['missing_keys'])[:3])}")
            tokenizer = words.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError, RuntimeError, TypeError, ImportError, SafetensorError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelUnavailableError(
                f"The language model '{name}' cannot be loaded: {reason}",
                f"It needs a checkpoint that transformers {transformers.__version__} reads, with model.safetensors "
                "and tokenizer.json.",
            ) from error
    return network.eval().requires_grad_(False), tokenizer


def four_bit_config(device: Device) -> Any:
    """Return how bitsandbytes keeps weights in four bits (NF4, Dettmers et al., 2023, arXiv 2305.14314).

    Raises:
        CapabilityError: the device is no CUDA device.
        MissingDependencyError: bitsandbytes or accelerate is not installed.
    """
    if device.name != "cuda":
        raise CapabilityError(
            f"Weights are kept in four bits on CUDA only, and this is '{device.name}'.",
            "Set SPEECHSEARCH_LANGUAGE_MODEL__BITS=16, or SPEECHSEARCH_MODELS__TEXT_ENCODER_BITS=16.",
        )
    for package in FOUR_BIT_PACKAGES:
        package_version(package, f"python -m pip install {' '.join(FOUR_BIT_PACKAGES)}")
    made: Any = transformers.BitsAndBytesConfig
    return made(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=device.torch_dtype,
    )


class TransformersLanguageModel:
    """Writes token by token; two threads may ask at once, for nothing is kept between tokens but in their own cache."""

    sent_to = ""

    def __init__(self, name: str, opened: CausalNetwork) -> None:
        self.name, self._opened = name, opened

    def generate(self, messages: Sequence[Message], max_tokens: int, stop: Sequence[str] = ()) -> Iterator[str]:
        """Yield the text that it writes, piece by piece, up to so many tokens or one of the texts to stop at.

        Raises:
            ModelUnavailableError: it takes no such messages, or not so long ones.
        """
        prompt = prompt_of(self._opened.tokenizer, messages)
        check_length(self.name, len(prompt) + max_tokens, self._opened.longest)
        return pieces(self._tokens(prompt, max_tokens), self._decode, stop)

    def _decode(self, tokens: list[int]) -> str:
        return str(self._opened.tokenizer.decode(tokens, skip_special_tokens=True))

    def _tokens(self, prompt: list[int], max_tokens: int) -> Iterator[int]:
        network = self._opened.network
        new = torch.tensor([prompt], device=network.device)
        cache = None
        for _ in range(max_tokens):
            with torch.inference_mode():
                found = network(input_ids=new, past_key_values=cache, use_cache=True, logits_to_keep=1)
            cache = found.past_key_values
            token = int(found.logits[0, -1].argmax())
            if token in self._opened.ends:
                return
            yield token
            new = torch.tensor([[token]], device=network.device)
