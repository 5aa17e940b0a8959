"""Adding a model: one file, one card. Each tiny model goes the whole way from a file of sound to an answer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ingest import discover, run
from speechsearch.domain.values import Query
from speechsearch.models.catalog import catalog
from speechsearch.models.load import ModelLoader
from speechsearch.service.open import Service
from speechsearch.service.settings import EngineSettings, Settings
from tests.tiny.cards import tiny_loader

TINY = {"encoder": "tiny-whisper", "text_encoder": "tiny-bert", "recognizer": "tiny-wav2vec2"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ModelLoader:
    return tiny_loader(tmp_path_factory.mktemp("models"))


@pytest.fixture
def two_files(chosen_files: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "two"
    folder.mkdir()
    for file in sorted(chosen_files.glob("*.opus"))[:2]:
        shutil.copyfile(file, folder / file.name)
    return folder


@pytest.mark.parametrize(
    ("changed", "engines"),
    [
        ({}, ["all", "hybrid", "adapter", "asr"]),
        ({"encoder": "tiny-hubert"}, ["all", "hybrid", "adapter", "asr"]),
        ({"recognizer": "none"}, ["hybrid", "adapter"]),
    ],
    ids=["whisper, bert with prompts, wav2vec2", "hubert", "no recogniser"],
)
def test_a_new_model_goes_the_whole_way(
    changed: dict[str, str], engines: list[str], tiny: ModelLoader, two_files: Path, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path / "data", engines=EngineSettings(**(TINY | changed)))
    with Service.open(settings, loader=tiny) as service:
        found = discover([two_files], service.limits, tmp_path / "work")
        assert [one.state for one in run(service.manage, found, collection="talks")] == ["indexed"] * 2
        assert list(service.manage.catch_up()) == [] == service.manage.missing() == service.browse.differences()
        assert [card.name for card in service.search.cards()] == engines
        for engine in engines:
            results = service.search.find(Query("a bridge", top_k=3), engine)
            assert results.coverage.is_whole and results.coverage.of_passages >= 2
            assert results.is_calibrated is False  # nothing was learnt about these models, and another's is not taken
            assert {hit.likelihood for hit in results.hits} <= {None}
        sound = service.search.find(Query("a bridge", top_k=3), "hybrid")
        assert [hit.channels[0].channel for hit in sound.hits][:1] == ["adapter"]
    with Service.open(settings, loader=tiny) as again:
        assert again.manage.missing() == []


def test_whisper_is_the_recogniser_unless_another_is_wanted(chosen_files: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    shutil.copyfile(chosen_files / "s015.opus", tmp_path / "one" / "s015.opus")
    loader = ModelLoader(catalog(), device="cpu", cache_dir=tmp_path / "joined")
    with Service.open(Settings(data_dir=tmp_path / "data", engines=EngineSettings()), loader=loader) as service:
        found = discover([tmp_path / "one"], service.limits, tmp_path / "work")
        assert [one.state for one in run(service.manage, found, collection="talks")] == ["indexed"]
        assert list(service.manage.catch_up()) == [] == service.manage.missing()
        results = service.search.find(Query("Why is octopus blood blue?", top_k=1), "asr")
        assert results.recognizer == "whisper-base" and results.coverage.is_whole
        assert "copper" in results.hits[0].transcript and "." in results.hits[0].transcript
        assert results.hits[0].likelihood is not None  # learnt about the scores of its transcripts


PLUG_IN = """
from dataclasses import replace
from speechsearch.domain.values import ChannelRank
from speechsearch.retrieval.engine_cards import EngineCard
from speechsearch.retrieval.engines import single
from speechsearch.retrieval.retriever import RankedPassage, Ranking

CARD = EngineCard("backwards", "Backwards", "The worst first.", "sound", ("adapter",), "speechsearch_backwards:make",
                  ("#000000", "#ffffff"))


class Backwards:
    name = "backwards"

    def __init__(self, inner):
        self.inner = inner

    def retrieve(self, query, limit):
        ranking = self.inner.retrieve(query, 1000)
        return replace(ranking, passages=ranking.passages[::-1][:limit])


def make(parts):
    return Backwards(single(parts))
"""
ASK = """
import sys
from pathlib import Path
from speechsearch.domain.limits import Segmentation
from speechsearch.domain.values import Query
from tests.tiny.fakes import FakeLoader, open_fakes

with open_fakes(Path(sys.argv[1]), FakeLoader(), Segmentation()) as service:
    best = service.search.find(Query("Why is octopus blood blue?", top_k=200), "adapter").hits
    worst = service.search.find(Query("Why is octopus blood blue?", top_k=200), "backwards").hits
    print([hit.passage.passage_id for hit in best] == [hit.passage.passage_id for hit in worst][::-1], len(best) > 5)
"""


def test_an_engine_comes_in_a_package_of_its_own(fake_settings: Settings, tmp_path: Path) -> None:
    site = tmp_path / "site"
    metadata = site / "speechsearch_backwards-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / "speechsearch_backwards.py").write_text(PLUG_IN, encoding="utf-8")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: speechsearch-backwards\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[speechsearch.engines]\nmine = speechsearch_backwards:CARD\n")
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(root)])}
    command = [sys.executable, "-c", ASK, str(fake_settings.data_dir)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stdout.strip() == "True True", done.stderr
