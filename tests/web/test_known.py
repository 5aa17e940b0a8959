"""What the page and the routes say of what could not be searched, and of scores without likelihoods."""

from __future__ import annotations

import asyncio
import csv
import io
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from ingest import discover, run
from speechsearch.api import create_app
from speechsearch.api.export_formats import as_csv
from speechsearch.api.tools import tool_server
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.progress import Progress
from speechsearch.domain.values import Comparison, Coverage, Hit, Passage, Query, Recording, Results, Span
from speechsearch.domain.visitors import LOCAL
from speechsearch.jobs.queue import CATCH_UP, JobQueue
from speechsearch.retrieval.engine_cards import ASR, BUILT_IN, EVERYTHING, HYBRID, EngineCard
from speechsearch.retrieval.engines import for_recognizer
from speechsearch.service.open import Service
from speechsearch.ui import add_tab
from speechsearch.ui.asked import Asked
from speechsearch.ui.bench import START, BenchHandlers
from speechsearch.ui.colours import stylesheet
from speechsearch.ui.compare_tab import CompareHandlers
from speechsearch.ui.comparison import comparison
from speechsearch.ui.page import build_page
from speechsearch.ui.recording_tab import RecordingHandlers
from speechsearch.ui.search_tab import SearchHandlers
from speechsearch.ui.texts import Known

QUESTION = "Why is octopus blood blue?"
UNHEARD = "s045"
ENGINES = {card.name: card for card in BUILT_IN}


def add(service: Service, folder: Path, *, wants_transcripts: bool = True) -> int:
    """Take one more sample into the collection "mine" by its sound only; return its number of passages."""
    found = discover([SAMPLES / "audio" / f"{UNHEARD}.opus"], service.limits, folder)
    (result,) = run(service.manage, found, collection="mine", wants_transcripts=wants_transcripts)
    assert result.state == "indexed", result
    return result.passages


def told(*, passages: int = 41, coverage: Coverage | None = None, engine: str = ASR.name, **more: object) -> Results:
    whole = Coverage(passages, 67, 724.0, 790.0)
    return Results(engine, (), False, 1.0, 2.0, coverage=coverage or whole, **more)


def test_before_any_transcript_the_column_says_so(service, tmp_path: Path) -> None:
    passages = add(service, tmp_path)
    _, left, right = SearchHandlers(service).typed(Asked("bread", collections=["mine"]), LOCAL)
    assert "<audio" in left and "ss-known" not in left and "for display" not in left
    assert "Transcripts are still being written." in right and "Nothing relevant" not in right
    assert f"0 of {passages} passage" in right
    assert 'role="status"' in right and 'role="alert"' not in right


def test_recordings_without_transcripts_are_not_waited_for(service, tmp_path: Path) -> None:
    add(service, tmp_path, wants_transcripts=False)
    right = SearchHandlers(service).typed(Asked("bread", collections=["mine"]), LOCAL)[2]
    assert "No transcript answers this." in right and "being written" not in right


def test_a_column_says_how_much_it_searched_until_that_is_everything(service, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("speechsearch.library.coverage.LONGEST_KEPT_S", 0.0)
    passages = add(service, tmp_path)
    handlers, client = SearchHandlers(service), TestClient(create_app(service))
    there = len(service.store.passages.ids())
    above, left, right = handlers.typed(Asked(QUESTION), LOCAL)
    assert f"transcripts: {there - passages} of {there} passages" in right
    assert re.search(r"Searched in [^<]* of [^<]* by transcript<", right)
    assert "ss-known" not in left and re.search(r"Searched in [^<]* by sound<", left)
    everything = client.get("/api/v1/search", params={"q": QUESTION, "engine": EVERYTHING.name}).json()
    assert re.fullmatch(r"[^,]* by sound, .* of it by transcript too", everything["searched_in"])
    assert "wrote down no word" not in above  # it may yet write it down
    body = client.get("/api/v1/search", params={"q": QUESTION, "engine": ASR.name}).json()
    assert (body["coverage"]["passages"], body["coverage"]["of_passages"]) == (there - passages, there)
    assert 0 < body["coverage"]["duration_s"] < body["coverage"]["of_duration_s"]
    assert body["searched_in"].endswith(" by transcript") and " of " in body["searched_in"]
    assert (body["recognizer"], body["is_calibrated"]) == ("mini", True)
    sound = client.get("/api/v1/compare", params={"q": QUESTION, "left": "hybrid"}).json()["left"]
    assert (sound["coverage"]["passages"], sound["recognizer"]) == (there, "")
    assert list(service.manage.catch_up()) == []
    assert "transcripts: " not in "".join(handlers.typed(Asked(QUESTION), LOCAL))


def test_of_several_recognisers_the_column_names_its_own() -> None:
    other = for_recognizer(ASR, "pocketsphinx")
    found = Comparison(told(recognizer="mini"), told(engine=other.name, recognizer="pocketsphinx", passages=3))
    _, left, right = comparison(found, Asked("x"), {**ENGINES, other.name: other}, "", is_spoken=False)
    assert "transcripts by mini: 41 of 67" in left and "transcripts by pocketsphinx: 3 of 67" in right
    _, left, _ = comparison(replace(found, right=told(engine="hybrid")), Asked("x"), ENGINES, "", is_spoken=False)
    assert "transcripts: 41 of 67" in left


def test_scores_without_likelihoods_only_rank() -> None:
    recording = Recording("ab", "samples", "Talk", 90.0)
    hits = tuple(Hit(rank, 0.8, Passage(f"p{rank}", "ab", Span(0.0, 9.0)), recording, ()) for rank in (1, 2))
    unknown = Results(HYBRID.name, hits, True, 1.0, 2.0, is_calibrated=False)
    _, left, right = comparison(
        Comparison(unknown, Results(ASR.name, (), False, 1.0, 2.0)), Asked("x"), ENGINES, "", is_spoken=False
    )
    assert left.count(Known.NO_LIKELIHOOD) == 1 and Known.NO_LIKELIHOOD not in right
    assert left.count(">score 0.800<") == 2 and "ss-bar" not in left and "likely</span>" not in left
    (first, _) = csv.DictReader(io.StringIO(as_csv(unknown, "")))
    assert (first["likelihood"], first["score"]) == ("", "0.8")


def test_weak_answers_from_part_of_the_transcripts_are_not_the_last_word() -> None:
    weak = Hit(1, 0.1, Passage("p", "ab", Span(0.0, 9.0)), Recording("ab", "c", "Talk", 9.0), (), is_confident=False)
    found = Comparison(replace(told(), hits=(weak,)), replace(told(passages=67), hits=(weak,)))
    _, left, right = comparison(found, Asked("x"), ENGINES, "", is_spoken=False)
    assert "Nothing relevant found so far." in left and "Nothing relevant found." in right


@pytest.fixture
def queue(service) -> Iterator[JobQueue]:
    made = JobQueue(service, {})
    made.folder.mkdir()
    yield made
    made.stop()


@pytest.mark.parametrize(("stage", "is_busy"), [("transcribe", False), ("encode", True)])
def test_the_second_pass_is_seen_but_does_not_look_busy(service, queue, tmp_path, stage: str, is_busy: bool) -> None:
    passages = add(service, tmp_path)
    there = len(service.store.passages.ids())
    is_told, go = threading.Event(), threading.Event()

    def steps(job, report):
        report(Progress(stage, "The oven", 1, 2, 21.0, 240.0))
        is_told.set()
        go.wait(20)
        yield from ()

    queue.worker.runners = {CATCH_UP: steps}
    app = create_app(service, jobs=queue)
    app.include_router(add_tab.page_routes(service, queue))
    client = TestClient(app)
    queue.start()
    assert is_told.wait(20)
    state = client.get("/page/jobs").json()
    (card,) = state["jobs"]
    for said in ("Writing transcripts", "1 of 2 passages · 21 × real time · 4 min left", "The oven", ">Stop</button>"):
        assert said in card["html"]
    assert 'data-action="pause"' in card["html"] and 'data-action="cancel"' in card["html"]
    assert state["is_busy"] == is_busy
    assert ("progressbar" in state["banner"]) == is_busy
    assert (client.get("/health").json()["indexing"] is not None) == is_busy
    if not is_busy:
        assert (
            f"Ready to search by sound. Transcripts: {there - passages} of {there} passages, 4 min left."
            in state["banner"]
        )
    go.set()


def test_over_the_samples_alone_the_banner_names_them() -> None:
    assert add_tab.job_cards.calm_banner(Coverage(12, 95, 1.0, 9.0), True, None).startswith(
        '<p class="ss-calm">Sample collection ready. Transcripts: 12 of 95 passages.'
    )


@pytest.fixture
def without(settings, loader) -> Iterator[Service]:
    """The samples in a program that has no recogniser."""
    engines = settings.engines.model_copy(update={"recognizer": "none"})
    with Service.open(settings.model_copy(update={"engines": engines}), loader=loader) as opened:
        yield opened


def test_without_a_recogniser_two_engines_of_sound_are_side_by_side(without) -> None:
    handlers = SearchHandlers(without)
    assert (handlers.left, handlers.right) == ("hybrid", "adapter")
    asked = Asked.of_address([("q", QUESTION)], list(handlers.engines))
    _, left, right = handlers.typed(asked, LOCAL)
    assert left.count("<audio") == right.count("<audio") == 5
    assert "for display" not in left + right and "being written" not in left + right
    assert "There is no engine" in handlers.typed(Asked(QUESTION, right=ASR.name), LOCAL)[0]
    body = TestClient(create_app(without)).get("/api/v1/compare", params={"q": QUESTION}).json()
    assert (body["left"]["engine"], body["right"]["engine"]) == ("hybrid", "adapter")
    recording = without.browse.recordings()[0]
    assert "with transcripts" not in RecordingHandlers(without).whole(recording.recording_id, QUESTION, "", LOCAL)


def test_without_a_recogniser_the_compare_tab_works(without) -> None:
    handlers, trials = CompareHandlers(without), BenchHandlers(without)
    assert (handlers.default, handlers.baseline, list(handlers.titles)) == (
        "hybrid", "adapter", ["hybrid", "adapter", "phonetic"],
    )  # fmt: skip
    *_, (progress, report, kept) = handlers.run("samples", None, ["hybrid", "adapter"], handlers.baseline)
    assert progress == "" and "R@5 against Meaning" in report
    assert handlers.differences(kept, "hybrid", "adapter", 1).count("ss-sole") == 2
    passage_id = trials.clips(QUESTION, None)[0][0][1]
    page = trials.trial(QUESTION, None, passage_id, "clip", START)
    assert page.count("<tr data-engine") == 3 and "recognis" not in page


def test_without_a_recogniser_the_page_is_built(without) -> None:
    async def built():
        return build_page(without)  # inside a loop, because Gradio leaves one open where there is none

    asyncio.run(built())


def test_every_engine_and_channel_has_colours_from_the_cards() -> None:
    style = stylesheet(BUILT_IN)
    for card in BUILT_IN:
        assert f'[data-engine="{card.name}"] {{ --ss-engine: {card.colour[0]};' in style
        assert f'.dark [data-engine="{card.name}"] {{ --ss-engine: {card.colour[1]}; }}' in style
        for channel in card.channels:
            assert style.count(f'\n[data-channel="{channel}"] {{ --ss-channel: #') == 1


def test_an_experimental_engine_is_marked(service, monkeypatch) -> None:
    later = EngineCard("later", "Later", "How it works.", "sound", (), "later:make", ("#000", "#fff"), True)
    engine = replace(service.search.engines[HYBRID.name], card=later)
    monkeypatch.setattr(service.search, "engines", {**service.search.engines, later.name: engine})
    handlers = CompareHandlers(service)
    assert handlers.titles[later.name] == "Later (experimental)" and later.name not in handlers.usual


def test_assistants_learn_the_engines_from_the_cards(service) -> None:
    tools = {tool.name: tool for tool in asyncio.run(tool_server(service, None).list_tools())}
    said = tools["search"].inputSchema["properties"]["engine"]
    assert said["default"] == EVERYTHING.name
    assert all(f"{card.name}: {card.summary}" in said["description"] for card in BUILT_IN)
    assert tools["compare"].inputSchema["properties"]["right"]["default"] == ASR.name


def test_a_search_of_nothing_is_whole(service) -> None:
    results = service.search.find(Query(QUESTION), HYBRID.name)
    assert results.coverage.is_whole and service.search.coverage(HYBRID.name) == results.coverage
