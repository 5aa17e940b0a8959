"""The alerts and the scrape configuration of docs/operations.md, read as their programs read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from speechsearch.domain import counters
from speechsearch.domain.counters import Measure
from speechsearch.service.settings import known_variables

ROOT = Path(__file__).parents[2]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", OPERATIONS, re.DOTALL)]
RULES = next(one for one in BLOCKS if "groups" in one)["groups"][0]["rules"]
GAUGES = {
    "queue_tasks", "recordings", "passages", "passages_searchable", "model_loaded", "part_answers", "disk_free_bytes",
}  # fmt: skip


def names() -> set[str]:
    """The names under which Prometheus has what is measured."""
    found = {f"speechsearch_{name}" for name in GAUGES}
    for measure in vars(counters).values():
        if isinstance(measure, Measure):
            endings = ("_bucket", "_sum", "_count", "") if measure.bounds else ("_total",)
            found |= {f"speechsearch_{measure.name}{ending}" for ending in endings}
    return found


def test_the_gauges_are_those_that_are_told() -> None:
    source = (ROOT / "speechsearch" / "api" / "metrics.py").read_text(encoding="utf-8")
    assert set(re.findall(r'gauge\("(\w+)"|NAMESPACE\}_(\w+)"', source)) == {
        (name, "") if f'gauge("{name}"' in source else ("", name) for name in GAUGES
    }


def test_every_metric_of_the_document_exists() -> None:
    used = set(re.findall(r"\bspeechsearch_\w+", OPERATIONS))
    assert used <= names()
    assert {f"speechsearch_{name}" for name in GAUGES} <= used


def test_there_are_five_alerts_and_each_says_what_to_do() -> None:
    assert len(RULES) == 5
    for rule in RULES:
        assert set(rule) == {"alert", "expr", "for", "annotations"}
        assert re.fullmatch(r"[A-Z]\w+", rule["alert"])
        assert re.fullmatch(r"\d+[mh]", rule["for"])
        assert all(rule["annotations"][key].endswith(".") for key in ("summary", "todo"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_expressions_are_well_formed(rule: dict[str, Any]) -> None:
    expression = rule["expr"]
    for opened, closed in ("()", "{}", "[]"):
        assert expression.count(opened) == expression.count(closed)
    assert re.search(r"(==|<|>) *[\d.e+(]", expression), "an alert compares with a number"
    labels = set(re.findall(r'(\w+)(?:=~|=)"', expression))
    known = {label for one in vars(counters).values() if isinstance(one, Measure) for label in one.labels}
    assert labels <= known | {"job", "state", "part"}


def test_variables_of_the_document_are_settings() -> None:
    assert set(re.findall(r"SPEECHSEARCH_[A-Z_]+", OPERATIONS)) <= known_variables()
