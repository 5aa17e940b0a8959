"""Tiny random language models: two checkpoints of transformers and a GGUF file, as a user has them in a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from speechsearch.models.card import ModelCard
from speechsearch.models.folders import card_of

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MERGES = ("t h", "th e", "Ġ the", "a n", "an d", "Ġ and")
LETTERS = ("Ġ", "Ċ", *map(chr, range(33, 127)), "Ã", "©")
"""Of the bytes those of ASCII, and the two of é."""
WORDS = (*SPECIAL, *LETTERS, *(merge.replace(" ", "") for merge in MERGES))
SHAPE = {
    "vocab_size": len(WORDS), "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 512,
    "initializer_range": 0.6, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2,
}  # fmt: skip
LLAMA3_ROTARY = {
    "rope_type": "llama3", "rope_theta": 10_000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}  # fmt: skip


def tokenizer() -> Any:
    """The tokeniser of all of them."""
    backend = Tokenizer(models.BPE({word: number for number, word in enumerate(WORDS)}, [_pair(one) for one in MERGES]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=SPECIAL[1], eos_token=SPECIAL[2], pad_token=SPECIAL[2], unk_token=SPECIAL[0]
    )
    made.chat_template = TEMPLATE
    return made


def llama(**changes: Any) -> LlamaForCausalLM:
    """A random Llama."""
    return _random(lambda: LlamaForCausalLM(LlamaConfig(**{**SHAPE, "tie_word_embeddings": False, **changes})))


def qwen3(**changes: Any) -> Qwen3ForCausalLM:
    """A random Qwen3, whose embeddings are its output, too."""
    return _random(lambda: Qwen3ForCausalLM(Qwen3Config(**{**SHAPE, "tie_word_embeddings": True, **changes})))


def write_checkpoint(folder: Path, network: Any) -> None:
    """Write a network and the tokeniser as the hub has them."""
    network.save_pretrained(folder)
    tokenizer().save_pretrained(folder)


def write_gguf(path: Path, network: Any, numbers: str = "F32", pre: str = "gpt-2", **more: Any) -> None:
    """Write a network and the tokeniser as llama.cpp's converter does; ``more``: metadata instead of what is usual.

    The names of arrays are those of the package gguf.
    """
    import gguf

    config = network.config
    name = {"llama": "llama", "qwen3": "qwen3"}[config.model_type]
    kind = {"llama": gguf.MODEL_ARCH.LLAMA, "qwen3": gguf.MODEL_ARCH.QWEN3}[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, more.get("architecture", name))
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_key_length(config.head_dim)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(list(WORDS))
    writer.add_token_types([gguf.TokenType.CONTROL] * len(SPECIAL) + [gguf.TokenType.NORMAL] * (len(WORDS) - 3))
    writer.add_token_merges(list(MERGES))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_chat_template(TEMPLATE)
    names = gguf.get_tensor_name_map(kind, config.num_hidden_layers)
    is_tied = config.tie_word_embeddings
    for old, tensor in network.state_dict().items():
        if old == "lm_head.weight" and is_tied:
            continue
        array = tensor.float().numpy()
        if name == "llama" and (".q_proj." in old or ".k_proj." in old):
            heads = config.num_attention_heads if ".q_proj." in old else config.num_key_value_heads
            array = array.reshape(heads, 2, -1, array.shape[1]).swapaxes(1, 2).reshape(array.shape)
        new = names.get_name(old, try_suffixes=(".weight",))
        coarse = gguf.GGMLQuantizationType[numbers if array.ndim == 2 else "F32"]
        writer.add_tensor(new, gguf.quants.quantize(np.ascontiguousarray(array), coarse), raw_dtype=coarse)
    if "rotary" in more:
        writer.add_tensor("rope_freqs.weight", np.asarray(more["rotary"], np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _pair(merge: str) -> tuple[str, str]:
    first, second = merge.split()
    return first, second


def _random(make: Callable[[], Any]) -> Any:
    """A network of random numbers that writes no mark, so that it writes on for as long as it is let."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        network = make().eval()
    network.get_output_embeddings().weight.data[: len(SPECIAL)] = 0
    return network


@dataclass(frozen=True)
class Family:
    """What writes a model into a folder; the card is made of the folder as a user's is."""

    name: str
    write: Callable[[Path], None]

    @property
    def CARD(self) -> ModelCard:
        """A card with nothing but a name and a task, for lists of names."""
        return ModelCard(
            name=self.name,
            task="language model",
            factory="tests.tiny.language:none",
            summary="random",
            licence="Apache-2.0",
            revision="-",
        )

    def save(self, folder: Path) -> ModelCard:
        """Write the model and return its card."""
        folder.mkdir(parents=True, exist_ok=True)
        self.write(folder)
        return card_of(folder)


LLAMA = Family("tiny-llama", lambda folder: write_checkpoint(folder, llama()))
QWEN3 = Family("tiny-qwen3", lambda folder: write_checkpoint(folder, qwen3()))
GGUF = Family("tiny-gguf", lambda folder: write_gguf(folder / "tiny.Q8_0.gguf", llama(), "Q8_0"))
