"""The shipped model ``mini``, whole: sound -> phoneme posteriors -> soft word pieces -> passage vector."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.priority import make_way
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, FloatMatrix
from speechsearch.models.bert import BertTextEncoder
from speechsearch.models.device import Device
from speechsearch.models.mini.acoustic import FRAME_S, AcousticConfig, AcousticEncoder
from speechsearch.models.mini.adapter import AdapterConfig, TokenAdapter, spikes
from speechsearch.models.mini.frontend import LogMel
from speechsearch.models.mini.heard import Heard, Recent, digest
from speechsearch.models.mini.letter_to_sound import LetterToSound
from speechsearch.models.mini.packed import CONFIG, WEIGHTS, packed, unpacked
from speechsearch.models.mini.windows import stitched, windows
from speechsearch.text.keywords import track_of

WINDOW_SPIKES = 480
OVERLAP_SPIKES = 60
WINDOWS_AT_ONCE = 16
BATCH_S = 60.0
PASSAGES_AT_ONCE = 4
MOST_RECENT = 32
Read = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""What the speech encoder makes of (batch, time, mel bins) and its rows' lengths: (batch, frames, n) and lengths."""


def one_core() -> None:
    """Have this thread compute alone, and after those that somebody waits for."""
    make_way()
    torch.set_num_threads(1)


class MiniModel:
    """The networks of the shipped model; safe to use from several threads."""

    def __init__(self, config: Path, weights: Path, text_encoder: BertTextEncoder, device: Device) -> None:
        """Load the model of two files; ``text_encoder``: the one that its adapter was trained for.

        Raises:
            ModelUnavailableError: files are absent or do not fit each other or this version of the program.
        """
        self.text_encoder = text_encoder
        self.device, self.dtype = device.torch_device, device.torch_dtype
        try:
            sizes = json.loads(config.read_text(encoding="utf-8"))
            tensors = unpacked(load_file(weights))
            self.encoder = AcousticEncoder(AcousticConfig(**sizes["encoder"]))
            self.adapter = TokenAdapter(
                AdapterConfig(**sizes["adapter"]), tensors["adapter.vocabulary"], text_encoder.word_embeddings.cpu()
            )
            for name, module in self._modules().items():
                prefix = f"{name}."
                module.load_state_dict({k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)})
                module.eval().requires_grad_(False)
        except (OSError, KeyError, ValueError, RuntimeError, TypeError, IndexError) as error:
            raise ModelUnavailableError(
                f"The model in {weights.parent} cannot be loaded: {error}.", "Install speechsearch again."
            ) from error
        # Converted once, not at every call.
        self.encoder.to(self.device, self.dtype)
        self.adapter.to(self.device, self.dtype)
        self.log_mel = LogMel().to(self.device)
        # One thread a core, each with a batch of its own, does 1.7 times what all cores on one batch do.
        self._workers = ThreadPoolExecutor(device.threads, "mini", one_core)
        self._recent = Recent(MOST_RECENT)

    def _modules(self) -> dict[str, torch.nn.Module]:
        return {"encoder": self.encoder, "adapter": self.adapter}

    def hear(self, sounds: Sequence[Audio]) -> list[Heard]:
        """Return what is heard in each passage, in order; what was heard last is remembered."""
        keys = [digest(sound) for sound in sounds]
        known = self._recent.known(keys)
        new = {key: sound for key, sound in zip(keys, sounds, strict=True) if key not in known}
        known.update(zip(new, self._hear_new(list(new.values())), strict=True))
        self._recent.keep(known)
        return [known[key] for key in keys]

    def _hear_new(self, sounds: Sequence[Audio]) -> list[Heard]:
        """Return what is heard in each passage."""
        log_probs = self._log_probs(sounds)
        order = sorted(range(len(sounds)), key=lambda place: len(log_probs[place]))
        groups = [order[first : first + PASSAGES_AT_ONCE] for first in range(0, len(order), PASSAGES_AT_ONCE)]
        heard: dict[int, Heard] = {}
        batches = self._workers.map(lambda group: self._understand([log_probs[place] for place in group]), groups)
        for group, found in zip(groups, batches, strict=True):
            heard.update(zip(group, found, strict=True))
        return [heard[place] for place in range(len(sounds))]

    def _understand(self, passages: Sequence[Tensor]) -> list[Heard]:
        """Return what the phonemes of some passages mean, from their log-probabilities."""
        found = [spikes(log_probs) for log_probs in passages]
        adapted = self._adapt([posteriors for posteriors, _ in found])
        return [
            Heard(track_of(log_probs.numpy(), FRAME_S), posteriors, (starts * FRAME_S).numpy().astype(np.float32), *one)
            for log_probs, (posteriors, starts), one in zip(passages, found, adapted, strict=True)
        ]

    def frames(self, sounds: Sequence[Audio]) -> list[Tensor]:
        """Return the speech encoder's states of each passage, (frames, width) float32 in the CPU's memory."""
        return [states.float() for states in self._by_windows(sounds, self.encoder.states)]

    def _log_probs(self, sounds: Sequence[Audio]) -> list[Tensor]:
        """Return the phoneme log-probabilities of each passage, (frames, 40) float32 in the CPU's memory."""
        return self._by_windows(sounds, self.encoder)

    def _by_windows(self, sounds: Sequence[Audio], read: Read) -> list[Tensor]:
        """Return what is read of each passage, (frames, n) in the CPU's memory, its windows put together."""
        spans = [windows(len(sound.samples)) for sound in sounds]
        pieces = [sound.samples[start:end] for sound, some in zip(sounds, spans, strict=True) for start, end in some]
        order = sorted(range(len(pieces)), key=lambda place: -len(pieces[place]))
        groups: list[list[int]] = []
        while order:
            longest_s = max(1.0, len(pieces[order[0]]) / SAMPLE_RATE_HZ)
            count = max(1, int(BATCH_S / longest_s))
            groups.append(order[:count])
            order = order[count:]
        heard: dict[int, Tensor] = {}
        batches = self._workers.map(lambda group: self._hear_batch([pieces[place] for place in group], read), groups)
        for group, found in zip(groups, batches, strict=True):
            heard.update(zip(group, found, strict=True))
        parts = iter(heard[place] for place in range(len(pieces)))
        return [stitched([next(parts) for _ in some], some) for some in spans]

    @torch.inference_mode()
    def _hear_batch(self, pieces: Sequence[NDArray[np.float32]], read: Read) -> list[Tensor]:
        """Return what is read of pieces of about the same length, (frames, n) each."""
        lengths = torch.tensor([len(piece) for piece in pieces])
        width = -(-int(lengths.max()) // SAMPLE_RATE_HZ) * SAMPLE_RATE_HZ  # few shapes: each may cost a compilation
        samples = torch.zeros(len(pieces), max(width, SAMPLE_RATE_HZ))
        for row, piece in zip(samples, pieces, strict=True):
            row[: len(piece)] = torch.from_numpy(piece)
        frames, counts = self.log_mel(samples.to(self.device), lengths.to(self.device))
        found, counts = read(frames.to(self.dtype), counts)
        return [
            row[: count if length else 0]
            for row, count, length in zip(found.cpu(), counts.tolist(), lengths.tolist(), strict=True)
        ]

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
            counts = torch.tensor([len(window) for _, _, window in group], device=self.device)
            found, ends = self.adapter(inputs.to(self.device, self.dtype), counts)
            for place, (row, start, window) in enumerate(group):
                is_last = start + WINDOW_SPIKES >= len(passages[row])
                kept = slice(OVERLAP_SPIKES // 2 if start else 0, len(window) - (0 if is_last else OVERLAP_SPIKES // 2))
                states[row].append(found[place, kept])
                logits[row].append(ends[place, kept])
        nothing = torch.zeros(0, self.adapter.config.width, device=self.device, dtype=self.dtype)
        adapted = []
        for found_states, found_logits in zip(states, logits, strict=True):
            row_states = torch.cat(found_states) if found_states else nothing
            end_logits = torch.cat(found_logits) if found_logits else torch.zeros(0, device=self.device)
            tokens, chances, pieces = self.adapter.soft_tokens(row_states, end_logits)
            ends = torch.nonzero(end_logits > 0).squeeze(1)
            adapted.append((tokens.cpu(), chances.cpu(), pieces.cpu(), ends.cpu()))
        return adapted

    def embed(self, heard: Sequence[Heard]) -> FloatMatrix:
        """Return each passage's unit vector in the text encoder's space, (passages, dim) float32; zeros if empty."""
        vectors = np.zeros((len(heard), self.text_encoder.dim), np.float32)
        order = sorted((i for i, one in enumerate(heard) if len(one.tokens)), key=lambda i: len(heard[i].tokens))
        groups = [order[start : start + 8] for start in range(0, len(order), 8)]
        pooled = self._workers.map(lambda group: self._pool([heard[i].tokens for i in group]), groups)
        for group, found in zip(groups, pooled, strict=True):
            vectors[group] = found
        return vectors

    @torch.inference_mode()
    def _pool(self, tokens: list[Tensor]) -> FloatMatrix:
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            return self.text_encoder.pool(tokens).float().cpu().numpy()


def save_model(folder: Path, encoder: AcousticEncoder, adapter: TokenAdapter, letter_to_sound: LetterToSound) -> None:
    """Write the weights, packed, and the sizes to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    modules = {"encoder": encoder, "adapter": adapter, "letter_to_sound": letter_to_sound}
    tensors = {f"{name}.{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    save_file(packed(tensors), folder / WEIGHTS)
    config = {"encoder": asdict(encoder.config), "adapter": asdict(adapter.config)}
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
