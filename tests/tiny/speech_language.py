"""A tiny random Llama that hears the shipped encoder through a projector: a folder as the recipe writes it."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from speechsearch.models.built_in import MINI
from speechsearch.models.card import ModelCard, ModelFile
from speechsearch.models.speech_language_model import Projector
from speechsearch.training.train_understand import save_folder
from tests.tiny.saving import NOT_SAVED, sha256_of

TEMPLATE = (
    "{% for message in messages %}<s>{{ message['role'] }}\n{{ message['content'] }}</s>{% endfor %}<s>assistant\n"
)
WIDTH = 32


def save_language_model(folder: Path) -> list[Path]:
    """Write a Llama of two layers that reads bytes and knows conversations; return its files, the weights first."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: place for place, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    fast.chat_template = TEMPLATE
    config = LlamaConfig(
        vocab_size=len(fast), hidden_size=WIDTH, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=512, tie_word_embeddings=False, initializer_range=0.5, bos_token_id=fast.bos_token_id,
        eos_token_id=fast.eos_token_id,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = LlamaForCausalLM(config)
    network.save_pretrained(folder)
    fast.save_pretrained(folder)
    paths = [path for path in folder.iterdir() if path.suffix in (".safetensors", ".json", ".jinja")]
    return sorted(paths, key=lambda path: path.name != NOT_SAVED.name)


def save(folder: Path, language_model: Path) -> ModelCard:
    """Write a folder with a random projector and the files of a language model; return that model's card."""
    files = save_language_model(language_model)
    card = ModelCard(
        name="tiny-llama", task="language model", factory="speechsearch.models.language_model:load",
        summary="random, two layers", licence="Apache-2.0",
        files=tuple(ModelFile(path.name, sha256_of(path)) for path in files),
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        projector = Projector(384, 16, WIDTH)
    save_folder(folder, projector, (MINI.name, MINI.fingerprint), card, files)
    return card
