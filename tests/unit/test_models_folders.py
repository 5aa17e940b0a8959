"""Models of a user's own: what a folder holds its files tell; what is not understood is told and stops nothing."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from speechsearch.cli_models import list_models
from speechsearch.domain.errors import CapabilityError, ModelUnavailableError
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from speechsearch.models import folders
from speechsearch.models.catalog import Catalog, catalog
from speechsearch.models.folders import FolderCatalog, with_folder
from speechsearch.models.load import ModelLoader
from speechsearch.models.onnx_asr_cards import ONNX_ASR, files_of, kind_of
from speechsearch.models.qwen3_asr import Qwen3AsrRecognizer
from speechsearch.models.transformers_asr import TransformersRecognizer
from speechsearch.models.transformers_cards import QWEN3_ASR, QWEN3_LANGUAGES, factory_of
from speechsearch.service.open import known_catalog, new_loader
from speechsearch.service.settings import ModelSettings, Settings
from tests.tiny import checkpoints, onnx_asr, speaker

RECOGNIZERS = Path(__file__).parents[2] / "requirements-recognizers.txt"

SOUND = Audio(np.sin(np.arange(2 * SAMPLE_RATE_HZ) ** 1.2 / 900).astype(np.float32) / 3)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two models, as a user has them."""
    folder = tmp_path_factory.mktemp("models")
    checkpoints.WAV2VEC2.save(folder / "letters")
    onnx_asr.CTC.save(folder / "graphs-int8")
    return folder


def test_a_folder_with_a_graph_and_no_config_is_a_speaker_encoder(tmp_path: Path) -> None:
    speaker.save(tmp_path / "models" / "voices")
    known = known_catalog(Settings(data_dir=tmp_path / "data", models=ModelSettings(folder=str(tmp_path / "models"))))
    assert isinstance(known, FolderCatalog) and known.refused == {}
    card = known.catalog.get("speaker encoder", "voices")
    loader = ModelLoader(known.catalog, tmp_path / "models", device="cpu")
    assert loader.speaker_encoder("voices").encode([SOUND]).shape == (1, card.dim)
    (tmp_path / "models" / "voices" / "other.onnx").write_bytes(b"x")
    assert "has 2 ONNX graphs instead of one" in refused(tmp_path / "models")["voices"]


def own(made: Path, tmp_path: Path, *names: str) -> Path:
    """A copy of some of the models, to be changed."""
    for name in names:
        shutil.copytree(made / name, tmp_path / "models" / name)
    (tmp_path / "models").mkdir(exist_ok=True)
    return tmp_path / "models"


def refused(folder: Path) -> dict[str, str]:
    return dict(with_folder(Catalog(), folder).refused)


def test_a_folder_is_a_model_by_its_name_and_nothing_else_is_typed(made: Path, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", models=ModelSettings(folder=str(made), device="cpu"))
    known = known_catalog(settings)
    assert isinstance(known, FolderCatalog) and known.refused == {}
    names = {card.name for card in known.catalog.of("recognizer")}
    assert names - {card.name for card in catalog().of("recognizer")} == {"letters", "graphs-int8"}
    loader = new_loader(settings)
    for name in ("letters", "graphs-int8"):
        assert loader.recognizer(name).transcribe([SOUND])[0].recognizer == name


def test_models_list_says_why_a_folder_is_no_model(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = own(made, tmp_path, "letters")
    (folder / "holiday").mkdir()
    monkeypatch.setenv("SPEECHSEARCH_MODELS__FOLDER", str(folder))
    monkeypatch.setenv("SPEECHSEARCH_DATA_DIR", str(tmp_path / "data"))
    list_models()
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("letters  (recognizer")]
    (said,) = [line for line in lines if line.startswith("holiday  ")]
    assert "is no model)" in said and "config.json" in said


def test_a_readme_of_the_hub_says_licence_and_languages(made: Path, tmp_path: Path) -> None:
    folder = own(made, tmp_path, "letters", "graphs-int8")
    (folder / "letters" / "README.md").write_text(
        "---\nlicense: cc-by-4.0\nlanguage:\n- DE\n- multilingual\n---\n# Hi\n"
    )
    (folder / "graphs-int8" / "README.md").write_text("---\n[not yaml: {\n---\n")
    found = with_folder(Catalog(), folder).catalog
    card = found.get("recognizer", "letters")
    assert (card.licence, card.languages) == ("cc-by-4.0", ("de",))
    assert found.get("recognizer", "graphs-int8").licence == "unknown"


def test_what_is_no_model_is_told_with_the_reason(made: Path, tmp_path: Path) -> None:
    folder = own(made, tmp_path, "letters", "graphs-int8")
    for name, files in {
        "empty": {},
        "no json": {"config.json": "{"},
        "a-list": {"config.json": "[1]"},
        "llama": {"config.json": json.dumps({"model_type": "llama", "architectures": ["LlamaForCausalLM"]})},
        "thinker": {"config.json": json.dumps({"model_type": "qwen3_asr", "thinker_config": {}})},
        "pickled": {"config.json": json.dumps({"architectures": ["HubertForCTC"]}), "pytorch_model.bin": "x"},
        "half": {"config.json": "{}", "encoder-model.onnx": "x"},
        "ct2": {"model.bin": "x"},
        "whisper-small": {"model.bin": "x"},
        ".hidden": {},
    }.items():
        (folder / name).mkdir()
        for file, content in files.items():
            (folder / name / file).write_text(content)
    (folder / "notes.txt").write_text("no folder")
    known = with_folder(catalog(), folder)
    assert {"letters", "graphs-int8"} <= {card.name for card in known.catalog.of("recognizer")}
    reasons = known.refused
    assert set(reasons) == {"empty", "no json", "a-list", "llama", "thinker", "pickled", "half", "ct2"}
    assert "no weights in safetensors" in reasons["llama"] and "-hf" in reasons["thinker"]
    assert "never read" in reasons["pickled"] and "not all files of any of" in reasons["half"]
    assert "no config.json" in reasons["ct2"] and "config.json" in reasons["empty"]


def test_a_name_that_cannot_be_one_is_refused(made: Path, tmp_path: Path) -> None:
    folder = own(made, tmp_path, "letters")
    (folder / "letters").rename(folder / "my letters")
    assert refused(folder) == {"my letters": "The card of the recognizer 'my letters' has a wrong name."}


def test_files_that_did_not_change_are_read_once(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, kept = own(made, tmp_path, "letters"), tmp_path / "kept"
    read: list[str] = []
    sha256 = folders.sha256_of
    monkeypatch.setattr(folders, "sha256_of", lambda path: read.append(path.name) or sha256(path))
    first = with_folder(Catalog(), folder, kept).catalog.cards
    count = len(read)
    assert count == len(first[0].files) and with_folder(Catalog(), folder, kept).catalog.cards == first
    assert len(read) == count
    (folder / "letters" / "vocab.json").write_text("{}")
    assert with_folder(Catalog(), folder, kept).catalog.cards != first and len(read) == count + 1
    (kept / "digests.json").write_text("[broken")
    tasks = [card.task for card in with_folder(Catalog(), folder, kept).catalog.cards]
    assert tasks == ["recognizer", "frame encoder"]


def test_weights_that_are_damaged_or_lack_parts_are_no_model(made: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = own(made, tmp_path, "letters", "graphs-int8")
    path = folder / "letters" / "model.safetensors"
    weights = load_file(path)
    save_file({name: one for name, one in weights.items() if "lm_head" not in name}, path, {"format": "pt"})
    (folder / "graphs-int8" / "model.int8.onnx").write_bytes(b"no graph")
    found = with_folder(Catalog(), folder).catalog
    loader = ModelLoader(found, folder, device="cpu", dtype="float32")
    with pytest.raises(ModelUnavailableError, match=r"'letters' cannot be loaded: its weights lack lm_head\.bias"):
        loader.recognizer("letters").transcribe([SOUND])
    with pytest.raises(ModelUnavailableError, match="'graphs-int8' cannot be loaded"):
        loader.recognizer("graphs-int8").transcribe([SOUND])
    path.write_bytes(b"\0" * 20)
    damaged = ModelLoader(with_folder(Catalog(), folder).catalog, folder, device="cpu", dtype="float32")
    with pytest.raises(ModelUnavailableError, match="'letters' cannot be loaded"):
        damaged.recognizer("letters").transcribe([SOUND])


@pytest.mark.parametrize("family", [checkpoints.PARAKEET_CTC, checkpoints.MOONSHINE, checkpoints.QWEN3, onnx_asr.TDT])
def test_several_windows_at_once_give_the_same_text(family: checkpoints.Family, tmp_path: Path) -> None:
    card = family.save(tmp_path / family.CARD.name)
    loader = ModelLoader(Catalog([card]), tmp_path, device="cpu", dtype="float32")
    sounds = [Audio(SOUND.samples[:length]) for length in (32_000, 9_000, 30_000, 20_000, 9_500)]
    model = loader.model("recognizer", card.name)
    if isinstance(family, onnx_asr.Family):
        model._batch_windows = 4
    elif family is checkpoints.QWEN3:
        model = Qwen3AsrRecognizer(replace(model._checkpoint, batch_windows=4))
    else:
        one = model._family
        model = TransformersRecognizer(replace(one, checkpoint=replace(one.checkpoint, batch_windows=4)))
    together = model.transcribe(sounds)
    assert [one.text for one in together] == [model.transcribe([sound])[0].text for sound in sounds]
    assert all(
        word.end_s <= sound.duration_s for one, sound in zip(together, sounds, strict=True) for word in one.words
    )


def test_canary_translates_and_parakeet_says_that_it_does_not(tmp_path: Path) -> None:
    cards = [family.save(tmp_path / family.CARD.name) for family in (onnx_asr.AED, onnx_asr.CTC)]
    loader = ModelLoader(Catalog(cards), tmp_path, device="cpu", dtype="float32")
    canary = loader.model("recognizer", cards[0].name)
    german, english = (canary.transcribe([SOUND], language)[0] for language in ("de", None))
    assert (german.language, english.language) == ("de", "en")
    assert canary.translate([SOUND], "de")[0].language == "de"
    open_card = replace(cards[0], name="open", languages=())
    with pytest.raises(CapabilityError, match="'open' does not know the language 'fr'"):
        type(canary)(open_card, canary._model, 1).transcribe([SOUND], "fr")
    with pytest.raises(CapabilityError, match="does not translate"):
        loader.model("recognizer", cards[1].name).translate([SOUND])


def test_the_cards_of_the_hub_name_whole_sets_of_files() -> None:
    for card in ONNX_ASR:
        names = [file.name for file in card.files]
        assert names == files_of(kind_of(names, ["nemo-conformer-tdt"]), names, is_int8=True)
        assert all(file.sources for file in card.files) and card.package == "onnx-asr"
        assert card.pip_line.removeprefix("python -m pip install ") in RECOGNIZERS.read_text(encoding="utf-8").split()
    for card in QWEN3_ASR:
        assert card.files[0].name == "model.safetensors" and card.takes_hotwords and not card.package


def test_qwen3_knows_the_languages_that_its_code_names() -> None:
    from transformers.models.qwen3_asr.processing_qwen3_asr import LANGUAGE_CODE_TO_NAME

    assert set(QWEN3_LANGUAGES) == set(LANGUAGE_CODE_TO_NAME)


def test_a_transducer_is_told_from_others() -> None:
    assert factory_of({"architectures": ["ParakeetForTDT"]}).endswith(":load_transducer")
    assert factory_of({"model_type": "moonshine"}).endswith(":load_seq2seq")
    with pytest.raises(ValueError, match="nothing known"):
        factory_of({})
