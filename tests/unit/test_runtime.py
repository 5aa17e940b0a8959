from __future__ import annotations

import importlib.util

import pytest

from speechsearch.domain.errors import MissingDependencyError
from speechsearch.models.device import on_gpu


def test_elsewhere_the_work_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert on_gpu(sum) is sum


@pytest.mark.skipif(importlib.util.find_spec("spaces") is not None, reason="the package is installed")
def test_zero_gpu_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACES_ZERO_GPU", "1")
    with pytest.raises(MissingDependencyError, match="package spaces"):
        on_gpu(sum)
