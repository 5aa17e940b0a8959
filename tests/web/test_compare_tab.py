from __future__ import annotations

import base64
import csv
import html
import json
import re
from pathlib import Path

import pytest

from speechsearch import audio
from speechsearch.domain.visitors import Visitor
from speechsearch.evaluation import index_report
from speechsearch.evaluation.index_tradeoff import Row, Speed
from speechsearch.evaluation.questions import MOST_QUESTIONS, Names, read_questions
from speechsearch.ui.bench import START, BenchHandlers, degradation
from speechsearch.ui.compare_tab import MOST_SHOWN, CompareHandlers
from tests.conftest import HOSTILE_FILE

ENGINES = ["hybrid", "phonetic", "asr"]
JSON_LINK = r'download="([^"]+\.json)" href="data:application/json;base64,([^"]+)"'
OCTOPUS = "Why is octopus blood blue?"


@pytest.fixture(scope="module")
def handlers(kept_service) -> CompareHandlers:
    return CompareHandlers(kept_service)


@pytest.fixture(scope="module")
def trials(kept_service) -> BenchHandlers:
    return BenchHandlers(kept_service)


@pytest.fixture(scope="module")
def measured(handlers):
    """Progress, report and evaluation of three engines."""
    return finished(handlers)


def table(path: Path, rows: list[tuple[str, str]], header: tuple[str, str] = ("question", "recording")) -> str:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return str(path)


def finished(handlers: CompareHandlers, files: list[str] | None = None, engines: list[str] = ENGINES):
    """Run an evaluation and return (progress lines, report, evaluation)."""
    steps = list(handlers.run("samples", files, engines, "asr"))
    progress, report, kept = steps[-1]
    assert progress == "", progress
    return [one[0] for one in steps[:-1]], report, kept


def test_the_samples_are_measured_with_their_own_questions(measured, kept_service) -> None:
    progress, report, kept = measured
    assert progress and "Asking Sound: 1 of" in progress[0] and "engine 1 of 3" in progress[0]
    evaluation = kept
    relevant = {name for grades in evaluation.questions.relevance.values() for name in grades}
    assert relevant <= {one.recording_id for one in kept_service.browse.recordings()}
    asked = sum(bool(evaluation.questions.relevance.get(query.query_id)) for query in evaluation.questions.queries)
    assert [one.queries for one in evaluation.report.engines] == [asked] * 3
    assert evaluation.report.engines[0].unanswerable == 10
    assert report.count('<th scope="row">') == 6  # the figures and the curves as a table
    assert report.count("<polyline") == 3
    assert "p = " in report or "p &lt; " in report
    for one in evaluation.report.engines:
        figure = one.figures["recall@5"]
        assert 0 <= figure.low <= figure.mean <= figure.high <= 1


def test_an_evaluation_transcribes_and_encodes_nothing(handlers, kept_service, monkeypatch) -> None:
    def refuse(sounds):
        raise AssertionError("sound was encoded")

    makers = kept_service.library.makers
    monkeypatch.setattr(type(makers.speech_encoder), "encode_passages", lambda self, sounds: refuse(sounds))
    monkeypatch.setattr(type(makers.baselines[0].recognizer), "transcribe", lambda self, sounds: refuse(sounds))
    assert finished(handlers, engines=["hybrid", "asr"])[2] is not None


def test_the_report_is_saved_from_the_page_itself(measured) -> None:
    _, report, kept = measured
    (name, content) = re.search(
        r'download="([^"]+\.json)" href="data:application/json;base64,([^"]+)"', report
    ).groups()
    saved = json.loads(base64.b64decode(content))
    assert name == "evaluation.json"
    assert [one["engine"] for one in saved["engines"]] == ENGINES
    assert saved["engines"][0]["figures"]["recall@5"]["mean"] == kept.report.engines[0].figures["recall@5"].mean
    markdown = base64.b64decode(re.search(r'href="data:text/markdown;base64,([^"]+)"', report)[1]).decode()
    assert markdown.startswith("samples: ") and "| hybrid" in markdown


def test_what_only_one_engine_answers(handlers) -> None:
    kept = finished(handlers, engines=["hybrid", "adapter"])[2]
    both = handlers.differences(kept, "hybrid", "adapter", 1)
    assert both.count("ss-sole") == 2
    runs, relevance = kept.runs, kept.questions.relevance

    def is_first(engine: str, query: str) -> bool:
        return bool(runs[engine].rankings[query]) and runs[engine].rankings[query][0] in relevance[query]

    only = [query for query in relevance if is_first("hybrid", query) and not is_first("adapter", query)]
    assert f"Only Sound: {len(only)} question" in both
    assert 0 < both.count('preload="none"') <= 4 * MOST_SHOWN
    for address in re.findall(r'href="([^"]+)"', both):
        assert html.unescape(address).startswith("?q=")
    texts = {query.query_id: query.text for query in kept.questions.queries}
    assert html.escape(texts[only[0]]) in both


def test_differences_need_two_measured_engines(handlers) -> None:
    kept = finished(handlers, engines=["hybrid", "asr"])[2]
    for ours, theirs in (("hybrid", "hybrid"), ("adapter", "asr"), ("<script>", "asr")):
        assert "Choose two engines" in handlers.differences(kept, ours, theirs, 1)
    assert handlers.differences(None, "hybrid", "asr", 1) == ""


def test_what_was_deleted_meanwhile_is_said(service) -> None:
    handlers = CompareHandlers(service)
    kept = finished(handlers, engines=["hybrid", "asr"])[2]
    for recording in service.browse.recordings():
        service.manage.delete_recording(recording.recording_id)
    assert "a recording that was deleted meanwhile" in handlers.differences(kept, "hybrid", "asr", 1)


def test_questions_of_the_visitors_own(handlers, kept_service, tmp_path: Path) -> None:
    titles = {Path(one.file_name).stem: one.title for one in kept_service.browse.recordings()}
    rows = [(OCTOPUS, titles["s015"].upper()), (OCTOPUS, "s004"), ("Who won?", ""), ("<b>x</b>", titles[HOSTILE_FILE])]
    _, report, kept = finished(handlers, [table(tmp_path / "mine.csv", rows)], ["hybrid", "asr"])
    assert (kept.report.queries, kept.report.engines[0].queries) == (3, 2)
    assert kept.report.engines[0].unanswerable == 1
    page = report + handlers.differences(kept, "hybrid", "asr", 5) + handlers.differences(kept, "hybrid", "asr", 1)
    assert "<b>x</b>" not in page and "<script>" not in page


def test_questions_as_beir_has_them(handlers, tmp_path: Path) -> None:
    (tmp_path / "queries.jsonl").write_text(json.dumps({"_id": "1", "text": OCTOPUS}) + "\n", encoding="utf-8")
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n1\ts015\t1\n", encoding="utf-8")
    files = [str(tmp_path / "queries.jsonl"), str(tmp_path / "qrels.tsv")]
    assert finished(handlers, files, ["hybrid"])[2].report.engines[0].queries == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("question,recording\nwhy,nowhere\n", "mine.csv, line 2: no recording of the collection is called"),
        ("question,recording\n,s015\n", "line 2: the question is empty"),
        ("question,recording\nwhy,\n", "No question has an answer"),
        ("frage,antwort\nwhy,s015\n", "must name the columns question and recording"),
        ("", "must name the columns question and recording"),
        (f"question,recording\n{'x' * 1001},s015\n", "more than 1,000 characters"),
        (
            "question,recording\n" + "".join(f"q{n},s015\n" for n in range(MOST_QUESTIONS + 1)),
            "1,000 questions",
        ),
        ('question,recording\n"' + "x" * 200_000 + '",s015\n', "not a table"),
        ("question,recording\nwhy,<script>alert(1)</script>\n", "no recording of the collection is called"),
    ],
)
def test_questions_that_cannot_be_used(handlers, tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "mine.csv").write_text(content, encoding="utf-8")
    ((progress, report, kept),) = handlers.run("samples", [str(tmp_path / "mine.csv")], ENGINES, "asr")
    assert message in progress and 'role="alert"' in progress
    assert str(tmp_path) not in progress and "<script>" not in progress
    assert (report, kept) == ("", None)


def test_files_that_are_no_questions(handlers, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "b.csv").write_text("x")
    for files in ([tmp_path / "a.txt"], [tmp_path / "a.txt", tmp_path / "b.csv"], [tmp_path / "b.csv"] * 2):
        ((progress, _, _),) = handlers.run("samples", [str(file) for file in files], ENGINES, "asr")
        assert "These files are no set of questions." in progress


def test_a_name_that_two_recordings_share_is_refused(kept_service, tmp_path: Path) -> None:
    from dataclasses import replace

    first, second = kept_service.browse.recordings()[:2]
    names = Names([first, replace(second, title=first.title)])
    with pytest.raises(ValueError, match="2 recordings are called"):
        read_questions([Path(table(tmp_path / "q.csv", [("why", first.title)]))], names)


@pytest.mark.parametrize(
    ("collection", "engines", "message"),
    [
        ("nowhere", ENGINES, "There is no collection"),
        ("samples", [], "No engine was chosen."),
        ("samples", ["<script>"], "No engine was chosen."),
        (None, ENGINES, "There is nothing to measure yet."),
    ],
)
def test_what_cannot_be_measured(handlers, collection: str | None, engines: list[str], message: str) -> None:
    ((progress, _, kept),) = handlers.run(collection, None, engines, "asr")
    assert message in progress and kept is None


def test_a_visitors_own_collection_is_his_alone(service) -> None:
    handlers = CompareHandlers(service)
    service.library.rename_collection("samples", "@ann/notes")
    ann, bob = Visitor("ann"), Visitor("bob")
    assert (handlers.collections(ann), handlers.collections(bob)) == (["notes"], [])
    ((progress, _, _),) = handlers.run("notes", None, ENGINES, "asr", bob)
    assert "There is no collection" in progress
    ((progress, _, _),) = handlers.run("notes", None, ENGINES, "asr", ann)
    assert "There are no questions about" in progress and "@ann" not in progress


def test_closing_a_run_ends_it(handlers) -> None:
    steps = handlers.run("samples", None, ENGINES, "asr")
    assert "ss-progress" in next(steps)[0]
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)
    assert finished(handlers)[2] is not None


def test_the_right_clip_is_chosen_and_bent(trials) -> None:
    choices, message = trials.clips(OCTOPUS, None)
    assert message == "" and "Everything #1" in choices[0][0]
    html_found = trials.trial(OCTOPUS, None, choices[0][1], "clip", START)
    assert html_found.count("<tr data-engine") == 5
    assert html_found.count('preload="none"') == 2
    assert f'src="/api/v1/clips/{choices[0][1]}"' in html_found
    wav = base64.b64decode(re.search(r'src="data:audio/wav;base64,([^"]+)"', html_found)[1])
    assert wav[:4] == b"RIFF"


def test_a_spoken_question_is_bent(trials, kept_service, tmp_path: Path) -> None:
    choices, _ = trials.clips(OCTOPUS, None)
    path = tmp_path / "spoken.wav"
    path.write_bytes(kept_service.browse.clip(choices[0][1]))
    found = trials.trial("", str(path), choices[0][1], "question", {**START, "noise": "babble", "speed": 0.9})
    assert found.count("data:audio/wav") == 2
    assert "the changed question" in found
    assert audio.load(path, kept_service.limits, 60).duration_s > 1


@pytest.mark.parametrize(
    ("text", "passage_id", "what", "message"),
    [
        (OCTOPUS, None, "clip", "No clip is chosen."),
        (OCTOPUS, "no-such", "clip", "There is no such passage."),
        (OCTOPUS, "../../etc/passwd", "clip", "There is no such passage."),
        (OCTOPUS, "x", "question", "There is no spoken question."),
        (" ", "x", "clip", "There is no question."),
    ],
)
def test_trials_that_cannot_be_made(trials, text: str, passage_id: str | None, what: str, message: str) -> None:
    assert message in trials.trial(text, None, passage_id, what, START)


@pytest.mark.parametrize(
    "change", [{"noise": "brown"}, {"mp3_kbps": 1}, {"ratio_db": -30}, {"speed": 0.0001}, {"speed": float("nan")}]
)
def test_settings_outside_the_controls_are_refused(trials, change: dict) -> None:
    with pytest.raises(ValueError, match=r"noise|Noise"):
        degradation(**{**START, **change})
    assert 'role="alert"' in trials.trial(OCTOPUS, None, "x", "clip", {**START, **change})


def test_hostile_titles_are_text_in_the_bench(trials, kept_service) -> None:
    recording = next(one for one in kept_service.browse.recordings() if one.file_name.startswith(HOSTILE_FILE))
    assert "<script>" in recording.title
    passage = kept_service.browse.passages_of(recording.recording_id)[0]
    page = trials.trial(recording.title, None, passage.passage_id, "clip", START)
    assert "<script>" not in page and "&lt;script&gt;" in page


def test_the_address_opens_the_bench(trials) -> None:
    passage_id = trials.clips(OCTOPUS, None)[0][1][1]
    text, choices, page = trials.from_address({"bench": passage_id, "q": OCTOPUS})
    assert (text, choices[0][1]) == (OCTOPUS, passage_id)
    assert page.count("<tr data-engine") == 5
    text, choices, page = trials.from_address({"bench": "<script>", "q": "x" * 5000})
    assert (len(text), choices) == (1000, []) and "There is no such passage." in page


def test_what_indexes_cost_is_shown_once_it_was_measured(service) -> None:
    handlers = CompareHandlers(service)
    before = handlers.index_costs()
    assert "benchmark-index" in before and "<table" not in before and "<details" in before
    speed = Speed(1.0, 2.0, 3.0, 900.0, 800.0, 1000.0)
    row = Row("Qdrant Edge", "<b>int8", "2x", 0.99, 0.98, 1.5, 500.0, 100.0, speed, 700.0, speed, None)
    found = index_report.Tradeoff("of a secret", 1000, 384, 100, 3, "a <machine>", "command", "2026-11-27", (row,))
    index_report.write(found, service.data_dir / index_report.FILE_NAME)
    shown = handlers.index_costs()
    assert "&lt;b&gt;int8" in shown and "<b>int8" not in shown and "a &lt;machine&gt;" in shown
    assert "1,000 vectors" in shown and shown.count("<circle") == 1 and "secret" not in shown
    (service.data_dir / index_report.FILE_NAME).write_text("{", encoding="utf-8")
    assert "cannot be read" in handlers.index_costs()
