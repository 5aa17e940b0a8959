"""Recognisers of the library transformers out of a folder as the hub has it: CTC, transducers, encoder and decoder.

wav2vec 2.0, HuBERT, WavLM, Parakeet (CTC, RNN-T, TDT), Whisper, Moonshine, Speech2Text and what else its classes
``AutoModelForCTC``, ``...ForRNNT``, ``...ForTDT`` and ``...ForSpeechSeq2Seq`` load. Safetensors only, no code from the
folder. Greedy, in windows of at most 30 s; on a CPU one window at a time, which takes all cores, on a graphics card
several of one length.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from threading import Lock
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from torch import Tensor

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Transcript, Word
from speechsearch.models.card import ModelCard, primary_language
from speechsearch.models.device import Device
from speechsearch.models.files import together
from speechsearch.models.load import Located
from speechsearch.models.windows import Window, Written, begins_word, is_loop, transcribe_windows

BATCH_WINDOWS = 8
"""On a graphics card."""
TOKENS_A_SECOND, SPARE_TOKENS = 14, 8
REPEATED_TOKENS = 4
"""A window that loops is written once more, so many tokens never the same twice."""
WORD_STARTS = ("▁", "Ġ", " ")


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A network, what makes its inputs and reads its outputs, and how many windows it hears at once.

    ``generating``: held while the network generates, because some keep the state of that in themselves.
    """

    card: ModelCard
    network: Any
    processor: Any
    device: Device
    batch_windows: int
    generating: Lock = field(default_factory=Lock)

    def inputs(self, windows: Sequence[Window], **how: Any) -> dict[str, Tensor]:
        """Return what the network gets for windows, on its device and in its precision."""
        samples = [window.samples for window in windows]
        made = self.processor.feature_extractor(
            samples, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt", return_attention_mask=True, **how
        )
        return self.placed(made)

    def placed(self, made: Any) -> dict[str, Tensor]:
        """Return tensors on the network's device, those of numbers with a point in its precision."""
        device, dtype = self.device.torch_device, self.device.torch_dtype
        return {name: one.to(device, dtype if one.is_floating_point() else None) for name, one in made.items()}


def open_checkpoint(located: Located, auto: str) -> Checkpoint:
    """Return the network and processor of a card's files; ``auto``: the class of transformers that loads it.

    Raises:
        ModelUnavailableError: the files do not fit each other or the class, or weights are missing.
    """
    card, device = located.card, located.device
    with together(located.files) as folder, without_progress_bars():
        try:
            network, report = getattr(transformers, auto).from_pretrained(
                folder, dtype=device.torch_dtype, use_safetensors=True, local_files_only=True, output_loading_info=True
            )
            if report["missing_keys"]:
                raise ValueError(f"its weights lack {', '.join(sorted(report['missing_keys'])[:3])}")
            read: Any = transformers.AutoProcessor
            processor = read.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError, RuntimeError, TypeError, ImportError, SafetensorError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelUnavailableError(
                f"The recognizer '{card.name}' cannot be loaded: {reason}",
                f"It needs a checkpoint that transformers {transformers.__version__} reads, with model.safetensors, "
                "tokenizer and preprocessor.",
            ) from error
    if network.can_generate():
        network.generation_config.update(
            return_dict_in_generate=True, output_logits=True, do_sample=False, num_beams=1, max_length=None
        )
    batch_windows = 1 if device.name == "cpu" else BATCH_WINDOWS
    return Checkpoint(card, network.to(device.torch_device).eval(), processor, device, batch_windows)


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """Keep transformers from drawing bars while it loads."""
    logging: Any = transformers.utils.logging
    were_on = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if were_on:
            logging.enable_progress_bar()


def load_ctc(located: Located) -> TransformersRecognizer:
    """Return the recogniser of a network with a CTC head. Raises ModelUnavailableError."""
    return TransformersRecognizer(Ctc(open_checkpoint(located, "AutoModelForCTC")))


def load_transducer(located: Located) -> TransformersRecognizer:
    """Return the recogniser of a transducer, without durations or with. Raises ModelUnavailableError."""
    is_tdt = "tdt" in located.files["config.json"].read_text(encoding="utf-8").lower()
    return TransformersRecognizer(
        Transducer(open_checkpoint(located, "AutoModelForTDT" if is_tdt else "AutoModelForRNNT"))
    )


def load_seq2seq(located: Located) -> TransformersRecognizer:
    """Return the recogniser of an encoder and a decoder. Raises ModelUnavailableError."""
    return TransformersRecognizer(Seq2Seq(open_checkpoint(located, "AutoModelForSpeechSeq2Seq")))


class TransformersRecognizer:
    """Writes down windows, each as its family decodes."""

    def __init__(self, family: Ctc | Transducer | Seq2Seq) -> None:
        self.card, self._family = family.checkpoint.card, family
        self.name, self.fingerprint = self.card.name, self.card.fingerprint

    def transcribe(
        self, sounds: Sequence[Audio], language: str | None = None, hotwords: Sequence[str] = ()
    ) -> list[Transcript]:
        """Return one transcript a passage, in order; a multilingual Whisper hears the language where none is said.

        Raises:
            CapabilityError: the model does not know the language, or hotwords are given.
        """
        self.card.check_language(language)
        self.card.check_hotwords(hotwords)
        spoken = primary_language(language) or (self.card.languages[0] if len(self.card.languages) == 1 else "")

        @torch.inference_mode()
        def hear(windows: Sequence[Window]) -> list[Written]:
            return self._family.hear(windows, spoken)

        return transcribe_windows(sounds, self.name, self._family.checkpoint.batch_windows, hear)


@dataclass(frozen=True, slots=True)
class Ctc:
    """The likeliest symbol of every frame; runs of one symbol are one, blanks are dropped."""

    checkpoint: Checkpoint

    def hear(self, windows: Sequence[Window], language: str) -> list[Written]:
        """Return the words of windows, with times."""
        inputs = self.checkpoint.inputs(windows, padding=True)
        scores = self.checkpoint.network(**inputs).logits.float().log_softmax(-1).cpu()
        blank = self.checkpoint.network.config.pad_token_id
        frame_s = windows[0].duration_s / scores.shape[1]
        written = []
        for window, row in zip(windows, scores, strict=True):
            best = row.max(-1)
            frames = list(zip(best.indices.tolist(), best.values.tolist(), range(len(row)), strict=True))
            runs = [list(run) for _, run in groupby(frames, key=lambda frame: frame[0])]
            tokens = [(run[0][0], run[0][2], run[-1][2] + 1) for run in runs if run[0][0] != blank]
            chances = [max(chance for _, chance, _ in run) for run in runs if run[0][0] != blank]
            words = timed(self.checkpoint.processor.tokenizer, tokens, frame_s, window)
            mean = sum(chances) / len(chances) if chances else None
            written.append(Written(window, joined(words), words, language, mean, len(chances)))
        return written


@dataclass(frozen=True, slots=True)
class Transducer:
    """Tokens one after the other, each where in the sound it was found; it does not say how sure it is."""

    checkpoint: Checkpoint

    def hear(self, windows: Sequence[Window], language: str) -> list[Written]:
        """Return the words of windows, with times."""
        network, processor = self.checkpoint.network, self.checkpoint.processor
        encoder, extractor = network.config.encoder_config, processor.feature_extractor
        frame_s = encoder.subsampling_factor * extractor.hop_length / extractor.sampling_rate
        frames = math.ceil(windows[0].duration_s / frame_s) + 1
        most = network.config.max_symbols_per_step * frames
        inputs = self.checkpoint.inputs(windows, padding=True)
        with self.checkpoint.generating:
            found = network.generate(**inputs, max_new_tokens=most)
        starts = (found.durations.cumsum(-1) - found.durations).tolist()
        written = []
        for window, ids, begins in zip(windows, found.sequences.tolist(), starts, strict=True):
            tokens = [
                (one, begin, begin + 1)
                for one, begin in zip(ids, begins, strict=True)
                if one != network.config.blank_token_id and begin * frame_s < window.duration_s
            ]
            words = timed(processor.tokenizer, tokens, frame_s, window)
            written.append(Written(window, joined(words), words, language))
        return written


@dataclass(frozen=True, slots=True)
class Seq2Seq:
    """An encoder and a decoder that writes the likeliest token after the other; no times."""

    checkpoint: Checkpoint

    def hear(self, windows: Sequence[Window], language: str) -> list[Written]:
        """Return the texts of windows; what loops is written once more."""
        network, is_whisper = self.checkpoint.network, self.checkpoint.network.config.model_type == "whisper"
        inputs = self.checkpoint.inputs(windows, **({} if is_whisper else {"padding": True}))
        how: dict[str, Any] = {}
        languages = [language] * len(windows)
        if is_whisper:
            how = {"return_timestamps": False}
            if getattr(network.generation_config, "is_multilingual", False):
                if not language:
                    codes = {number: code[2:-2] for code, number in network.generation_config.lang_to_id.items()}
                    languages = [codes[number] for number in network.detect_language(inputs["input_features"]).tolist()]
                how |= {"language": languages, "task": "transcribe"}
        texts = generate(self.checkpoint, inputs, windows, how)
        again = [place for place, (text, _, _) in enumerate(texts) if is_loop(text)]
        if again:
            rows = torch.tensor(again, device=self.checkpoint.device.torch_device)
            some = {name: one[rows] for name, one in inputs.items()}
            if "language" in how:
                how["language"] = [languages[place] for place in again]
            how["no_repeat_ngram_size"] = REPEATED_TOKENS
            for place, one in zip(
                again, generate(self.checkpoint, some, [windows[i] for i in again], how), strict=True
            ):
                texts[place] = one if not is_loop(one[0]) else ("", None, 0)
        return [
            Written(window, text, (), spoken, mean, count)
            for window, spoken, (text, mean, count) in zip(windows, languages, texts, strict=True)
        ]


def generate(
    checkpoint: Checkpoint, inputs: dict[str, Tensor], windows: Sequence[Window], how: dict[str, Any]
) -> list[tuple[str, float | None, int]]:
    """Return, of each window, the text, its tokens' mean log probability, and how many there are; greedily.

    ``inputs``: of the network's ``generate``; ``how``: what else it takes.
    """
    config = checkpoint.network.config.get_text_config(decoder=True)
    room = getattr(config, "max_target_positions", None) or getattr(config, "max_position_embeddings", None) or 10**6
    before = inputs["input_ids"].shape[1] if "input_ids" in inputs else SPARE_TOKENS
    most = max(1, min(round(windows[0].duration_s * TOKENS_A_SECOND) + SPARE_TOKENS, room - before))
    limit = "max_length" if config.model_type == "whisper" else "max_new_tokens"  # Whisper warns of the other
    with checkpoint.generating:
        found = checkpoint.network.generate(**inputs, **how, **{limit: most})
    ids = found.sequences[:, -len(found.logits) :]
    steps = [scores.float().log_softmax(-1).gather(-1, ids[:, [n]]) for n, scores in enumerate(found.logits)]
    chances = torch.cat(steps, 1).cpu()
    special = set(checkpoint.processor.tokenizer.all_special_ids)
    texts = []
    for row, chance in zip(ids.tolist(), chances, strict=True):
        kept = [place for place, one in enumerate(row) if one not in special]
        text = checkpoint.processor.tokenizer.decode(row, skip_special_tokens=True)
        mean = float(chance[kept].mean()) if kept else None
        texts.append((" ".join(text.split()), mean, len(kept)))
    return texts


def timed(tokenizer: Any, tokens: Sequence[tuple[int, int, int]], frame_s: float, window: Window) -> list[Word]:
    """Return the words of tokens, each (id, first frame, frame after the last), with times in the passage.

    A word starts at a piece that is marked so, or after the tokeniser's delimiter; punctuation stays with its word.
    """
    special = set(tokenizer.all_special_ids)
    delimiter = getattr(tokenizer, "word_delimiter_token", None)
    found: list[tuple[str, int, int]] = []
    is_new = True
    for number, first, last in tokens:
        piece = tokenizer.convert_ids_to_tokens(number)
        if number in special and piece != delimiter:
            continue
        is_new = is_new or piece == delimiter or piece.startswith(WORD_STARTS)
        text = "" if piece == delimiter else piece.lstrip("".join(WORD_STARTS)).removesuffix("</w>")
        if text and (not found or (is_new and begins_word(text))):
            found.append((text, first, last))
        elif text:
            found[-1] = (found[-1][0] + text, found[-1][1], last)
        is_new = (is_new and not text) or piece == delimiter
    return [
        Word(
            text.lower() if getattr(tokenizer, "do_lower_case", False) else text,
            round(window.start_s + first * frame_s, 2),
            round(window.start_s + max(min(last * frame_s, window.duration_s), first * frame_s + 0.01), 2),
        )
        for text, first, last in found
    ]


def joined(words: Sequence[Word]) -> str:
    """Return the text of words."""
    return " ".join(word.text for word in words)
