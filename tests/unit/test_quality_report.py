from __future__ import annotations

import doctest
import importlib
import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from benchmarks.quality import set_tables
from benchmarks.quality.condition_tables import condition_row
from benchmarks.quality.figures import Cell, Measured, document, joined, section
from benchmarks.quality.plots import draw
from benchmarks.quality.question_tables import kinds_part, spoken_part
from benchmarks.quality.report import as_markdown, model_card, readme_table, section_of, with_section
from benchmarks.quality.set_tables import standing, summary_table
from benchmarks.quality.sets import CONDITIONS, TITLES, content_key, folders_of, read_set, spread, voices_for
from benchmarks.quality.tables import rows_of
from speechsearch.domain.assets import EVALUATION
from speechsearch.domain.errors import InputError
from speechsearch.evaluation import read_collection

ROOT = Path(__file__).parents[2]
MODULES = (
    "__main__", "condition_tables", "figures", "plots", "question_tables", "recognizers", "report", "set_tables",
    "sets", "speeds", "tables",
)  # fmt: skip
MACHINE = {"processor": "P", "cores": 2, "memory_bytes": 2**30, "system": "S", "python": "3", "torch": ""}
FACTS = {"date": "2026-01-01", "machine": MACHINE, "command": "run it", "model": "abc", "titles": TITLES}


@pytest.fixture(scope="module")
def shipped() -> dict[str, Any]:
    return json.loads(EVALUATION.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", MODULES)
def test_the_worked_examples_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"benchmarks.quality.{name}")).failed == 0


def test_the_report_is_that_of_the_figures(shipped: dict[str, Any]) -> None:
    assert (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8") == as_markdown(shipped)


@pytest.mark.parametrize(
    ("page", "marker", "content"),
    [("README.md", "measured", readme_table), ("speechsearch/assets/mini/README.md", "figures", model_card)],
)
def test_the_figures_of_the_pages_are_those_of_the_evaluation(page, marker, content, shipped: dict[str, Any]) -> None:
    assert section_of((ROOT / page).read_text(encoding="utf-8"), marker) == content(shipped).strip()


def test_the_pictures_are_there_and_small(shipped: dict[str, Any]) -> None:
    shown = {line.rpartition("(")[2].rstrip(")") for line in as_markdown(shipped).splitlines() if line.startswith("![")}
    assert shown
    assert [name for name in shown if not 0 < (ROOT / "docs" / name).stat().st_size < 60_000] == []


SOUND = ("adapter", "phonetic", "hybrid")


def cell(found: dict[str, list[str]], spoken: dict[str, dict[str, list[str]]] | None = None) -> Cell:
    """Answers of one engine, given to all but the recognisers', which find nothing; in noise only ``mini`` hears."""
    clean = ("text", "text-bm25", "text-hybrid", "all") if spoken is not None else ()
    recognizers = {"asr": 0.125, "asr-mini": 0.5} if spoken is not None else {"asr-mini": 0.5}
    nothing: dict[str, list[str]] = {query: [] for query in found}
    rankings = {**dict.fromkeys((*clean, *SOUND), found), **dict.fromkeys(recognizers, nothing)}
    return Cell(rankings, spoken or {}, recognizers, 0.25, words=10, phonemes=40)


def two_sets() -> list[Measured]:
    spoken = {engine: {"q1": ["x"]} for engine in ("asr", "asr-mini", *SOUND, "all")}
    first = {"clean": cell({"q1": ["x"], "q2": ["y", "x"]}, spoken), "white-0": cell({"q1": ["y"], "q2": ["y"]})}
    second = {"clean": cell({"rare-1": ["z"]}, {}), "white-0": cell({"rare-1": ["z"]})}
    speeds = {
        "hybrid": dict.fromkeys(("indexing_real_time_factor", "query_p50_ms", "query_p95_ms", "index_bytes"), 100.0)
    }
    return [
        Measured("first", "made up", 2, 4, 120.0, {"q1": {"x": 1}, "q2": {"x": 1}, "q3": {}}, first, speeds),
        Measured("second", "too", 1, 1, 60.0, {"rare-1": {"z": 1}}, second),
    ]


def worse(one: Measured, engine: str) -> Measured:
    """A set on which an engine finds nothing and the baseline everything."""
    clean = one.conditions["clean"]
    swapped = {**clean.rankings, engine: clean.rankings["asr"], "asr": clean.rankings[engine]}
    return replace(one, conditions={**one.conditions, "clean": replace(clean, rankings=swapped)})


def test_every_question_of_every_set_counts_the_same() -> None:
    both = section(two_sets())["conditions"]
    assert both["clean"]["n"] == 3
    assert both["clean"]["engines"]["hybrid"]["recall@1"]["mean"] == pytest.approx(2 / 3)
    assert both["clean"]["engines"]["hybrid"]["mrr@10"]["mean"] == pytest.approx((1 + 0.5 + 1) / 3)
    assert both["white-0"]["engines"]["hybrid"]["recall@5"]["mean"] == pytest.approx(1 / 3)
    test = {"difference": 1.0, "low": 1.0, "high": 1.0, "p_value": 0.25}
    for ours in ("hybrid", "all"):
        assert {rival: found["recall@5"] for rival, found in both["clean"]["tests"][ours].items()} == {
            "asr": test,
            "asr-mini": test,
        }
    assert {ours: list(found) for ours, found in both["white-0"]["tests"].items()} == {"hybrid": ["asr-mini"]}
    assert "recall@10" not in both["white-0"]["engines"]["hybrid"]


def test_questions_are_told_apart_by_kind_and_spoken_ones_compared_with_themselves() -> None:
    found = section(two_sets())
    assert {kind: record["n"] for kind, record in found["kinds"].items()} == {"question": 2, "rare": 1}
    assert found["spoken"]["n"] == 1
    assert found["spoken"]["spoken"]["asr"]["mean"] == 1.0
    assert found["spoken"]["tests"]["asr"]["difference"] == 1.0
    assert section(two_sets()[1:])["spoken"] is None


def test_an_engine_counts_together_only_where_it_ran_on_every_set() -> None:
    assert joined({"a": {"x": {"q": []}, "asr": {"q": []}}, "b": {"asr": {"q": []}}}) == {"asr": {"a/q": [], "b/q": []}}


def test_the_report_says_n_and_leaves_out_what_was_not_measured() -> None:
    made = document(two_sets(), FACTS)
    text = as_markdown(made)
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 11
    assert all(" n " in block.splitlines()[0] or "(n" in block.splitlines()[0] for block in tables)
    assert [name for name, _ in rows_of(made)] == ["first", "second", "all together"]
    assert "0.667 [0.000, 1.000]" in text and " 2 of 4 |" in text
    alone = document(two_sets()[1:], FACTS)
    assert spoken_part(alone) == "" and kinds_part(alone) == ""
    assert "all together" not in as_markdown(alone)
    assert "Spoken questions" not in as_markdown(alone)


def test_a_recogniser_has_a_dash_where_it_did_not_run() -> None:
    made = document(two_sets(), FACTS)
    clean, noisy = (condition_row("as it was", made["together"]["conditions"][name]) for name in ("clean", "white-0"))
    assert clean[2:6] == ["0.667 [0.000, 1.000]"] * 2 + ["0.000 [0.000, 0.000]"] * 2
    assert noisy[2] == noisy[4] == "-" and noisy[3] != "-" and noisy[5] != "-"  # all, whisper-base; hybrid, mini
    assert clean[-3:] == ["25.0", "12.5", "50.0"] and noisy[-3:] == ["25.0", "-", "50.0"]
    assert noisy[-7:-3] == ["-"] * 4 and "-" not in clean[-7:-3]
    (row,) = [line for line in set_tables.tests_table(made).splitlines() if line.startswith("| second")]
    assert [one.strip() for one in row.split("|")[-5:-1]] == ["100"] * 4  # of the ceiling
    assert "asr (PocketSphinx)" in summary_table(made, "recall@5")


def test_it_is_said_plainly_where_the_baseline_is_ahead() -> None:
    first, second = two_sets()
    said = standing(document([first, worse(second, "hybrid")], FACTS)).splitlines()
    assert (
        said[2] == "- R@1, `asr (whisper-base)` and `hybrid`: ahead on second; behind on first; level on all together."
    )
    assert (
        said[5]
        == "- R@5, `asr (whisper-base)` and `all`: ahead on none; behind on first, all together; level on second."
    )
    assert standing({"sets": []}) == ""


def test_the_pages_get_the_same_figures() -> None:
    made = document(two_sets(), FACTS)
    assert "| second" in model_card(made) and "25.0" in model_card(made) and "12.5" in model_card(made)
    assert "| second" in readme_table(made) and "+1.000 (0.250)" in readme_table(made)
    assert "ahead on none; behind on first, second" in readme_table(made)
    with pytest.raises(ValueError, match="are not there"):
        with_section("no markers", "figures", "")


def test_pictures_are_drawn_from_the_figures_alone_and_the_same_each_time(tmp_path: Path) -> None:
    made = document(two_sets(), FACTS)
    draw(made, tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert set(before) == {"recall-by-noise.svg", "typed-and-spoken.svg"}
    assert b">recall at 5</text>" in before["recall-by-noise.svg"]
    draw(made, tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    without = deepcopy(made)
    without["together"]["spoken"] = None
    draw(without, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["recall-by-noise.svg"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    one = tmp_path / "tiny"
    (one / "qrels").mkdir(parents=True)
    random = np.random.default_rng(1)
    for name in ("a", "b", "c", "asked"):
        soundfile.write(one / f"{name}.wav", random.uniform(-0.1, 0.1, 1600).astype(np.float32), 16_000)
    rows = [{"_id": name, "audio": f"{name}.wav", "text": name} for name in ("a", "b", "c")]
    (one / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    asked = [{"_id": f"q{name}", "text": name} for name in ("a", "b", "c")]
    (one / "queries.jsonl").write_text("\n".join(map(json.dumps, asked)), encoding="utf-8")
    (one / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\nqa\ta\t1\nqb\tb\t1\nqc\tc\t1\n", encoding="utf-8"
    )
    return one


def test_a_set_is_cut_evenly_and_its_spoken_questions_with_it(folder: Path) -> None:
    spoken = [{"_id": name, "text": "?", "audio": "asked.wav"} for name in ("qa", "qc")]
    (folder / "queries-spoken.jsonl").write_text("\n".join(map(json.dumps, spoken)), encoding="utf-8")
    one = read_set(folder, 2)
    assert [passage.passage_id for passage in one.collection.passages] == ["a", "b"] == ["abc"[i] for i in spread(3, 2)]
    assert [query.query_id for query in one.collection.queries] == ["qa", "qb"]
    assert [query.query_id for query in one.spoken] == ["qa"]
    assert one.passages_in_all == 3 and one.audio_s == pytest.approx(0.2)


def test_a_spoken_question_must_be_one_of_the_typed(folder: Path) -> None:
    line = json.dumps({"_id": "other", "text": "?", "audio": "asked.wav"})
    (folder / "queries-spoken.jsonl").write_text(line, encoding="utf-8")
    with pytest.raises(InputError, match="'other' is no question"):
        read_set(folder, 9)


def test_the_key_changes_with_sound_and_questions(folder: Path) -> None:
    before = content_key(read_collection(folder))
    assert content_key(read_collection(folder)) == before
    soundfile.write(folder / "b.wav", np.zeros(1600, np.float32), 16_000)
    after = content_key(read_collection(folder))
    (folder / "queries.jsonl").write_text(
        "\n".join(json.dumps({"_id": f"q{name}", "text": "else"}) for name in "abc"), encoding="utf-8"
    )
    assert len({before, after, content_key(read_collection(folder))}) == 3


def test_every_condition_is_another_and_gives_the_same_sound_twice(folder: Path) -> None:
    one = read_set(folder, 9)
    assert len({repr(condition.how) for condition in CONDITIONS}) == len(CONDITIONS) == len(TITLES)
    clean = [sound.samples for sound in one.sounds]
    for condition in CONDITIONS:
        heard, again = ([sound.samples for sound in one.heard(condition)] for _ in range(2))
        assert all(np.array_equal(a, b) for a, b in zip(heard, again, strict=True))
        is_same = all(np.array_equal(a, b) for a, b in zip(heard, clean, strict=True))
        assert is_same == (condition.name == "clean")


def test_a_passage_is_never_its_own_babble() -> None:
    for count in range(1, 30):
        for place in range(count):
            voices = voices_for(place, count)
            assert place not in voices and len(voices) == min(4, count - 1) == len(set(voices))


def test_sets_are_found_but_the_tuning_sets_are_not_measured(folder: Path) -> None:
    for name in ("tuning", "tuning-names"):
        (folder.parent / name).mkdir()
        (folder.parent / name / "corpus.jsonl").touch()
    assert [one.name for one in folders_of(folder.parent)] == ["samples", "tiny"]
    assert [one.name for one in folders_of(folder.parent, ["tiny"])] == ["tiny"]
    with pytest.raises(InputError, match="no set tuning"):
        folders_of(folder.parent, ["tuning"])
