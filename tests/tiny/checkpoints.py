"""Tiny random recognisers of transformers, saved as the hub has them and loaded by the product's own code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    GenerationConfig,
    MoonshineConfig,
    MoonshineForConditionalGeneration,
    ParakeetCTCConfig,
    ParakeetFeatureExtractor,
    ParakeetForCTC,
    ParakeetForTDT,
    ParakeetProcessor,
    ParakeetTDTConfig,
    PreTrainedTokenizerFast,
    Qwen2Tokenizer,
    Qwen3ASRConfig,
    Qwen3ASRFeatureExtractor,
    Qwen3ASRForConditionalGeneration,
    Qwen3ASRProcessor,
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2Processor,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)
from transformers.models.parakeet.tokenization_parakeet import ParakeetTokenizer

from speechsearch.models.card import ModelCard
from speechsearch.models.transformers_cards import card_of_checkpoint

PIECES = ["▁a", "▁se", "▁no", "t", "r", "en", "▁oc", "▁so", "s"]
LETTERS = list("abcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True)
class Family:
    """What writes a checkpoint of a family into a folder; the card is made of the folder as a user's is."""

    name: str
    write: Callable[[Path], None]
    languages: tuple[str, ...] = ("en", "pl")

    @property
    def CARD(self) -> ModelCard:
        """A card with nothing but a name and a task, for lists of names."""
        return ModelCard(
            name=self.name,
            task="recognizer",
            factory="tests.tiny.checkpoints:none",
            summary="random",
            licence="Apache-2.0",
            revision="-",
        )

    def save(self, folder: Path) -> ModelCard:
        """Write the checkpoint and return its card."""
        folder.mkdir(parents=True, exist_ok=True)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(4)
            self.write(folder)
        return replace(card_of_checkpoint(self.name, folder), languages=self.languages)


def none(located: Any) -> None:
    """Never called: the card of ``save`` names the real factory."""
    raise AssertionError(located)


def _write(folder: Path, *parts: Any) -> None:
    for part in parts:
        part.save_pretrained(folder)


def _wav2vec2(folder: Path) -> None:
    words = ["<pad>", "<s>", "</s>", "<unk>", "|", *"AEINRST"]
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(str({word: number for number, word in enumerate(words)}).replace("'", '"'), encoding="utf-8")
    config = Wav2Vec2Config(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        conv_dim=(8, 8), conv_kernel=(400, 8), conv_stride=(160, 8), feat_extract_norm="layer", initializer_range=1.0,
        do_stable_layer_norm=True, num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2, pad_token_id=0,
    )  # fmt: skip
    extractor = Wav2Vec2FeatureExtractor(return_attention_mask=True)
    _write(folder, Wav2Vec2ForCTC(config), Wav2Vec2Processor(extractor, Wav2Vec2CTCTokenizer(str(vocabulary))))


def _of_pieces(special: list[str]) -> Tokenizer:
    words = [*PIECES, *special]
    tokenizer = Tokenizer(models.BPE({word: number for number, word in enumerate(words)}, [], unk_token=special[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


ENCODER = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
    "subsampling_conv_channels": 4, "num_mel_bins": 80, "initializer_range": 0.5,
}  # fmt: skip


def _parakeet_ctc(folder: Path) -> None:
    tokenizer = ParakeetTokenizer(tokenizer_object=_of_pieces(["<unk>", "<pad>"]), unk_token="<unk>", pad_token="<pad>")
    config = ParakeetCTCConfig(vocab_size=len(PIECES) + 2, pad_token_id=len(PIECES) + 1, encoder_config=ENCODER)
    processor = ParakeetProcessor(ParakeetFeatureExtractor(), tokenizer, decoder_type="ctc")
    _write(folder, ParakeetForCTC(config), processor)


def _parakeet_tdt(folder: Path) -> None:
    special = ["<unk>", "<pad>", "<blank>"]
    tokenizer = ParakeetTokenizer(tokenizer_object=_of_pieces(special), unk_token="<unk>", pad_token="<pad>")
    config = ParakeetTDTConfig(
        vocab_size=len(PIECES) + 3, pad_token_id=len(PIECES) + 1, blank_token_id=len(PIECES) + 2,
        decoder_hidden_size=16, num_decoder_layers=1, max_symbols_per_step=2, encoder_config=ENCODER,
    )  # fmt: skip
    processor = ParakeetProcessor(ParakeetFeatureExtractor(), tokenizer, decoder_type="tdt")
    network = ParakeetForTDT(config)
    durations = list(range(config.vocab_size, config.vocab_size + len(config.durations)))
    network.generation_config.update(decoder_start_token_id=config.blank_token_id, suppress_tokens=durations)
    _write(folder, network, processor)


def write_whisper(folder: Path, longest: int = 64) -> None:
    """A Whisper that writes at most so many tokens."""
    byte_level = {one: number for number, one in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    special = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|pl|>", "<|translate|>", "<|transcribe|>",
               "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]  # fmt: skip
    tokenizer = WhisperTokenizer(vocab=byte_level, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": special[1:]})
    ids = dict(zip(special, tokenizer.convert_tokens_to_ids(special), strict=True))
    end, start = ids["<|endoftext|>"], ids["<|startoftranscript|>"]
    config = WhisperConfig(
        vocab_size=len(tokenizer), num_mel_bins=80, d_model=16, encoder_layers=1, encoder_attention_heads=2,
        encoder_ffn_dim=32, decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=32, init_std=0.5,
        max_target_positions=longest, pad_token_id=end, bos_token_id=end, eos_token_id=end,
        decoder_start_token_id=start,
    )  # fmt: skip
    network = WhisperForConditionalGeneration(config)
    network.generation_config = GenerationConfig(
        is_multilingual=True, lang_to_id={"<|en|>": ids["<|en|>"], "<|pl|>": ids["<|pl|>"]},
        task_to_id={"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]},
        no_timestamps_token_id=ids["<|notimestamps|>"], decoder_start_token_id=start, eos_token_id=end,
        pad_token_id=end, bos_token_id=end, max_length=longest, return_timestamps=False,
        suppress_tokens=[number for name, number in ids.items() if number != end],
    )  # fmt: skip
    _write(folder, network, WhisperProcessor(WhisperFeatureExtractor(), tokenizer))


def _moonshine(folder: Path) -> None:
    special = ["<unk>", "<s>", "</s>"]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_of_pieces(special), unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    first = len(PIECES)
    config = MoonshineConfig(
        vocab_size=first + 3, hidden_size=16, intermediate_size=32, encoder_num_hidden_layers=1,
        decoder_num_hidden_layers=1, encoder_num_attention_heads=2, decoder_num_attention_heads=2,
        initializer_range=0.5, max_position_embeddings=194, bos_token_id=first + 1, eos_token_id=first + 2,
        pad_token_id=first + 2, decoder_start_token_id=first + 1,
    )  # fmt: skip
    extractor = Wav2Vec2FeatureExtractor(do_normalize=False, return_attention_mask=True)
    _write(folder, MoonshineForConditionalGeneration(config), Wav2Vec2Processor(extractor, tokenizer))


TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for c in m.content %}"
    "{% if c.type == 'audio' %}<|audio_start|><|audio_pad|><|audio_end|>{% else %}{{ c.text }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}"
)


def _qwen3(folder: Path) -> None:
    byte_level = {one: number for number, one in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    audio = {"audio_token": "<|audio_pad|>", "audio_bos_token": "<|audio_start|>", "audio_eos_token": "<|audio_end|>"}
    tokenizer = Qwen2Tokenizer(vocab=byte_level, merges=[], extra_special_tokens=audio)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.add_tokens(["<asr_text>"])
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    config = Qwen3ASRConfig(
        audio_config={"num_mel_bins": 128, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 32,
                      "d_model": 16, "output_dim": 32, "downsample_hidden_size": 4, "initializer_range": 0.5},
        text_config={"model_type": "qwen3", "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 32,
                     "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16,
                     "tie_word_embeddings": True, "initializer_range": 0.5},
        audio_token_id=tokenizer.convert_tokens_to_ids("<|audio_pad|>"), pad_token_id=end, eos_token_id=end,
    )  # fmt: skip
    processor = Qwen3ASRProcessor(Qwen3ASRFeatureExtractor(), tokenizer, chat_template=TEMPLATE)
    _write(folder, Qwen3ASRForConditionalGeneration(config), processor)


WAV2VEC2 = Family("tiny-wav2vec2", _wav2vec2)
PARAKEET_CTC = Family("tiny-parakeet-ctc", _parakeet_ctc)
PARAKEET_TDT = Family("tiny-parakeet-tdt", _parakeet_tdt)
WHISPER = Family("tiny-whisper-hub", write_whisper)
MOONSHINE = Family("tiny-moonshine", _moonshine, ("en",))
QWEN3 = Family("tiny-qwen3-asr", _qwen3, ("en", "zh"))
