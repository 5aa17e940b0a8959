from __future__ import annotations

import json
import re
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from speechsearch.domain.assets import EVALUATION
from speechsearch.domain.visitors import Visitor
from speechsearch.retrieval.engine_cards import BUILT_IN
from speechsearch.ui.about_tab import AboutHandlers, packages
from speechsearch.ui.compare_view import short
from speechsearch.ui.measured import figures
from speechsearch.ui.texts import About


@pytest.fixture
def handlers(service) -> AboutHandlers:
    return AboutHandlers(service)


def cells(name: str, shown: str) -> list[str]:
    (row,) = [row for row in shown.split("<tr>") if f"<bdi>{name}</bdi>" in row.partition("</th>")[0]]
    return [re.sub("<[^>]*>", " ", cell).strip() for cell in row.partition("</tr>")[0].split("<td")[1:]]


def record(engines: Sequence[str], words: dict[str, float | None]) -> dict[str, Any]:
    """The figures of engines, each a little better than the one before."""
    figures = {
        name: {"recall@5": {"mean": place / 10, "low": place / 20, "high": place / 8}}
        for place, name in enumerate(engines, 1)
    }
    test = {"recall@5": {"difference": 0.25, "low": 0.1, "high": 0.4, "p_value": 0.0123}}
    return {
        "n": 7,
        "engines": figures,
        "tests": {ours: {"asr": test} if "asr" in engines else {} for ours in ("hybrid", "all") if ours in engines},
        "phoneme_error_rate": 0.4321,
        "word_error_rate": words,
    }


@pytest.fixture
def evaluation() -> dict[str, Any]:
    clean = record(("text-hybrid", "asr", "asr-mini", "adapter", "phonetic", "hybrid", "all"), {"asr": 0.125})
    noisy = record(("asr-mini", "adapter", "phonetic", "hybrid"), {"asr-mini": 0.5})
    return {
        "date": "2026-01-01",
        "machine": {"processor": "P", "cores": 2},
        "command": "run it",
        "titles": {"clean": "as recorded", "white-0": "white noise, 0 dB"},
        "sets": [{"name": "mine", "passages": 3, "conditions": {"clean": deepcopy(clean)}}],
        "together": {"conditions": {"clean": clean, "white-0": noisy}},
    }


def shown_of(folder: Path, evaluation: dict[str, Any]) -> str:
    (folder / "evaluation.json").write_text(json.dumps(evaluation), encoding="utf-8")
    return figures(folder / "evaluation.json")


def test_the_figures_are_those_of_the_evaluation() -> None:
    evaluation, shown = json.loads(EVALUATION.read_text(encoding="utf-8")), figures(EVALUATION)
    rows = {one["name"]: one["conditions"]["clean"] for one in evaluation["sets"]}
    rows |= {evaluation["titles"][name]: one for name, one in evaluation["together"]["conditions"].items()}
    for name, found in rows.items():
        row = " ".join(cells(name, shown))
        for engine in ("all", "hybrid", "asr"):
            if engine in found["engines"]:
                figure = found["engines"][engine]["recall@5"]
                assert f"{short(figure['mean'])}  {short(figure['low'])} – {short(figure['high'])}" in row
        assert row.startswith(f"> {found['n']} ")


def test_a_row_has_gold_the_engines_in_order_and_two_differences(tmp_path: Path, evaluation: dict[str, Any]) -> None:
    shown = shown_of(tmp_path, evaluation)
    heads = re.findall('<th scope="col">(.*?)</th>', shown)
    titles = [card.title for card in BUILT_IN]
    assert [re.sub("<[^>]*>", "", head) for head in heads][: len(titles) + 5] == [
        "Collection", "n", "Perfect transcript", *titles, "Everything against Transcript",
        "Sound against Transcript",
    ]  # fmt: skip
    means = [re.search(r"> *([^ ]*)", one)[1] for one in cells("mine", shown)]
    assert means == ["7", ".100", ".700", ".600", ".400", ".500", ".200", "+.250", "+.250"]
    assert cells("as recorded", shown)[-2:] == [">43.2 %", ">12.5 %"]


def test_what_did_not_run_has_a_dash(tmp_path: Path, evaluation: dict[str, Any]) -> None:
    row = cells("white noise, 0 dB", shown_of(tmp_path, evaluation))
    assert [one.rpartition(">")[2].strip() for one in (*row[1:2], *row[3:6], row[7])] == ["–"] * 5  # all but hybrid
    assert "–" in row[2] and ".400" in row[2] and "43.2 %" in row[6]


def test_other_figures_are_shown_as_they_are(tmp_path: Path, evaluation: dict[str, Any]) -> None:
    evaluation["sets"][0]["name"] = "<b>mine</b>"
    evaluation["sets"][0]["conditions"]["clean"]["n"] = "<i>7</i>"
    evaluation["sets"][0]["conditions"]["clean"]["engines"]["hybrid"]["recall@5"]["mean"] = 0.1234
    evaluation["titles"]["clean"] = "<b>clean</b>"
    evaluation["command"] = "<script>"
    shown = shown_of(tmp_path, evaluation)
    assert "<b>.123</b>" in shown and "<td>43.2 %</td>" in shown
    assert "&lt;b&gt;mine" in shown and "<b>mine" not in shown
    assert not {"<i>7", "<b>clean", "<script>"} & set(re.findall(r"<[a-z]+>[a-z0-9]*", shown))


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "[1]", "7", '{"sets": [1]}', '{"sets": [], "together": []}', '{"sets": [{"name": 1}]}'],
)
def test_a_damaged_report_is_said(tmp_path: Path, content: str) -> None:
    (tmp_path / "evaluation.json").write_text(content, encoding="utf-8")
    assert "cannot be read" in figures(tmp_path / "evaluation.json")


def test_without_the_report_the_tab_says_so(tmp_path: Path) -> None:
    assert "is not part of this installation" in figures(tmp_path / "evaluation.json")


def test_the_pages_to_read_are_there() -> None:
    assert [name for name in About.PAGES if not (Path(__file__).parents[2] / name).is_file()] == []


def test_packages_say_their_versions_and_licences() -> None:
    ((name, version, licence),) = packages(["fastapi"])
    assert (name, licence) == ("fastapi", "MIT")
    assert version[0].isdigit()


def test_health_is_for_owners(handlers) -> None:
    owner, visitor = Visitor("ann", is_owner=True), Visitor("bob")
    assert "Status" in handlers.shown(owner) and "Free disk space" in handlers.shown(owner)
    assert "Status" not in handlers.shown(visitor)
    assert "Only an owner may check." in handlers.checked(visitor)
    assert "agree" in handlers.checked(owner)


def test_differences_are_listed(handlers, service) -> None:
    recording = service.browse.recordings()[0]
    service.browse.media(recording.recording_id)[1].unlink()
    found = handlers.checked()
    assert "is gone" in found and 'role="alert"' in found
