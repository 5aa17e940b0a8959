"""The shipped model ``mini``, whole: sound -> phoneme posteriors -> passage vector, phonemes or words."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Word
from speechsearch.models.mini.acoustic import AcousticConfig, AcousticEncoder
from speechsearch.models.mini.adapter import AdapterConfig, TokenAdapter, spikes
from speechsearch.models.mini.frontend import LogMel
from speechsearch.models.mini.letter_to_sound import LetterToSound, pronounce
from speechsearch.models.mini.pieces import PieceTerms
from speechsearch.models.minilm import TextEncoder
from speechsearch.text.lexicon import Lexicon

ASSETS = Path(__file__).parents[2] / "assets" / "mini"
FRAME_S = 0.04
WINDOW_SPIKES = 480
OVERLAP_SPIKES = 60
WINDOWS_AT_ONCE = 16
BATCH_S = 80.0


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What the model makes of a passage.

    ``posteriors`` (spikes, 40) float32 and ``starts_s`` (spikes,) of the speech encoder; of the adapter the soft tokens
    ``tokens`` (tokens, 384) float32, the word pieces that each may be, likeliest first, ``pieces`` (tokens, 50) int64,
    with their ``chances`` (tokens, 50) float32, and the spike ``ends`` (tokens,) int64 at which each ends.
    """

    posteriors: Tensor
    starts_s: NDArray[np.float32]
    tokens: Tensor
    chances: Tensor
    pieces: Tensor
    ends: Tensor

    @property
    def symbols(self) -> NDArray[np.int64]:
        """The likeliest phoneme of every spike, (spikes,) int64."""
        return self.posteriors.argmax(-1).numpy()


class MiniModel:
    """Loads the shipped weights once; safe to use from several threads."""

    def __init__(self, folder: Path = ASSETS) -> None:
        """Load the model of a folder.

        Raises:
            ModelUnavailableError: files are absent or do not fit this version of the program.
        """
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            weights = load_file(folder / "model.safetensors")
            self.fingerprint = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()[:16]
            self.text_encoder = TextEncoder()
            self.encoder = AcousticEncoder(AcousticConfig(**config["encoder"]))
            self.adapter = TokenAdapter(
                AdapterConfig(**config["adapter"]), weights["adapter.vocabulary"], self.text_encoder.word_embeddings
            )
            self.letter_to_sound = LetterToSound()
            for name, module in self._modules().items():
                prefix = f"{name}."
                module.load_state_dict({k[len(prefix) :]: v for k, v in weights.items() if k.startswith(prefix)})
                module.eval().requires_grad_(False)
        except (OSError, KeyError, ValueError, RuntimeError, TypeError) as error:
            raise ModelUnavailableError(
                f"The model in {folder} cannot be loaded: {error}.", "Install speechsearch again."
            ) from error
        self.lexicon = Lexicon(partial(pronounce, self.letter_to_sound))
        self.piece_terms = PieceTerms(self.text_encoder.tokenizer)
        self.log_mel = LogMel()
        # Half precision where the processor multiplies it; converted once, not at every call.
        self.dtype = torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32
        self.encoder.to(self.dtype)
        self.adapter.to(self.dtype)
        # One thread a core, each with a batch of its own, does 1.7 times what all cores on one batch do.
        self._workers = ThreadPoolExecutor(torch.get_num_threads(), "mini", lambda: torch.set_num_threads(1))
        self._lock = threading.Lock()
        self._last: tuple[tuple[int, ...], Sequence[Audio], list[Heard]] | None = None

    def _modules(self) -> dict[str, torch.nn.Module]:
        return {"encoder": self.encoder, "adapter": self.adapter, "letter_to_sound": self.letter_to_sound}

    def hear(self, passages: Sequence[Audio]) -> list[Heard]:
        """Return what is heard in each passage; the last batch is kept, as several engines ask for the same sound."""
        key = tuple(map(id, passages))
        with self._lock:
            if self._last is not None and self._last[0] == key:
                return self._last[2]
        order = sorted(range(len(passages)), key=lambda index: len(passages[index].samples))
        groups: list[list[int]] = []
        while order:
            longest_s = max(1.0, passages[order[-1]].duration_s)
            count = max(1, int(BATCH_S / longest_s))
            groups.append(order[-count:])
            order = order[:-count]
        heard: dict[int, Heard] = {}
        for group, found in zip(
            groups, self._workers.map(lambda group: self._hear([passages[i] for i in group]), groups), strict=True
        ):
            heard.update(zip(group, found, strict=True))
        result = [heard[index] for index in range(len(passages))]
        with self._lock:
            self._last = (key, passages, result)
        return result

    def _hear(self, passages: Sequence[Audio]) -> list[Heard]:
        """Return what is heard in passages of about the same length."""
        found = [spikes(row) for row in self._log_probs(passages)]
        adapted = self._adapt([posteriors for posteriors, _ in found])
        return [
            Heard(posteriors, (starts * FRAME_S).numpy().astype(np.float32), *one)
            for (posteriors, starts), one in zip(found, adapted, strict=True)
        ]

    @torch.inference_mode()
    def _log_probs(self, passages: Sequence[Audio]) -> list[Tensor]:
        """Return the phoneme log-probabilities of each passage, (frames, 40) float32."""
        lengths = torch.tensor([len(passage.samples) for passage in passages])
        width = -(-int(lengths.max()) // SAMPLE_RATE_HZ) * SAMPLE_RATE_HZ  # few shapes: each costs a compilation
        samples = torch.zeros(len(passages), max(width, SAMPLE_RATE_HZ))
        for row, passage in zip(samples, passages, strict=True):
            row[: len(passage.samples)] = torch.from_numpy(passage.samples)
        frames = self.log_mel(samples, lengths).to(self.dtype)
        log_probs, counts = self.encoder(frames, lengths // 160 + 1)
        return [row[:count] for row, count in zip(log_probs, counts.tolist(), strict=True)]

    @torch.inference_mode()
    def _adapt(self, passages: Sequence[Tensor]) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Return (tokens, chances, pieces, ends) of each passage's spikes, long ones in overlapping windows."""
        windows = [
            (row, start, passage[start : start + WINDOW_SPIKES])
            for row, passage in enumerate(passages)
            for start in range(0, max(1, len(passage) - OVERLAP_SPIKES), WINDOW_SPIKES - OVERLAP_SPIKES)
            if len(passage)
        ]
        states: list[list[Tensor]] = [[] for _ in passages]
        logits: list[list[Tensor]] = [[] for _ in passages]
        for first in range(0, len(windows), WINDOWS_AT_ONCE):
            group = windows[first : first + WINDOWS_AT_ONCE]
            inputs = nn.utils.rnn.pad_sequence([window for _, _, window in group], batch_first=True)
            found, ends = self.adapter(inputs.to(self.dtype), torch.tensor([len(window) for _, _, window in group]))
            for place, (row, start, window) in enumerate(group):
                is_last = start + WINDOW_SPIKES >= len(passages[row])
                kept = slice(OVERLAP_SPIKES // 2 if start else 0, len(window) - (0 if is_last else OVERLAP_SPIKES // 2))
                states[row].append(found[place, kept])
                logits[row].append(ends[place, kept])
        adapted = []
        for found_states, found_logits in zip(states, logits, strict=True):
            row_states = torch.cat(found_states) if found_states else torch.zeros(0, self.adapter.config.width)
            end_logits = torch.cat(found_logits) if found_logits else torch.zeros(0)
            soft = self.adapter.soft_tokens(row_states.to(self.dtype), end_logits)
            adapted.append((*soft, torch.nonzero(end_logits > 0).squeeze(1)))
        return adapted

    def embed(self, heard: Sequence[Heard]) -> NDArray[np.float32]:
        """Return each passage's unit vector in the text encoder's space, (passages, 384) float32; zeros if empty."""
        vectors = np.zeros((len(heard), self.text_encoder.dim), np.float32)
        order = sorted((i for i, one in enumerate(heard) if len(one.tokens)), key=lambda i: len(heard[i].tokens))
        groups = [order[start : start + 8] for start in range(0, len(order), 8)]
        pooled = self._workers.map(lambda group: self._pool([heard[i].tokens for i in group]), groups)
        for group, found in zip(groups, pooled, strict=True):
            vectors[group] = found
        return vectors

    @torch.inference_mode()
    def _pool(self, tokens: list[Tensor]) -> NDArray[np.float32]:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            return self.text_encoder.pool(tokens).float().numpy()

    def words(self, heard: Heard) -> list[Word]:
        """Return the words of the likeliest pieces, with times in seconds from the passage's start."""
        found: list[Word] = []
        previous_end = -1
        for number, end in zip(heard.pieces[:, 0].tolist(), heard.ends.tolist(), strict=True):
            piece = self.text_encoder.tokenizer.id_to_token(number) or ""
            end_s = float(heard.starts_s[end]) + FRAME_S
            if piece.startswith("##") and found:
                found[-1] = Word(found[-1].text + piece[2:], found[-1].start_s, end_s)
            else:
                found.append(Word(piece.removeprefix("##"), float(heard.starts_s[previous_end + 1]), end_s))
            previous_end = end
        return found


def save_model(folder: Path, encoder: AcousticEncoder, adapter: TokenAdapter, letter_to_sound: LetterToSound) -> None:
    """Write the weights in half precision and the sizes to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    modules = {"encoder": encoder, "adapter": adapter, "letter_to_sound": letter_to_sound}
    tensors = {f"{name}.{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    halved = {key: value.half() if value.is_floating_point() else value for key, value in tensors.items()}
    save_file({key: value.contiguous() for key, value in halved.items()}, folder / "model.safetensors")
    config = {"encoder": asdict(encoder.config), "adapter": asdict(adapter.config)}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
