"""How fast an adapter trains and hears at the sizes of the paper: random weights of the public models' sizes.

``python -m benchmarks.speechrag_throughput`` takes the full sizes on CUDA (HuBERT-large, Qwen3-Embedding-0.6B) and
small ones on a CPU, and says which; ``--size full`` or ``--size small`` decides. Printed for each batch size that fits:
training steps a second with frozen and with trained speech encoder, hours of speech indexed in an hour, peak memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
import torch
import typer
from torch import Tensor, nn
from transformers import HubertConfig, HubertModel, Qwen3Config, Qwen3Model

from speechsearch.domain.values import SAMPLE_RATE_HZ
from speechsearch.evaluation import describe_machine, peak_memory_bytes
from speechsearch.evaluation.report import table
from speechsearch.models.adapter_networks import LinearAdapter
from speechsearch.models.adapter_sizes import AdapterSizes
from speechsearch.models.device import Device, choose_device
from speechsearch.models.frames import FrameEncoder
from speechsearch.models.wave_frames import WaveFrames
from speechsearch.training.speechrag_losses import pair_loss
from speechsearch.training.speechrag_model import SpeechRag

LARGE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
SIZES: dict[str, tuple[HubertConfig, Qwen3Config]] = {
    "full": (
        HubertConfig(
            hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096, **LARGE
        ),
        Qwen3Config(
            vocab_size=151_669, hidden_size=1024, num_hidden_layers=28, num_attention_heads=16, num_key_value_heads=8,
            head_dim=128, intermediate_size=3072, tie_word_embeddings=True,
        ),
    ),
    "small": (
        HubertConfig(hidden_size=256, num_hidden_layers=6, num_attention_heads=4, intermediate_size=1024, **LARGE),
        Qwen3Config(
            vocab_size=8_192, hidden_size=256, num_hidden_layers=6, num_attention_heads=4, num_key_value_heads=2,
            head_dim=64, intermediate_size=768, tie_word_embeddings=True,
        ),
    ),
}  # fmt: skip


class LastToken:
    """A random network that reads vectors; its last state is a text's vector."""

    def __init__(self, network: Any) -> None:
        self.network = network
        self.dim: int = network.config.hidden_size

    def pool(self, embeddings: list[Tensor]) -> Tensor:
        """Return one unit vector a row."""
        counts = torch.tensor([len(row) for row in embeddings], device=embeddings[0].device)
        inputs = nn.utils.rnn.pad_sequence(embeddings, batch_first=True)
        mask = torch.arange(inputs.shape[1], device=inputs.device)[None] < counts[:, None]
        states = self.network(inputs_embeds=inputs.to(self.network.dtype), attention_mask=mask.long()).last_hidden_state
        return nn.functional.normalize(states[torch.arange(len(states)), counts - 1].float(), dim=-1)


def new_model(size: str, device: Device) -> tuple[SpeechRag, int]:
    """Return a model of a size with random weights, and how many layers its speech encoder has."""
    hubert, qwen = SIZES[size]
    networks = HubertModel(hubert), Qwen3Model(qwen)
    encoder = FrameEncoder(WaveFrames(networks[0], True), "random", device, hubert.hidden_size)
    text = networks[1].to(device.torch_device, device.torch_dtype).requires_grad_(False)
    adapter = LinearAdapter(AdapterSizes(), hubert.hidden_size, qwen.hidden_size)
    adapter.to(device.torch_device, device.torch_dtype)
    return SpeechRag(encoder, adapter, LastToken(text)), hubert.num_hidden_layers  # type: ignore[arg-type]


def seconds(work: Callable[[], object], repeats: int, device: Device) -> float:
    """Return how long a piece of work takes, the first time left out."""
    work()
    synchronise(device)
    started = time.perf_counter()
    for _ in range(repeats):
        work()
    synchronise(device)
    return (time.perf_counter() - started) / repeats


def synchronise(device: Device) -> None:
    """Wait for a graphics card."""
    if device.name == "cuda":
        torch.cuda.synchronize()


def memory_gb(device: Device) -> float:
    """Return the most memory that was taken, of the card or of the process."""
    peak = torch.cuda.max_memory_allocated() if device.name == "cuda" else peak_memory_bytes()
    return peak / 1e9


def row_of(size: str, batch: int, top: int, clip_s: float, repeats: int, device: Device) -> list[str]:
    """Return a line of the table."""
    if device.name == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    model, _ = new_model(size, device)
    model.unfreeze(top)
    rng = np.random.default_rng(1)
    sounds = [rng.standard_normal(int(clip_s * SAMPLE_RATE_HZ)).astype(np.float32) for _ in range(batch)]
    said = nn.functional.normalize(torch.randn(batch, model.text_encoder.dim), dim=-1).to(device.torch_device)
    trained = [one for one in model.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-5)

    def step() -> None:
        heard = model(model.encoder.below(sounds, top)).vectors
        loss = pair_loss(heard, said, 1.0, 0.5, 0.05)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    @torch.inference_mode()
    def index() -> None:
        model(model.encoder.below(sounds, top))

    step_s = seconds(step, repeats, device)
    index_s = seconds(index, repeats, device)
    weights_m = sum(one.numel() for one in trained) / 1e6
    hours = batch * clip_s / index_s
    return [size, str(batch), str(top), f"{weights_m:.1f}", f"{1 / step_s:.2f}", f"{batch * clip_s / step_s:.0f}",
            f"{hours:.0f}", f"{memory_gb(device):.1f}"]  # fmt: skip


def main(
    size: Annotated[Literal["auto", "full", "small"], typer.Option()] = "auto",
    batches: Annotated[str, typer.Option(help="Clips at once, separated by commas.")] = "",
    clip_s: float = 15.0,
    repeats: int = 3,
) -> None:
    """Print the table."""
    device = choose_device()
    chosen = ("full" if device.name == "cuda" else "small") if size == "auto" else size
    counts = [int(one) for one in (batches or ("8,32,64" if device.name == "cuda" else "2,8")).split(",")]
    layers = SIZES[chosen][0].num_hidden_layers
    rows = []
    for batch in counts:
        for top in (0, layers):
            try:
                rows.append(row_of(chosen, batch, top, clip_s, repeats, device))
            except torch.cuda.OutOfMemoryError:
                rows.append([chosen, str(batch), str(top), "does not fit", "", "", "", ""])
    titles = ["size", "batch", "layers trained", "weights trained, M", "steps a second", "training x real time",
              "indexing x real time", "peak GB"]  # fmt: skip
    print(f"clips of {clip_s:.0f} s, {device.name}, {device.dtype}, {describe_machine()}\n")
    print("\n".join(table(titles, rows)))


if __name__ == "__main__":
    typer.run(main)
