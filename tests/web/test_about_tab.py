from __future__ import annotations

import json
from pathlib import Path

import pytest

from speechsearch.ui.about import DOCS, PAGES, AboutHandlers, card, figures, packages
from speechsearch.visitors import Visitor


@pytest.fixture
def handlers(service) -> AboutHandlers:
    return AboutHandlers(service)


def test_the_figures_are_those_of_the_evaluation() -> None:
    shown = figures(DOCS / "evaluation.json")
    for report in json.loads((DOCS / "evaluation.json").read_text(encoding="utf-8")):
        (hybrid,) = [one for one in report["engines"] if one["engine"] == "hybrid"]
        mean = f"{hybrid['figures']['recall@5']['mean']:.3f}".lstrip("0")
        assert report["collection"] in shown
        assert mean in shown or mean == "1.000"


def test_other_figures_are_shown_as_they_are(tmp_path: Path) -> None:
    reports = json.loads((DOCS / "evaluation.json").read_text(encoding="utf-8"))[:1]
    reports[0]["collection"] = "<b>mine</b>"
    reports[0]["engines"][-1]["figures"]["recall@5"]["mean"] = 0.1234
    (tmp_path / "evaluation.json").write_text(json.dumps(reports), encoding="utf-8")
    shown = figures(tmp_path / "evaluation.json")
    assert "<b>.123</b>" in shown
    assert "&lt;b&gt;mine" in shown and "<b>mine" not in shown


@pytest.mark.parametrize("content", ["", "[]", "{}", "[1]", '[{"engines": []}]', "[[]]"])
def test_a_damaged_report_is_said(tmp_path: Path, content: str) -> None:
    (tmp_path / "evaluation.json").write_text(content, encoding="utf-8")
    assert "cannot be read" in figures(tmp_path / "evaluation.json")


def test_without_the_report_the_tab_says_so(tmp_path: Path) -> None:
    assert "is not beside the program" in card(tmp_path)


def test_the_pages_to_read_are_there() -> None:
    assert [name for name in PAGES if not (DOCS.parent / name).is_file()] == []


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
    recording = service.recordings()[0]
    service.media(recording.recording_id).unlink()
    found = handlers.checked()
    assert "is gone" in found and 'role="alert"' in found
