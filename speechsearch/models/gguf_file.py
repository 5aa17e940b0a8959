"""A language model out of a GGUF file, llama.cpp's format: its network for PyTorch, and its tokeniser.

Source: the GGUF specification (github.com/ggml-org/ggml, docs/gguf.md); transformers reads metadata and blocks.
Differs: transformers' own loading wants two more packages and reads the metadata four times (26 s for a file that is
open here in 2 s); and it leaves out the factors of Llama 3.1's rotary positions, which stand in the file as an array.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers import pre_tokenizers
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast
from transformers.initialization import no_init_weights
from transformers.integrations.gguf.dequant import GGML_BLOCK, dequantize
from transformers.integrations.gguf.gguf_tokenizer_mapping import (
    GGUF_PRE_TOKENIZER_SPLITS,
    convert_gguf_tokenizer,
    get_gguf_tokenizer,
)
from transformers.integrations.gguf.reader import GgufHeader, load_gguf_state_dict, read_gguf_metadata
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from speechsearch.domain.errors import ModelUnavailableError

MODEL_TYPES = {"llama": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
"""llama.cpp's names of architectures that are read, and transformers'. Mistral's files say llama, and are the same."""
NUMBERS = {
    "max_position_embeddings": "context_length",
    "hidden_size": "embedding_length",
    "intermediate_size": "feed_forward_length",
    "num_hidden_layers": "block_count",
    "num_attention_heads": "attention.head_count",
    "num_key_value_heads": "attention.head_count_kv",
    "rms_norm_eps": "attention.layer_norm_rms_epsilon",
}
PLACES = {
    "token_embd.": "model.embed_tokens.",
    "output_norm.": "model.norm.",
    "output.": "lm_head.",
    "blk.": "model.layers.",
    ".attn_norm.": ".input_layernorm.",
    ".attn_q.": ".self_attn.q_proj.",
    ".attn_k.": ".self_attn.k_proj.",
    ".attn_v.": ".self_attn.v_proj.",
    ".attn_q_norm.": ".self_attn.q_norm.",
    ".attn_k_norm.": ".self_attn.k_norm.",
    ".attn_output.": ".self_attn.o_proj.",
    ".ffn_norm.": ".post_attention_layernorm.",
    ".ffn_gate.": ".mlp.gate_proj.",
    ".ffn_up.": ".mlp.up_proj.",
    ".ffn_down.": ".mlp.down_proj.",
}
"""How llama.cpp names the parts of a network, and how transformers does."""
ROTARY, QUERIES = "rope_freqs.weight", ".attn_q.weight"
LLAMA3_ROTARY = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
"""What all of Llama 3.1, 3.2 and 3.3 have; the factor differs, and is the largest in the file's array."""
DIGIT_BY_DIGIT, PLAIN = ("smollm",), ("", "default", "gpt-2")
"""Pre-tokenisers of byte pairs that transformers does not know by name: every digit alone; GPT-2's own."""
ENDS = ("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id")
FAULTS = (OSError, ValueError, KeyError, TypeError, RuntimeError, ArithmeticError, struct.error, IndexError)
"""All that reading a damaged or hostile file raises; sizes are compared with the file's by NumPy's slices."""


def open_gguf(path: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    """Return the network of a file, frozen and on the CPU, and its tokeniser with the template of conversations.

    Raises:
        ModelUnavailableError: the file cannot be read, or has an architecture or a tokeniser that is not known here.
    """
    try:
        metadata, _ = read_gguf_metadata(str(path))
        return _network(path, metadata, dtype), _tokenizer(path, metadata)
    except FAULTS as error:
        raise _unreadable(path, error) from error


def has_scaled_positions(path: Path) -> bool:
    """Return whether a file's rotary positions have factors. Raises ModelUnavailableError: it cannot be read."""
    return any(info.name == ROTARY for info in _header(path).tensors)


def has_own_head_size(path: Path) -> bool:
    """Return whether a file's heads are together wider or narrower than what they read, as Mistral NeMo's are.

    Raises:
        ModelUnavailableError: it cannot be read.
    """
    shapes = [info.shape for info in _header(path).tensors if info.name.endswith(QUERIES)]
    return any(rows != columns for rows, columns in shapes)


def architecture_of(path: Path) -> str:
    """Return llama.cpp's name of a file's architecture. Raises ModelUnavailableError: it cannot be read."""
    return str(_header(path).architecture)


def _header(path: Path) -> GgufHeader:
    try:
        return GgufHeader.from_file(str(path))
    except FAULTS as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ModelUnavailableError:
    return ModelUnavailableError(
        f"{path} is no language model that can be read: {str(error).rstrip('.') or type(error).__name__}.",
        "GGUF files of the architectures llama, qwen2 and qwen3 are; not in Q5_0 and Q5_1.",
    )


def config_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return transformers' configuration of a file by its metadata, but for the rotary positions' scale.

    Raises:
        ValueError: the architecture is not known.
        KeyError: a number is missing.
    """
    architecture = metadata["general.architecture"]
    if architecture not in MODEL_TYPES:
        raise ValueError(f"its architecture is {architecture!r:.40}")
    if metadata.get(f"{architecture}.expert_count"):
        raise ValueError("it is a mixture of experts")
    scaled = metadata.get(f"{architecture}.rope.scaling.type", "none")
    if scaled != "none":
        raise ValueError(f"its rotary positions are scaled by {scaled!r:.40}")
    config = {name: metadata[f"{architecture}.{key}"] for name, key in NUMBERS.items()}
    head_dim = metadata.get(f"{architecture}.rope.dimension_count") or metadata.get(
        f"{architecture}.attention.key_length"
    )
    ends = sorted({metadata[key] for key in ENDS if key in metadata})
    return {
        **config,
        "model_type": MODEL_TYPES[architecture],
        "head_dim": head_dim or config["hidden_size"] // config["num_attention_heads"],
        "vocab_size": metadata["tokenizer.ggml.tokens"],  # the reader leaves the list as its length
        "rope_parameters": {"rope_type": "default", "rope_theta": metadata.get(f"{architecture}.rope.freq_base", 1e4)},
        "bos_token_id": metadata.get("tokenizer.ggml.bos_token_id"),
        "pad_token_id": metadata.get("tokenizer.ggml.padding_token_id"),
        "eos_token_id": ends or None,
    }


def place_of(name: str) -> str:
    """Return transformers' name of an array.

    >>> place_of("blk.3.attn_q.weight"), place_of("output_norm.weight"), place_of("output.weight")
    ('model.layers.3.self_attn.q_proj.weight', 'model.norm.weight', 'lm_head.weight')
    """
    for old, new in PLACES.items():
        if name.startswith(old) or (old.startswith(".") and old in name):
            name = name.replace(old, new, 1)
    return name


def _network(path: Path, metadata: Mapping[str, Any], dtype: torch.dtype) -> Any:
    config = config_of(metadata)
    header = GgufHeader.from_file(str(path))
    arrays = load_gguf_state_dict(header)
    config["tie_word_embeddings"] = "output.weight" not in arrays
    heads = {".attn_q.": config["num_attention_heads"], ".attn_k.": config["num_key_value_heads"]}
    state: dict[str, Tensor] = {}
    for name, lazy in arrays.items():
        numbers = lazy[...]
        if lazy.ggml_type in GGML_BLOCK:
            shape = next(info.shape for info in header.tensors if info.name == name)
            numbers = dequantize(numbers.reshape(-1), lazy.ggml_type).reshape(shape)
        if name == ROTARY:
            config["rope_parameters"] |= _llama3_rotary(numbers.float(), config)
            continue
        for part, count in heads.items():
            if metadata["general.architecture"] == "llama" and part in name:
                numbers = _paired_halves(numbers, count)
        state[place_of(name)] = numbers.to(dtype)
    with no_init_weights():
        made: Any = AutoModelForCausalLM
        network = made.from_config(AutoConfig.for_model(**config), dtype=dtype)
    missing, unknown = network.load_state_dict(state, strict=False, assign=True)
    lacking = [name for name in missing if not (name == "lm_head.weight" and config["tie_word_embeddings"])]
    if lacking or unknown:
        raise ValueError(f"arrays are missing or not known: {', '.join([*lacking, *unknown])[:200]}")
    network.tie_weights()
    network.generation_config.eos_token_id = config["eos_token_id"]
    return network.eval().requires_grad_(False)


def _paired_halves(weight: Tensor, heads: int) -> Tensor:
    """Return queries' or keys' rows as transformers rotates them: llama.cpp has the two of a pair side by side.

    >>> _paired_halves(torch.arange(8), 2).tolist()
    [0, 2, 1, 3, 4, 6, 5, 7]
    """
    rows, rest = weight.shape[0], weight.shape[1:]
    return weight.reshape(heads, rows // heads // 2, 2, *rest).transpose(1, 2).reshape(rows, *rest)


def _llama3_rotary(factors: Tensor, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return Llama 3.1's scale of rotary positions, whose factors for every frequency a file has.

    Raises:
        ValueError: the factors are none that Llama 3.1's formula gives.
    """
    scale = {"rope_type": "llama3", "factor": round(float(factors.max()), 3), **LLAMA3_ROTARY}
    rope = config["rope_parameters"]
    scaled = AutoConfig.for_model(**{**config, "rope_parameters": {**rope, **scale}})
    found, _ = ROPE_INIT_FUNCTIONS["llama3"](scaled, torch.device("cpu"))
    exponents = torch.arange(0, config["head_dim"], 2) / config["head_dim"]
    wanted = 1 / rope["rope_theta"] ** exponents / factors
    if found.shape != wanted.shape or not torch.allclose(found, wanted, rtol=1e-3):
        raise ValueError("its rotary positions are scaled in a way that is not known")
    return scale


def _tokenizer(path: Path, metadata: Mapping[str, Any]) -> Any:
    """Return the tokeniser, which the metadata has token by token. Raises ValueError: it is of another kind."""
    architecture, parts, said = get_gguf_tokenizer(str(path))
    splits = str(parts.get("pre_tokenizer_type", ""))
    is_bytes = parts.get("tokenizer_type") == "gpt2"
    if is_bytes and splits not in (*GGUF_PRE_TOKENIZER_SPLITS, *DIGIT_BY_DIGIT, *PLAIN):
        raise ValueError(f"its tokeniser splits texts by {splits!r:.40}, which is not known")
    backend, _ = convert_gguf_tokenizer(architecture, parts)
    if is_bytes and splits in DIGIT_BY_DIGIT:
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
    special = {name: said[name] for name in ("bos_token", "eos_token", "unk_token", "pad_token") if said.get(name)}
    made: Any = PreTrainedTokenizerFast
    tokenizer = made(tokenizer_object=backend, clean_up_tokenization_spaces=False, model_max_length=int(1e9), **special)
    tokenizer.chat_template = said.get("chat_template")
    return tokenizer
