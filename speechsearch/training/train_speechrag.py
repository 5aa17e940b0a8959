"""Recipe: train a speech adapter between a speech encoder and a frozen text encoder (``speechsearch train adapter``).

Resumes from OUT/state.safetensors when it is there; OUT/log.jsonl has a line of figures for every evaluation and every
tenth step, OUT/adapter is the folder of the best recall so far. Runs on several graphics cards when it is started by
``accelerate launch``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from speechsearch.domain.errors import CapabilityError, MissingDependencyError
from speechsearch.models.adapter_folder import AdapterConfig, Between, save_adapter
from speechsearch.models.adapter_networks import new_adapter
from speechsearch.models.adapter_sizes import AdapterSizes
from speechsearch.models.base import SoftTextEncoder
from speechsearch.models.card import ModelCard
from speechsearch.models.load import ModelLoader
from speechsearch.training.checkpoint import STATE, load_state, save_state
from speechsearch.training.rates import rate_at
from speechsearch.training.speechrag_config import TrainingConfig
from speechsearch.training.speechrag_losses import pair_loss, word_loss
from speechsearch.training.speechrag_model import Heard, SpeechRag
from speechsearch.training.speechrag_pairs import Batch, KeptPairs, LivePairs, Pairs, Targets, kept_pairs
from speechsearch.training.speechrag_recall import recalls
from speechsearch.training.speechrag_start import sayable, start_aligned
from speechsearch.training.speechrag_words import Said, said_in
from speechsearch.training.training_log import TrainingLog

CLIP = 1.0
SAID_EVERY = 10


@dataclass(frozen=True, slots=True, eq=False)
class Begun:
    """A stage that is trained now: its number, what it is trained and measured on, the optimiser and the model.

    ``said``: the word pieces of every frame, where their loss counts.
    """

    number: int
    pairs: Pairs
    development: KeptPairs
    optimiser: Any
    model: Any
    said: Said | None


class Trainer:
    """A training, from its configuration to its best adapter."""

    def __init__(
        self,
        config: TrainingConfig,
        out: Path,
        loader: ModelLoader,
        kept: Path | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        """``kept``: where states and vectors are kept; several trainings may have the same. OUT/kept if None.

        Raises:
            NotFoundError, MissingDependencyError, ModelUnavailableError: an encoder cannot be had.
            CapabilityError: the text encoder reads no vectors.
        """
        self.config, self.out, self.say, self.loader = config, out, say, loader
        self.kept = kept or out / "kept"
        torch.manual_seed(config.seed)
        self.accelerator = accelerator_of(config, out)
        encoder = loader.model("frame encoder", config.speech_encoder)
        text_encoder = loader.model("text encoder", config.text_encoder)
        if not isinstance(text_encoder, SoftTextEncoder):
            raise CapabilityError(f"The text encoder '{config.text_encoder}' reads no vectors.")
        sizes = AdapterSizes(**config.adapter.model_dump(exclude={"start"}))
        words = text_encoder.word_embeddings
        adapter = new_adapter(sizes, encoder.width, words, sayable(text_encoder.tokenizer))
        self.model = SpeechRag(encoder, adapter.to(encoder.device), text_encoder, config.dim)
        # Several processes would write into each other's files.
        mine = f"of-process-{self.accelerator.process_index}" if self.accelerator.num_processes > 1 else ""
        self.targets = Targets(text_encoder, self.kept / mine)
        self.log = TrainingLog(out / "log.jsonl", is_written=self.accelerator.is_main_process)
        self.started = time.monotonic()

    def run(self, stop_at: int | None = None) -> Path:
        """Train up to the end, or up to a step, and return the best adapter's folder."""
        config, total = self.config, self.config.steps
        first_step = self._resume()
        if self._is_enough():
            return self.out / "adapter"
        now: Begun | None = None
        for step in range(first_step, min(total, stop_at or total)):
            number, _ = config.stage_at(step)
            if now is None or now.number != number:
                now = self._begin(number, step)
                if step == 0:
                    self._evaluate(0, now.development)
            loss = self._step(now, step)
            done = step + 1
            if done % SAID_EVERY == 0 or done == total:
                self.log.add({"step": done, "loss": round(loss, 5)})
                self._track({"loss": loss}, done)
            is_last_of_stage = done == total or config.stage_at(done)[0] != number
            is_enough = False
            if done % config.evaluate_every == 0 or is_last_of_stage:
                is_enough = self._evaluate(done, now.development)
                spent_s = time.monotonic() - self.started
                self.say(f"step {done} loss {loss:.4f} recall@1 {self.log.last('recall@1'):.3f} in {spent_s:.0f} s")
            if done % config.save_every == 0 or is_last_of_stage or is_enough or done == stop_at:
                self._save(done, now.optimiser)
            if is_enough:
                self.say(f"no better recall in {config.patience} evaluations: ended at step {done}")
                break
        if config.tracker != "none":
            self.accelerator.end_training()
        return self.out / "adapter"

    def _begin(self, number: int, step: int) -> Begun:
        """Return what a stage is trained with."""
        config, chosen = self.config, self.config.stages[number]
        self.model.unfreeze(chosen.unfrozen_layers, config.lora_rank)
        top, data = self.model.top, config.data
        development = self._heard(data.development, top, number)
        pairs: Pairs = (
            self._heard(data.train, top, number)
            if data.keeps_states
            else LivePairs(data.train, data, self.model.encoder, top, self.targets)
        )
        if step == 0 and config.adapter.start == "aligned":
            pairs_of_all = self._heard(data.train, 0, number)
            with self.accelerator.main_process_first():
                start_aligned(self.model, pairs_of_all, self.loader, self.kept, self.say)
        layers = [one for one in self.model.tuned.parameters() if one.requires_grad]
        groups: list[dict[str, Any]] = [{"params": list(self.model.adapter.parameters()), "rate": chosen.rate}]
        groups += [{"params": layers, "rate": chosen.encoder_rate}] if layers else []
        optimiser = torch.optim.AdamW(groups, lr=chosen.rate, betas=(0.9, 0.98), weight_decay=config.weight_decay)
        if (self.out / STATE).exists() and config.stage_at(step)[1]:
            load_state(self.out / STATE, self._modules(), optimiser)
        prepared, placed = self.accelerator.prepare(self.model, optimiser)
        return Begun(number, pairs, development, placed, prepared, self._said(pairs))

    def _said(self, pairs: Pairs) -> Said | None:
        if not self.config.loss.words or not isinstance(pairs, KeptPairs):
            return None
        with self.accelerator.main_process_first():
            return said_in(self.model, pairs, self.loader, self.kept)

    def _heard(self, sources: Sequence[Any], top: int, stage: int) -> KeptPairs:
        seed = self.config.seed * 1000 + stage
        with self.accelerator.main_process_first(), self.accelerator.autocast():
            return kept_pairs(
                sources, self.config.data, self.model.encoder, top, self.targets, self.kept, seed, self.say
            )

    def _step(self, now: Begun, step: int) -> float:
        """Take one step over all batches of the accumulation and return their mean loss."""
        config, accelerator, model = self.config, self.accelerator, now.model
        stage, of_stage = config.stage_at(step)
        for group in now.optimiser.param_groups:
            group["lr"] = group["rate"] * rate_at(of_stage, config.stages[stage].steps, config.stages[stage].warmup)
        total = 0.0
        for part in range(config.accumulation):
            number = (of_stage * config.accumulation + part) * accelerator.num_processes + accelerator.process_index
            is_last = part + 1 == config.accumulation
            with nullcontext() if is_last else accelerator.no_sync(model):
                with accelerator.autocast():
                    some = now.pairs.batch(number, config.batch)
                    heard = model([row.to(accelerator.device) for row in some.states])
                    loss = self._loss(heard, some, now.said) / config.accumulation
                accelerator.backward(loss)
            total += float(loss.detach())
        accelerator.clip_grad_norm_(model.parameters(), CLIP)
        now.optimiser.step()
        now.optimiser.zero_grad(set_to_none=True)
        return total

    def _loss(self, heard: Heard, some: Batch, said: Said | None) -> Tensor:
        loss, (found, embeddings), device = self.config.loss, heard, heard.vectors.device
        wanted = some.vectors[:, : found.shape[1]].to(device)
        total = pair_loss(found, wanted, loss.cosine, loss.contrast, loss.temperature, loss.matryoshka)
        if said:
            pairs = [(one, row) for one, row in zip(embeddings, some.rows, strict=True) if row.key in said.spans]
            if pairs:  # else none of the batch is aligned
                words = [said.embeddings(row, len(one)).to(device) for one, row in pairs]
                total = total + loss.words * word_loss([one for one, _ in pairs], words)
        return total

    def _evaluate(self, step: int, development: KeptPairs) -> bool:
        """Measure recall, keep the adapter if it is the best so far, and say whether it has been so for long enough."""
        with torch.no_grad(), self.accelerator.autocast():
            found = recalls(self.model, development, self.config.batch)
        best = self.log.best("recall@1")
        self.log.add({"step": step, **{name: round(value, 5) for name, value in found.items()}})
        self._track(found, step)
        if self.accelerator.is_main_process and (best is None or found["recall@1"] > best):
            self.save_best(step, found)
        return self._is_enough()

    def _is_enough(self) -> bool:
        """Say whether recall has not risen for as long as the configuration waits."""
        return bool(self.config.patience) and self.log.without_better("recall@1") >= self.config.patience

    def _track(self, figures: dict[str, float], step: int) -> None:
        if self.config.tracker != "none":
            self.accelerator.log(figures, step=step)

    def save_best(self, step: int, found: dict[str, float]) -> None:
        """Write OUT/adapter."""
        model, config = self.model, self.config
        speech_encoder = self.loader.catalog.get("frame encoder", config.speech_encoder)
        text_encoder = self.loader.catalog.get("text encoder", config.text_encoder)
        described = AdapterConfig(
            config.name,
            between(speech_encoder),
            between(text_encoder),
            sizes=AdapterSizes(**asdict(model.adapter.sizes)),
            dim=model.dim or model.text_encoder.dim,
            trained_layers=model.top,
            languages=config.languages,
            training={"step": step, "development": found, "config": config.model_dump(mode="json")},
        )
        tensors = {f"adapter.{name}": one for name, one in model.adapter.state_dict().items()}
        tensors |= {f"encoder.{name}": one for name, one in model.tuned_state().items()}
        save_adapter(self.out / "adapter", described, tensors, config.licence)

    def _modules(self) -> dict[str, torch.nn.Module]:
        return {"adapter": self.model.adapter, "tuned": self.model.tuned}

    def _save(self, step: int, optimiser: Any) -> None:
        if self.accelerator.is_main_process:
            save_state(self.out / STATE, self._modules(), getattr(optimiser, "optimizer", optimiser), step)

    def _resume(self) -> int:
        """Return the step to go on with; weights are those of the state, if there is one."""
        path = self.out / STATE
        if not path.exists():
            self.log.cut(-1)
            return 0
        from safetensors import safe_open

        with safe_open(path, "pt") as file:
            step = int(json.loads(file.metadata()["step"]))
        stage, of_stage = self.config.stage_at(step)
        # At a stage's first step, the state's layers are those of the stage before.
        before = self.config.stages[stage if of_stage else max(0, stage - 1)]
        self.model.unfreeze(before.unfrozen_layers, self.config.lora_rank)
        load_state(path, self._modules())
        self.log.cut(step)
        return step


def between(card: ModelCard) -> Between:
    """Return a model as an adapter's configuration names it."""
    hub = next((one for file in card.files[:1] for one in file.sources if hasattr(one, "repository")), None)
    return Between(card.name, card.files[0].sha256, getattr(hub, "repository", ""), getattr(hub, "revision", ""))


def accelerator_of(config: TrainingConfig, out: Path) -> Any:
    """Return what places the training on devices.

    Raises:
        MissingDependencyError: accelerate or the tracker is not installed.
    """
    try:
        from accelerate import Accelerator, DistributedDataParallelKwargs
    except ImportError as error:
        raise MissingDependencyError(
            "The training of adapters needs the package accelerate.",
            "Run: python -m pip install -r requirements-train.txt",
        ) from error
    tracker = None if config.tracker == "none" else config.tracker
    found = Accelerator(
        mixed_precision=config.precision,
        log_with=tracker,
        project_dir=str(out),
        # Where pieces end, a token adapter decides without a gradient.
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    if tracker:
        found.init_trackers(config.name)
    return found
