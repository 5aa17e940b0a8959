"""The steps of a training: rates, what is told, and that an interrupted one ends as one that was not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from speechsearch.domain.errors import ConfigurationError
from speechsearch.training.steps import Steps


def start(folder: Path, count: int, **options: int) -> tuple[nn.Linear, Steps]:
    """Return a network that is the same each time and the steps of its training, at half the rate from step 2 on."""
    torch.manual_seed(3)
    network = nn.Linear(2, 1)
    groups = [{"params": [network.weight], "lr": 0.1}, {"params": [network.bias], "lr": 0.01}]
    optimiser = torch.optim.AdamW(groups)
    return network, Steps(count, {"net": network}, optimiser, folder, lambda step: 1.0 if step < 2 else 0.5, **options)


def learn(network: nn.Linear, steps: Steps, most: int = 100) -> None:
    """Take up to so many steps, each with a loss of its own."""
    for step in steps:
        if step >= most:
            return
        steps.take(network(torch.tensor([[1.0, float(step)]])).square().mean(), twice=2.0 * step)


def test_an_interrupted_training_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole, steps = start(tmp_path / "whole", 6, save_every=2)
    learn(whole, steps)
    first, steps = start(tmp_path / "parts", 6, save_every=2)
    learn(first, steps, most=5)  # the state of step 4 is kept, that of step 5 is lost
    again, steps = start(tmp_path / "parts", 6, save_every=2)
    assert steps.first == 4
    learn(again, steps)
    torch.testing.assert_close(again.state_dict(), whole.state_dict())


def test_every_group_has_its_rate(tmp_path: Path) -> None:
    _, steps = start(tmp_path, 4)
    rates = [[round(group["lr"], 4) for group in steps.optimiser.param_groups] for _ in steps]
    assert rates == [[0.1, 0.01], [0.1, 0.01], [0.05, 0.005], [0.05, 0.005]]


def test_means_are_told_and_begin_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, steps = start(tmp_path, 5, tell_every=2)
    learn(network, steps)
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in told] == [["step", "2"], ["step", "4"], ["step", "5"]]
    assert [line.split()[5] for line in told] == ["1.000", "5.000", "8.000"]  # steps 0 and 1, 2 and 3, 4


def test_a_large_gradient_is_cut(tmp_path: Path) -> None:
    network, steps = start(tmp_path, 1)
    for _ in steps:
        steps.take(1000 * network(torch.ones(1, 2)).sum())
    norm = sum(float(one.grad.square().sum()) for one in network.parameters() if one.grad is not None) ** 0.5
    assert norm == pytest.approx(1.0, rel=1e-4)


def test_what_is_saved_by_the_recipe_is_not_saved_before(tmp_path: Path) -> None:
    network, steps = start(tmp_path, 2, save_every=0)
    learn(network, steps)
    assert not steps.state.exists()
    steps.save()
    assert start(tmp_path, 2)[1].first == 2


def test_the_folder_of_another_training_is_refused(tmp_path: Path) -> None:
    learn(*start(tmp_path, 2))
    other = nn.Linear(3, 1)
    with pytest.raises(ConfigurationError, match=r"holds a training of another model\..*another folder"):
        Steps(4, {"net": other}, torch.optim.AdamW(other.parameters()), tmp_path, lambda _: 1.0)
