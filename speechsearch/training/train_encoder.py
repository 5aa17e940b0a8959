"""Recipe: train the speech encoder with CTC on phonemes, from Whisper's encoder.

``python -m speechsearch.training.train_encoder runs/corpus runs/encoder`` (``--tiny``: a minute). Begins with the
weights of Whisper's base (``--whisper whisper-tiny.en``: of another model of the catalog), or with those of a training
before or of the shipped model's folder (``--start-from``). Resumes from OUT/state.safetensors when it is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import torch
import torch.nn.functional as F
import typer
from torch import Tensor

from speechsearch.models.catalog import catalog
from speechsearch.models.ctranslate2_file import whisper_encoder_state
from speechsearch.models.files import FileFinder
from speechsearch.models.mini.acoustic import AcousticConfig, AcousticEncoder
from speechsearch.models.mini.frontend import LogMel, frame_count
from speechsearch.training.augment import Augmenter, Samples, mask_spectrum
from speechsearch.training.corpus import Shard, Utterance
from speechsearch.training.steps import Steps
from speechsearch.training.whisper_start import encoder_from_whisper, trained_encoder

SAMPLE_RATE_HZ = 16_000
SOURCE_WEIGHTS = {
    "kathleen_arctic": 0.07,
    "ljspeech_385": 0.06,
    "librispeech": 0.20,
    "readers": 0.10,
    "speechocean-adults": 0.20,
    "speechocean-children": 0.11,
    "espeak": 0.11,
    "flite": 0.13,
    "festival": 0.02,
    "kokoro": 0.10,
}
BATCH_S = 60.0
LENGTHS_S = (2, 3, 4, 5, 6, 8, 10, 12, 14, 16)
"""The longest is what the encoder hears at once (``windows.LONGEST``) and a second."""


def source_of(shard: str) -> str:
    """Return the source of a shard by its name.

    >>> source_of("espeak-1003"), source_of("speechocean-adults")
    ('espeak', 'speechocean-adults')

    Raises:
        ValueError: there is none.
    """
    for name in SOURCE_WEIGHTS:
        if shard.startswith(name):
            return name
    raise ValueError(f"The shard {shard!r} belongs to no source of the encoder: {', '.join(SOURCE_WEIGHTS)}.")


def padded(sounds: list[Samples], width: int | None = None) -> tuple[Tensor, Tensor]:
    """Return (samples, lengths): (batch, width or longest) float32 and (batch,) int64."""
    lengths = torch.tensor([len(sound) for sound in sounds])
    batch = torch.zeros(len(sounds), width or int(lengths.max()))
    for row, sound in zip(batch, sounds, strict=True):
        row[: len(sound)] = torch.from_numpy(sound)
    return batch, lengths


def wave_files(folder: Path) -> list[Samples]:
    """Return the first channel of every WAV file of a folder, (samples,) float32."""
    return [soundfile.read(path, dtype="float32", always_2d=True)[0][:, 0] for path in sorted(folder.glob("*.wav"))]


class Batches:
    """Draws utterances by source weight, joins some to longer passages, distorts them, groups them by length."""

    def __init__(self, shards: list[Shard], noises: Path | None, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.groups: dict[str, list[tuple[Shard, Utterance]]] = {}
        for shard in shards:
            self.groups.setdefault(source_of(shard.name), []).extend(
                (shard, utterance) for utterance in shard.utterances
            )
        weights = np.array([SOURCE_WEIGHTS[name] for name in self.groups])
        self.weights = weights / weights.sum()
        found = (wave_files(noises / "noise"), wave_files(noises / "rir")) if noises else ([], [])
        rooms = [response[np.abs(response).argmax() :][:12_000] / np.abs(response).max() for response in found[1]]
        self.augment = Augmenter(found[0], rooms, self.rng)

    def draw(self) -> tuple[Samples, list[int], str]:
        """Return one utterance and its text, one time in four followed by others of its group (at most LENGTHS_S)."""
        source = list(self.groups)[self.rng.choice(len(self.weights), p=self.weights)]
        group = self.groups[source]
        start = int(self.rng.integers(len(group)))
        count = 1 if self.rng.random() < 0.75 else int(self.rng.integers(2, 6))
        pieces: list[Samples] = []
        symbols: list[int] = []
        texts: list[str] = []
        for shard, utterance in group[start : start + count]:
            sound = shard.sound(utterance)
            if sum(map(len, pieces)) + len(sound) > LENGTHS_S[-1] * SAMPLE_RATE_HZ and pieces:
                break
            pieces += [sound, np.zeros(int(self.rng.integers(1, 9_600)), np.float32)]
            symbols += utterance.symbols
            texts.append(utterance.text)
        return np.concatenate(pieces[:-1]), symbols, " ".join(texts)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, list[list[int]]]]:
        """Yield (samples, lengths, symbols) of about BATCH_S seconds, without end."""
        return (batch[:3] for batch in self.with_texts())

    def with_texts(self) -> Iterator[tuple[Tensor, Tensor, list[list[int]], list[str]]]:
        """Yield (samples, lengths, symbols, texts) of about BATCH_S seconds, without end.

        Batches come in few shapes (LENGTHS_S), because every new shape costs a compilation in the CPU's matrix library.
        """
        waiting: dict[int, list[tuple[Samples, list[int], str]]] = {length_s: [] for length_s in LENGTHS_S}
        babble: list[Samples] = []
        while True:
            sound, symbols, text = self.draw()
            babble = [*babble[-11:], sound]
            sound = self.augment(sound, babble[:-1])
            if len(symbols) > 0.8 * frame_count(len(sound)) / 4:  # CTC needs room for its labels
                continue
            length_s = next((s for s in LENGTHS_S if len(sound) <= s * SAMPLE_RATE_HZ), None)
            if length_s is None:
                continue
            row = waiting[length_s]
            row.append((sound, symbols, text))
            if len(row) == round(BATCH_S / length_s):
                waiting[length_s] = []
                sounds, labels, texts = map(list, zip(*row, strict=True))
                yield *padded(sounds, length_s * SAMPLE_RATE_HZ), labels, texts


def edit_distance(first: list[int], second: list[int]) -> int:
    """Return the Levenshtein distance of two sequences.

    >>> edit_distance([1, 2, 3], [1, 3, 4])
    2
    """
    row = np.arange(len(second) + 1)
    target = np.array(second)
    for index, symbol in enumerate(first, 1):
        best = np.minimum(row[1:] + 1, row[:-1] + (target != symbol))
        best = np.concatenate([[index], best])
        row = np.minimum.accumulate(best - np.arange(len(best))) + np.arange(len(best))
    return int(row[-1])


def greedy(log_probs: Tensor, count: int) -> list[int]:
    """Return the symbols of the best path of one row: repeats merged, blanks dropped."""
    best = torch.unique_consecutive(log_probs[:count].argmax(-1))
    result: list[int] = best[best > 0].tolist()
    return result


@torch.inference_mode()
def phoneme_error_rates(model: AcousticEncoder, shards: list[Shard], most: int = 48) -> dict[str, float]:
    """Return the phoneme error rate in % of each voice in the shards, over at most that many utterances each."""
    log_mel, model = LogMel(), model.eval()
    errors: dict[str, list[int]] = {}
    for shard in shards:
        by_voice: dict[str, list[Utterance]] = {}
        for utterance in shard.utterances:
            is_person = utterance.voice.startswith("human")
            by_voice.setdefault(shard.name if is_person else utterance.voice, []).append(utterance)
        for voice, utterances in by_voice.items():
            chosen = utterances[:: max(1, len(utterances) // most)]
            for start in range(0, len(chosen), 8):
                group = chosen[start : start + 8]
                samples, lengths = padded([shard.sound(utterance) for utterance in group])
                log_probs, counts = model(*log_mel(samples, lengths))
                for utterance, row, count in zip(group, log_probs, counts.tolist(), strict=True):
                    total = errors.setdefault(voice, [0, 0])
                    total[0] += edit_distance(greedy(row, count), utterance.symbols)
                    total[1] += len(utterance.symbols)
    model.train()
    return {voice: round(100 * wrong / max(1, total), 1) for voice, (wrong, total) in errors.items()}


def weights_of(name: str) -> Path:
    """Return where the weights of a Whisper of the catalog lie; raises as ``FileFinder.find`` does."""
    card = catalog().get("recognizer", name)
    return FileFinder(None, None, may_download=True).find(card, card.files[0])


def main(
    corpus: Path,
    out: Path,
    steps: int = 1500,
    rate: float = 5e-5,
    head_rate: float = 3e-4,
    warmup: int = 60,
    seed: int = 1,
    noises: Path | None = None,
    start_from: Path | None = None,
    whisper: str = "whisper-base",
    pooled_after: int = 1,
    evaluate_every: int = 300,
    save_every: int = 50,
    is_bf16: bool = False,
    tiny: bool = False,
) -> None:
    """Train on CORPUS/train, report phoneme error rates on CORPUS/evaluation, keep the state in OUT."""
    torch.manual_seed(seed)
    torch.set_flush_denormal(True)
    config = AcousticConfig(pooled_after=pooled_after)
    if tiny:
        steps, evaluate_every = 4, 4
        model = AcousticEncoder(AcousticConfig(width=64, layers=2, heads=1))
    elif start_from:
        model, _ = trained_encoder(start_from, pooled_after)
    else:
        model = encoder_from_whisper(whisper_encoder_state(weights_of(whisper)), config)
    new = [*model.pool.parameters(), *model.head.parameters()]
    old = [p for p in model.parameters() if all(p is not one for one in new)]
    groups = [{"params": old, "lr": rate}, {"params": new, "lr": head_rate}]
    optimiser = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    training = Steps(
        steps,
        {"encoder": model},
        optimiser,
        out,
        lambda step: min((step + 1) / warmup, 1.0 - max(0.0, (step - warmup) / max(1, steps - warmup))),
        largest_norm=2.0,
        save_every=save_every,
    )
    shards = [Shard(path) for path in sorted((corpus / "train").glob("*.pcm"))]
    evaluation = [Shard(path) for path in sorted((corpus / "evaluation").glob("*.pcm"))]
    batches = iter(Batches(shards, noises, seed + training.first))
    log_mel, generator = LogMel(), torch.Generator().manual_seed(seed + training.first)
    heard_s = 0.0
    for step in training:
        samples, lengths, symbols = next(batches)
        frames, counts = log_mel(samples, lengths)
        with torch.autocast("cpu", torch.bfloat16, enabled=is_bf16):
            log_probs, counts = model(mask_spectrum(frames, generator), counts)
        targets = torch.tensor([symbol for row in symbols for symbol in row])
        sizes = torch.tensor([len(row) for row in symbols])
        loss = F.ctc_loss(log_probs.transpose(0, 1), targets, counts, sizes, reduction="sum", zero_infinity=True)
        loss = loss / sizes.sum()
        heard_s += float(lengths.sum()) / SAMPLE_RATE_HZ
        training.take(loss, f"heard {heard_s / 3600:.1f} h ({heard_s / training.spent_s:.0f}x)")
        if training.is_time(evaluate_every):
            print(json.dumps({"step": step + 1, "per": phoneme_error_rates(model, evaluation)}), flush=True)


if __name__ == "__main__":
    typer.run(main)
