"""Devices and precisions: what is not there is refused, never replaced."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from speechsearch.domain.errors import ConfigurationError, MissingDependencyError
from speechsearch.models.catalog import Catalog
from speechsearch.models.device import Device, choose_device, on_gpu
from speechsearch.models.load import ModelLoader


def test_auto_is_the_processor_where_nothing_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert choose_device() == Device("cpu", "bfloat16", torch.get_num_threads())
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert choose_device().torch_dtype == torch.float32
    assert choose_device("cpu", "bfloat16").torch_dtype == torch.bfloat16


def test_auto_is_the_graphics_card_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    assert choose_device() == Device("cuda", "float32", 1)
    assert choose_device("auto", "float16").torch_device == torch.device("cuda")


@pytest.mark.parametrize(
    ("name", "dtype", "message"),
    [
        ("tpu", "auto", "There is no device 'tpu'"),
        ("cpu", "int8", "There is no precision 'int8'"),
        ("cpu", "float16", "A CPU does not compute in float16"),
    ],
)
def test_words_that_name_nothing_are_refused_at_once(name: str, dtype: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        choose_device(name, dtype)
    with pytest.raises(ConfigurationError, match=message):
        ModelLoader(Catalog(), device=name, dtype=dtype)


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_never_replaced(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    loader = ModelLoader(Catalog(), device=name)
    with pytest.raises(ConfigurationError, match=f"no device '{name}'.*Choose auto or cpu"):
        _ = loader.device


def test_elsewhere_the_work_is_the_same() -> None:
    assert on_gpu(sum, is_on_zero_gpu=False) is sum


@pytest.mark.skipif(importlib.util.find_spec("spaces") is not None, reason="the package is installed")
def test_zero_gpu_needs_its_package() -> None:
    with pytest.raises(MissingDependencyError, match="package spaces"):
        on_gpu(sum, is_on_zero_gpu=True)
