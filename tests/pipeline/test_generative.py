"""A model is trained on a collection by the command, asked like any engine, updated, and gone with the collection."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from ingest import discover, run
from speechsearch import audio
from speechsearch.cli import app
from speechsearch.domain.errors import CapabilityError, InputError, ModelUnavailableError, NotFoundError
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import Filters, Query
from speechsearch.models.generative_cards import ADDRESSES, MANIFEST, WEIGHTS, folder_of
from speechsearch.service.open import Service, kept_models, new_loader
from speechsearch.service.settings import Settings
from tests.conftest import copy_data

QUESTION = "Why is octopus blood blue?"


def train(data_dir: Path, *words: str) -> str:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SPEECHSEARCH_DATA_DIR", str(data_dir))
        done = CliRunner().invoke(app, ["train", "generative", *words])
        if done.exception:
            raise done.exception
    return done.stdout


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory, library_folder: Path) -> tuple[Path, str]:
    """A data folder with a model of "samples" that learnt too little to be right, and what the command said."""
    folder = copy_data(library_folder, tmp_path_factory.mktemp("generative") / "data")
    return folder, train(folder, "samples", "--tiny")


@pytest.fixture(scope="module")
def asked(learnt: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory):
    """An open service over it that no test changes."""
    settings = Settings(data_dir=copy_data(learnt[0], tmp_path_factory.mktemp("asked") / "data"))
    with Service.open(settings, loader=new_loader(settings)) as opened:
        opened.manage.create_collection("my talks")
        yield opened


@pytest.fixture
def data_dir(learnt: tuple[Path, str], tmp_path: Path) -> Path:
    return copy_data(learnt[0], tmp_path / "data")


@pytest.fixture
def service(data_dir: Path):
    settings = Settings(data_dir=data_dir)
    with Service.open(settings, loader=new_loader(settings)) as opened:
        yield opened


def test_the_command_says_what_was_learnt(learnt: tuple[Path, str]) -> None:
    folder, said = learnt
    assert "different codes" in said and "found first of what was trained on" in said
    model = folder_of(folder / "models", "samples")
    manifest = json.loads((model / MANIFEST).read_text())
    assert f"trained on {manifest['passages']} of {manifest['passages']} passages" in said
    assert len(json.loads((model / ADDRESSES).read_text())) == manifest["passages"] > 6


def test_it_is_an_engine_like_others(asked: Service) -> None:
    assert asked.search.cards()[-1].name == "generative" and asked.search.cards()[-1].is_experimental
    assert asked.search.default() != "generative" != asked.search.baseline()
    results = asked.search.find(Query(QUESTION, top_k=3), "generative")
    assert len(results.hits) == 3 and not results.is_calibrated and results.coverage.is_whole
    assert [hit.score for hit in results.hits] == sorted((hit.score for hit in results.hits), reverse=True)
    assert all(hit.score < 0 and hit.channels[0].channel == "generative" for hit in results.hits)
    compared = asked.search.compare(Query(QUESTION), "hybrid", "generative")
    assert compared.right.engine == "generative" and compared.right.hits


def test_a_spoken_question_is_answered_too(asked: Service) -> None:
    recording = asked.browse.recordings("samples")[0].recording_id
    sound = asked.search.query_audio(asked.library.media(recording))
    assert asked.search.find(Query(audio=sound), "generative").hits


def test_only_what_filters_allow_is_written(asked: Service) -> None:
    recording = asked.browse.recordings("samples")[0].recording_id
    query = Query(QUESTION, top_k=20, filters=Filters(recording_ids=(recording,)))
    results = asked.search.find(query, "generative")
    assert results.hits and {hit.recording.recording_id for hit in results.hits} == {recording}
    assert results.coverage.passages == len(asked.store.passages.of(recording))


def test_a_deleted_recording_is_found_no_more(service: Service) -> None:
    recording = service.browse.recordings("samples")[0].recording_id
    before = service.search.coverage("generative").passages
    gone = service.manage.delete_recording(recording).passages
    results = service.search.find(Query(QUESTION, top_k=100), "generative")
    assert recording not in {hit.recording.recording_id for hit in results.hits}
    assert results.coverage.passages == len(results.hits) == before - gone


def test_what_was_heard_of_a_deleted_recording_is_kept_no_more(service: Service) -> None:
    recording = service.browse.recordings("samples")[0].recording_id
    gone = {one.passage_id for one in service.store.passages.of(recording)}
    training = folder_of(kept_models(service.settings), "samples") / "training"

    def heard() -> set[str]:
        return {name.partition(":")[0] for file in training.glob("pieces-*/*.safetensors") for name in load_file(file)}

    before = heard()
    assert gone and gone < before
    service.manage.delete_recording(recording)
    assert heard() == before - gone


def test_of_another_collection_it_is_refused_with_the_command(asked: Service) -> None:
    with pytest.raises(CapabilityError, match=r"in 'my talks'.*train generative 'my talks'"):
        asked.search.find(Query(QUESTION, filters=Filters(collections=("my talks",))), "generative")


def test_what_is_added_is_learnt_by_an_update(data_dir: Path, chosen_files: Path, tmp_path: Path) -> None:
    settings = Settings(data_dir=data_dir)
    model = folder_of(kept_models(settings), "samples")
    addresses = json.loads((model / ADDRESSES).read_text())
    with pytest.raises(InputError, match="are learnt already"):
        train(data_dir, "samples", "--update", "--tiny")
    (tmp_path / "new").mkdir()
    whole = audio.load(chosen_files / "s015.opus", Limits(), 120.0)
    (tmp_path / "new" / "other.wav").write_bytes(audio.to_wav(whole))
    with Service.open(settings, loader=new_loader(settings)) as service:
        found = discover([tmp_path / "new"], service.limits, tmp_path / "work")
        assert [one.state for one in run(service.manage, found, collection="samples")] == ["indexed"]
        coverage = service.search.coverage("generative")
        assert coverage.passages == len(addresses) < coverage.of_passages
    heard = next((model / "training").glob("pieces-*"))
    save_file({"deleted-meanwhile": torch.zeros(2, 3)}, heard / "0099.safetensors")
    said = train(data_dir, "samples", "--update", "--tiny")
    assert not (heard / "0099.safetensors").exists()
    assert "before: found first" in said and "new: found first" in said
    after = json.loads((model / ADDRESSES).read_text())
    assert {name: after[name] for name in addresses} == addresses and len(after) > len(addresses)
    with Service.open(settings, loader=new_loader(settings)) as service:
        assert service.search.coverage("generative").is_whole
        assert service.search.find(Query(QUESTION), "generative").hits


def test_without_a_model_there_is_no_engine_and_nothing_to_update(library_folder: Path, tmp_path: Path) -> None:
    data_dir = copy_data(library_folder, tmp_path / "data")
    with pytest.raises(NotFoundError, match=r"No model of 'samples' has been trained.*train generative samples"):
        train(data_dir, "samples", "--update")
    with pytest.raises(NotFoundError, match="no collection 'nothing'"):
        train(data_dir, "nothing")
    settings = Settings(data_dir=data_dir)
    with Service.open(settings, loader=new_loader(settings)) as service:
        assert "generative" not in service.search.engines


def test_it_follows_a_rename_and_goes_with_the_collection(service: Service) -> None:
    kept = kept_models(service.settings)
    folder = folder_of(kept, "samples")
    service.manage.change_collection("samples", {}, "talks")
    assert service.search.find(Query(QUESTION, filters=Filters(collections=("talks",))), "generative").hits
    service.manage.delete_collection("talks")
    assert not folder.exists() and folder_of(kept, "talks") is None
    with pytest.raises(CapabilityError, match="has learnt nothing"):
        service.search.find(Query(QUESTION), "generative")


def test_changed_weights_are_refused(data_dir: Path) -> None:
    settings = Settings(data_dir=data_dir)
    folder = folder_of(kept_models(settings), "samples")
    weights = load_file(folder / WEIGHTS)
    save_file({name: one * 1.01 for name, one in weights.items()}, folder / WEIGHTS)
    with (
        Service.open(settings, loader=new_loader(settings)) as service,
        pytest.raises(ModelUnavailableError, match="is not the file of the passage generator"),
    ):
        service.search.find(Query(QUESTION), "generative")


def test_a_damaged_list_leaves_the_others_engines(data_dir: Path) -> None:
    settings = Settings(data_dir=data_dir)
    (folder_of(kept_models(settings), "samples") / ADDRESSES).write_text("{}")
    with Service.open(settings, loader=new_loader(settings)) as service:
        assert "generative" not in service.search.engines and service.search.find(Query(QUESTION), "hybrid").hits
