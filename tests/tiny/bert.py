"""A tiny text encoder of another width, with prompts and another pooling; the family is the program's own."""

from __future__ import annotations

import string
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

from speechsearch.models.card import ModelCard
from tests.tiny.saving import NOT_SAVED, save_files

CARD = ModelCard(
    name="tiny-bert",
    task="text encoder",
    factory="speechsearch.models.bert:load",
    summary="random, 32 numbers",
    licence="Apache-2.0",
    files=(NOT_SAVED,),
    dim=32,
    query_prompt="query: ",
    passage_prompt="passage: ",
    pooling="cls",
)


def tokenizer() -> Tokenizer:
    """Letters as word pieces."""
    letters = string.ascii_lowercase + string.digits + string.punctuation
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters)]
    made = Tokenizer(models.WordPiece({piece: place for place, piece in enumerate(pieces)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return made


def save(folder: Path) -> ModelCard:
    """Write the model into a folder and return its card."""
    folder.mkdir(parents=True, exist_ok=True)
    words = tokenizer()
    words.save(str(folder / "tokenizer.json"))
    config = BertConfig(
        vocab_size=words.get_vocab_size(), hidden_size=CARD.dim, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=128, initializer_range=0.5,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = BertModel(config, add_pooling_layer=False)
    return save_files(folder, CARD, network, config)
