"""The steps of a training, as all recipes on one machine take them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from torch import Tensor, nn
from torch.optim import Optimizer

from speechsearch.training.checkpoint import STATE, load_state, save_state


class Steps:
    """The steps that are left of a training: iterating yields their numbers, ``take`` takes one.

    A state that is there is gone on with: ``first`` is the number of its step, 0 without one.
    """

    def __init__(
        self,
        count: int,
        modules: dict[str, nn.Module],
        optimiser: Optimizer,
        folder: Path,
        rate_at: Callable[[int], float],
        *,
        largest_norm: float = 1.0,
        tell_every: int = 50,
        save_every: int = 100,
    ) -> None:
        """Go on with the state of ``folder``.

        Args:
            count: of all steps, with those that were taken before.
            modules: what is trained, by name.
            optimiser: over its parameters; each group has its own rate.
            folder: where weights, optimiser and step are kept.
            rate_at: which part of the rates holds at a step.
            largest_norm: gradients are cut to it.
            tell_every: after so many steps a line is printed; 0 for none.
            save_every: after so many steps the state is kept, and after the last; 0 where ``save`` is called for it.
        """
        self.count, self.modules, self.optimiser, self.state = count, modules, optimiser, folder / STATE
        self.tell_every, self.save_every = tell_every, save_every
        self._rate_at, self._largest_norm = rate_at, largest_norm
        self.first = load_state(self.state, modules, optimiser) if self.state.exists() else 0
        self._rates = [group["lr"] for group in optimiser.param_groups]
        self._step = self.first
        self._started, self._recent = time.monotonic(), list[dict[str, float]]()

    def __iter__(self) -> Iterator[int]:
        """Yield the number of each step that is left, with the optimiser's rates set for it."""
        self._started = time.monotonic()
        for step in range(self.first, self.count):
            self._step = step
            for group, rate in zip(self.optimiser.param_groups, self._rates, strict=True):
                group["lr"] = rate * self._rate_at(step)
            yield step

    @property
    def spent_s(self) -> float:
        """How long the steps of this run have taken."""
        return time.monotonic() - self._started

    def is_time(self, every: int) -> bool:
        """Say whether the step that was taken last is one of every so many, or the last of all."""
        return bool(every) and ((self._step + 1) % every == 0 or self._step + 1 == self.count)

    def take(self, loss: Tensor, note: str = "", **figures: float) -> bool:
        """Learn from a step's loss; returns whether the state was saved.

        ``figures`` are told as their mean since they were told last, ``note`` as it is.
        """
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        learnt = [one for group in self.optimiser.param_groups for one in group["params"]]
        nn.utils.clip_grad_norm_(learnt, self._largest_norm)
        self.optimiser.step()
        self._recent.append({"loss": loss.item(), **figures})
        if self.is_time(self.tell_every):
            told = " ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in self.means().items())
            print(f"step {self._step + 1} {told}{note and ' ' + note} in {self.spent_s:.0f} s", flush=True)
        if self.is_time(self.save_every):
            self.save()
            return True
        return False

    def save(self) -> None:
        """Keep the state after the step that was taken last."""
        save_state(self.state, self.modules, self.optimiser, self._step + 1)

    def means(self) -> dict[str, float]:
        """Return the means of the loss and the figures since they were asked for last."""
        recent, self._recent = self._recent, []
        return {name: float(np.mean([row[name] for row in recent])) for name in recent[0]} if recent else {}
