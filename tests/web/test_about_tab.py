from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from speechsearch.domain.assets import EVALUATION
from speechsearch.domain.visitors import Visitor
from speechsearch.ui.about_tab import PAGES, AboutHandlers, packages
from speechsearch.ui.compare_view import short
from speechsearch.ui.measured import figures


@pytest.fixture
def handlers(service) -> AboutHandlers:
    return AboutHandlers(service)


@pytest.fixture
def evaluation() -> dict[str, Any]:
    return json.loads(EVALUATION.read_text(encoding="utf-8"))


def cells(name: str, shown: str) -> list[str]:
    (row,) = [row for row in shown.split("<tr>") if f"<bdi>{name}</bdi>" in row.partition("</th>")[0]]
    return [re.sub("<[^>]*>", " ", cell).strip() for cell in row.split("<td")[1:]]


def test_the_figures_are_those_of_the_evaluation(evaluation: dict[str, Any]) -> None:
    shown = figures(EVALUATION)
    rows = {one["name"]: one["conditions"]["clean"] for one in evaluation["sets"]}
    rows |= {evaluation["titles"][name]: one for name, one in evaluation["together"]["conditions"].items()}
    for name, record in rows.items():
        row = " ".join(cells(name, shown))
        for engine in ("hybrid", "asr"):
            figure = record["engines"][engine]["recall@5"]
            assert f"{short(figure['mean'])}  {short(figure['low'])} – {short(figure['high'])}" in row
        assert row.startswith(f"> {record['n']} ")


def test_other_figures_are_shown_as_they_are(tmp_path: Path, evaluation: dict[str, Any]) -> None:
    evaluation["sets"] = evaluation["sets"][:1]
    evaluation["sets"][0]["name"] = "<b>mine</b>"
    evaluation["sets"][0]["conditions"]["clean"]["n"] = "<i>7</i>"
    evaluation["sets"][0]["conditions"]["clean"]["engines"]["hybrid"]["recall@5"]["mean"] = 0.1234
    evaluation["together"]["conditions"]["clean"]["phoneme_error_rate"] = 0.4321
    evaluation["titles"]["clean"] = "<b>clean</b>"
    evaluation["command"] = "<script>"
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluation), encoding="utf-8")
    shown = figures(tmp_path / "evaluation.json")
    assert "<b>.123</b>" in shown and "<td>43.2 %</td>" in shown
    assert "&lt;b&gt;mine" in shown and "<b>mine" not in shown
    assert not {"<i>7", "<b>clean", "<script>"} & set(re.findall(r"<[a-z]+>[a-z0-9]*", shown))


def test_an_engine_that_did_not_run_has_a_dash(tmp_path: Path, evaluation: dict[str, Any]) -> None:
    del evaluation["sets"][0]["conditions"]["clean"]["engines"]["phonetic"]
    evaluation["together"]["conditions"]["clean"]["word_error_rate"]["asr"] = None
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluation), encoding="utf-8")
    shown = figures(tmp_path / "evaluation.json")
    assert "<td>–</td>" in shown and "cannot be read" not in shown


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "[1]", "7", '{"sets": [1]}', '{"sets": [], "together": []}', '{"sets": [{"name": 1}]}'],
)
def test_a_damaged_report_is_said(tmp_path: Path, content: str) -> None:
    (tmp_path / "evaluation.json").write_text(content, encoding="utf-8")
    assert "cannot be read" in figures(tmp_path / "evaluation.json")


def test_without_the_report_the_tab_says_so(tmp_path: Path) -> None:
    assert "is not beside the program" in figures(tmp_path / "evaluation.json")


def test_the_pages_to_read_are_there() -> None:
    assert [name for name in PAGES if not (Path(__file__).parents[2] / name).is_file()] == []


def test_packages_say_their_versions_and_licences() -> None:
    ((name, version, licence),) = packages(["fastapi"])
    assert (name, licence) == ("fastapi", "MIT")
    assert version[0].isdigit()


def test_health_is_for_owners(handlers) -> None:
    owner, visitor = Visitor("ann", is_owner=True), Visitor("bob")
    assert "How it is doing" in handlers.shown(owner) and "Free on the disk" in handlers.shown(owner)
    assert "How it is doing" not in handlers.shown(visitor)
    assert "Only an owner may check." in handlers.checked(visitor)
    assert "agree" in handlers.checked(owner)


def test_differences_are_listed(handlers, service) -> None:
    recording = service.browse.recordings()[0]
    service.browse.media(recording.recording_id)[1].unlink()
    found = handlers.checked()
    assert "is gone" in found and 'role="alert"' in found
