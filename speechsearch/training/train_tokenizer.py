"""Recipe: train ``rvq-mini``, which turns sound into codes.

``python -m speechsearch.training.train_tokenizer DATA MUSIC OUT`` (``--tiny``: a few seconds). MUSIC is what
``training/music.py`` made. Speech and music half and half, 20 dB quieter to 10 dB louder, some of it noisy. The loss is
the squared error of the patches and the commitment of SoundStream; a random number of quantizers is used a batch, so
that the first codes say most. Resumes from OUT/state.safetensors when it is there; writes OUT/model.safetensors, what
is shipped, and prints what is measured on the held-out parts.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
import typer
from safetensors.torch import save_file
from torch import Tensor

from speechsearch.models.mini.packed import packed
from speechsearch.models.residual_quantizer import COMMITMENT, used_share
from speechsearch.models.rvq_mini import CODEBOOK_SIZE, SCALE, RvqNetwork, patches_of
from speechsearch.training.music import read_renderings
from speechsearch.training.speech_corpus import human_parts, to_mono
from speechsearch.training.steps import Steps

RATE_HZ = 16_000
LOUDER_DB = (-20.0, 10.0)
NOISY_SHARE, NOISE_DB = 0.25, (-35.0, -10.0)
DB_OF_A_UNIT = 10 / np.log(10) * SCALE


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one part, by kind."""

    speech: tuple[Path, ...]
    music: tuple[Path, ...]


def files_of(data: Path, music: Path, is_held_out: bool) -> Files:
    """Return the files to train on, or those that are held out: other speakers, other pieces."""
    part, pieces = ("evaluation", "held out") if is_held_out else ("train", "train")
    speech = [path for found, _, rows in human_parts(data) if found == part for path, _, _ in rows]
    return Files(tuple(speech), tuple(music / one.file for one in read_renderings(music) if one.part == pieces))


def sound_of(path: Path) -> Tensor:
    """Return a file's samples, (n,) float32 in [-1, 1]."""
    samples, rate_hz = soundfile.read(path, dtype="int16")
    assert rate_hz == RATE_HZ, path
    return torch.from_numpy(to_mono(samples).astype(np.float32) / (1 << 15))


def changed(samples: Tensor, rng: random.Random) -> Tensor:
    """Return the samples louder or quieter, and with some white noise now and then."""
    gain = 10 ** (rng.uniform(*LOUDER_DB) / 20)
    if rng.random() < NOISY_SHARE:
        loudness = float(samples.square().mean().sqrt()) * 10 ** (rng.uniform(*NOISE_DB) / 20)
        samples = samples + loudness * torch.randn(len(samples))
    return (samples * gain).clamp(-1, 1)


def patches(paths: Iterable[Path], hours: float, rng: random.Random | None = None) -> Tensor:
    """Return the patches of files up to so many hours, (patches, size) float16, in the order of the files."""
    found, heard_s = [], 0.0
    for path in paths:
        if heard_s >= hours * 3600:
            break
        samples = sound_of(path)
        heard_s += len(samples) / RATE_HZ
        whole = changed(samples, rng) if rng else samples
        found.append(patches_of(whole).half())
    return torch.cat(found)


def batches(parts: Sequence[Tensor], size: int, seed: int) -> Iterator[Tensor]:
    """Yield batches of patches, as many of each part."""
    chosen = torch.Generator().manual_seed(seed)
    each = size // len(parts)
    while True:
        yield torch.cat([one[torch.randint(len(one), (each,), generator=chosen)] for one in parts]).float()


@torch.no_grad()
def report(network: RvqNetwork, name: str, held_out: Tensor) -> None:
    """Print the error in dB by the number of quantizers, and each level's use and perplexity."""
    network.train(False)
    given = held_out.float()
    codes = network.quantizer.codes_of(network.encoder(given))
    errors = []
    for levels in (1, 2, 4, codes.shape[1]):
        back = network.decoder(network.quantizer.vectors_of(codes[:, :levels]))
        errors.append(f"{levels}: {float((back - given).square().mean().sqrt()) * DB_OF_A_UNIT:.2f}")
    plain = float((network.decoder(network.encoder(given)) - given).square().mean().sqrt()) * DB_OF_A_UNIT
    spread = float((given - given.mean(0)).square().mean().sqrt()) * DB_OF_A_UNIT
    print(f"{name}, {len(given)} patches: error in dB by quantizers {', '.join(errors)};", flush=True)
    print(f"  not quantised {plain:.2f}; of the mean patch {spread:.2f}", flush=True)
    levels_used = [used_share(level, CODEBOOK_SIZE) for level in codes.T]
    print("  use " + ", ".join(f"{used:.2f}" for used, _ in levels_used), flush=True)
    print("  perplexity " + ", ".join(f"{perplexity:.0f}" for _, perplexity in levels_used), flush=True)
    network.train()


def main(
    data: Path,
    music: Path,
    out: Path,
    steps: int = 6000,
    size: int = 2048,
    rate: float = 1e-3,
    hours: float = 2.0,
    seed: int = 1,
    save_every: int = 500,
    tiny: bool = False,
) -> None:
    """Train on the speech of DATA and the music of MUSIC; keep the state in OUT."""
    torch.manual_seed(seed)
    if tiny:
        steps, size, hours = 20, 512, 0.02
    network = RvqNetwork()
    optimiser = torch.optim.AdamW(
        [*network.encoder.parameters(), *network.decoder.parameters()], lr=rate, betas=(0.9, 0.99), weight_decay=1e-4
    )
    training = Steps(
        steps,
        {"rvq": network},
        optimiser,
        out,
        lambda step: min(1.0, (step + 1) / 100, (steps - step) / (0.3 * steps) + 0.02),
        tell_every=250,
        save_every=save_every,
    )
    rng = random.Random(seed + training.first)
    train, held_out = files_of(data, music, is_held_out=False), files_of(data, music, is_held_out=True)
    parts = [patches(rng.sample(paths, len(paths)), hours, rng) for paths in (train.speech, train.music)]
    tests = [patches(random.Random(0).sample(one, len(one)), hours / 8) for one in (held_out.speech, held_out.music)]
    print(f"{len(parts[0])} patches of speech, {len(parts[1])} of music", flush=True)
    drawn = batches(parts, size, seed + training.first)
    network.train()
    for _ in training:
        batch = next(drawn)
        levels = network.quantizer.codebooks.shape[0]
        used = levels if rng.random() < 0.5 else rng.randint(1, levels)
        quantised, _, commitment = network.quantizer(network.encoder(batch), used)
        loss = (network.decoder(quantised) - batch).square().mean() + COMMITMENT * commitment
        if training.take(loss):
            save_file(packed(network.state_dict()), out / "model.safetensors")
    for name, some in zip(("speech", "music"), tests, strict=True):
        report(network, name, some)


if __name__ == "__main__":
    typer.run(main)
