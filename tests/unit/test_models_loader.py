"""The loader: where files are looked for, what is refused, when a model is loaded and let go of."""

from __future__ import annotations

import gc
import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import huggingface_hub
import numpy as np
import psutil
import pytest

from speechsearch.domain.errors import MissingDependencyError, ModelUnavailableError, NotFoundError
from speechsearch.domain.values import Audio, Transcript
from speechsearch.models import files
from speechsearch.models.card import ModelCard, ModelFile, OnHub, Packaged, Part, Source
from speechsearch.models.catalog import Catalog
from speechsearch.models.load import Located, ModelLoader, give_back_memory

WORDS = b"never say never"
SHA256 = hashlib.sha256(WORDS).hexdigest()
SOUND = [Audio(np.zeros(1, np.float32))]
HUB = OnHub("someone/words", "0" * 40, "words.txt")
PACKAGE = Packaged((Part("speechsearch-words", "1.0", "words/words.txt"),))
PARTS = Packaged(tuple(Part("speechsearch-words", "1.0", f"words/part{number}") for number in (1, 2)))


class Writer:
    """A recogniser that writes what its file says."""

    def __init__(self, located: Located) -> None:
        self.located, self.name = located, located.card.name
        self.fingerprint = located.card.fingerprint

    def transcribe(self, sounds: list[Audio], language: str | None = None) -> list[Transcript]:
        text = self.located.files["words.txt"].read_text()
        return [Transcript(text, self.name) for _ in sounds]


def card(*sources: Source, **changes: object) -> ModelCard:
    made = ModelCard(
        name="writer", task="recognizer", factory="speechsearch_test_writer:load", summary="", licence="MIT",
        files=(ModelFile("words.txt", SHA256, sources),),
    )  # fmt: skip
    return replace(made, **changes)


@pytest.fixture
def factory(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Located]]:
    """A module with the factory; what it was given, in order."""
    made: list[Located] = []

    def load(located: Located) -> Writer:
        time.sleep(0.02)  # other threads shall come in meanwhile
        made.append(located)
        return Writer(located)

    module = ModuleType("speechsearch_test_writer")
    module.load = load  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    yield made


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package speechsearch-words that holds the file whole and in two parts."""
    site = tmp_path / "site"
    (site / "words").mkdir(parents=True)
    (site / "words" / "words.txt").write_bytes(WORDS)
    (site / "words" / "part1").write_bytes(WORDS[:6])
    (site / "words" / "part2").write_bytes(WORDS[6:])
    metadata = site / "speechsearch_words-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: speechsearch-words\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(site))
    return site / "words"


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[tuple[object, ...]]]:
    """A hub that nobody reaches: what is asked of its cache and of itself; both have nothing."""
    asked: dict[str, list[tuple[object, ...]]] = {"cache": [], "download": []}

    def cached(repository: str, path: str, *, revision: str) -> None:
        asked["cache"].append((repository, path, revision))

    def download(repository: str, path: str, *, revision: str, local_dir: Path | None) -> str:
        asked["download"].append((repository, path, revision))
        (tmp_path / "downloaded").write_bytes(WORDS)
        return str(tmp_path / "downloaded")

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", cached)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    return asked


def loader(*cards: ModelCard, **options: object) -> ModelLoader:
    return ModelLoader(Catalog(cards), device="cpu", dtype="float32", **options)  # type: ignore[arg-type]


def written(*cards: ModelCard, **options: object) -> str:
    return loader(*cards, **options).recognizer("writer").transcribe(SOUND)[0].text


def own_file(folder: Path, content: bytes = WORDS) -> Path:
    (folder / "writer").mkdir(parents=True)
    (folder / "writer" / "words.txt").write_bytes(content)
    return folder


def test_the_users_folder_is_looked_into_first(factory: list[Located], package: Path, tmp_path: Path) -> None:
    assert written(card(PACKAGE, HUB), folder=own_file(tmp_path / "own")) == WORDS.decode()
    assert factory[-1].files == {"words.txt": tmp_path / "own" / "writer" / "words.txt"}
    assert written(card(PACKAGE, HUB), folder=tmp_path / "empty") == WORDS.decode()
    assert factory[-1].files == {"words.txt": package / "words.txt"}


def test_a_file_in_parts_is_joined_once(factory: list[Located], package: Path, tmp_path: Path) -> None:
    whole = tmp_path / "cache" / "writer" / "words.txt"
    assert written(card(PARTS), cache_dir=tmp_path / "cache") == WORDS.decode()
    assert factory[-1].files == {"words.txt": whole} and [*whole.parent.iterdir()] == [whole]
    before = whole.stat().st_mtime_ns
    written(card(PARTS), cache_dir=tmp_path / "cache")
    assert whole.stat().st_mtime_ns == before
    whole.write_bytes(b"half")
    assert written(card(PARTS), cache_dir=tmp_path / "cache") == WORDS.decode()


def test_joined_parts_lie_in_a_folder_that_goes_with_the_loader(factory: list[Located], package: Path) -> None:
    made = loader(card(PARTS))
    made.recognizer("writer").transcribe(SOUND)
    joined = factory[-1].files["words.txt"]
    assert joined.read_bytes() == WORDS
    del made
    factory.clear()
    gc.collect()
    assert not joined.exists()


def test_a_wrong_file_is_refused_with_both_sums(factory: list[Located], package: Path, tmp_path: Path) -> None:
    other = hashlib.sha256(b"other words").hexdigest()
    folder = own_file(tmp_path / "own", b"other words")
    with pytest.raises(ModelUnavailableError, match=f"its sha256 is {other}, not {SHA256}"):
        written(card(PACKAGE), folder=folder)
    (package / "part2").write_bytes(b"")
    with pytest.raises(ModelUnavailableError, match=f"not {SHA256}"):
        written(card(PARTS))
    assert factory == []


def test_a_file_is_hashed_once_while_it_does_not_change(
    factory: list[Located], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    original = hashlib.file_digest
    monkeypatch.setattr(files.hashlib, "file_digest", lambda file, name: read.append(name) or original(file, name))
    folder = own_file(tmp_path / "own")
    for _ in range(3):
        written(card(), folder=folder)
    assert len(read) == 1
    (folder / "writer" / "words.txt").write_bytes(b"changed words, of another length")
    with pytest.raises(ModelUnavailableError, match="its sha256 is"):
        written(card(), folder=folder)


def test_what_is_missing_says_how_to_get_it(factory: list[Located], tmp_path: Path) -> None:
    line = r"Run: python -m pip install --no-deps speechsearch-words==1\.0"
    with pytest.raises(MissingDependencyError, match=line):
        written(card(PACKAGE))
    with pytest.raises(MissingDependencyError, match=f"{line}; or put it into .*writer; or download it: python -m"):
        written(card(PACKAGE, HUB), folder=tmp_path)
    with pytest.raises(ModelUnavailableError, match=r"not on this machine\. Download it: python -m"):
        written(card(HUB))
    with pytest.raises(ModelUnavailableError, match="Set a folder of models"):
        written(card())
    absent = card(package="no-such-package")
    with pytest.raises(MissingDependencyError, match="python -m pip install no-such-package"):
        written(absent)
    with pytest.raises(MissingDependencyError, match="cannot be imported: No module named 'no_such_module'"):
        written(card(factory="no_such_module:load"), folder=own_file(tmp_path / "own"))


def test_the_hub_is_asked_last_and_only_when_allowed(
    factory: list[Located], tmp_path: Path, hub: dict[str, list[tuple[object, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = (HUB.repository, HUB.path, HUB.revision)
    assert written(card(PACKAGE, HUB), may_download=True) == WORDS.decode()
    assert hub == {"cache": [asked], "download": [asked]}
    cached = tmp_path / "cached"
    cached.write_bytes(WORDS)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *names, revision: str(cached))
    assert written(card(PACKAGE, HUB)) == WORDS.decode()
    assert factory[-1].files == {"words.txt": cached} and len(hub["download"]) == 1


def test_what_is_within_reach_is_told_without_reading_it(package: Path, tmp_path: Path) -> None:
    def reaches(*sources: Source, **options: object) -> bool:
        return loader(card(*sources), **options).is_within_reach("recognizer", "writer")

    assert reaches(PACKAGE) and not reaches(Packaged((Part("speechsearch-other", "1.0", "words.txt"),)))
    assert reaches(HUB, may_download=True) and not reaches(HUB)
    assert reaches(HUB, folder=own_file(tmp_path / "own", b"another"))
    needing = card(PACKAGE, needs=(("text encoder", "far"),))
    far = card(HUB, name="far", task="text encoder", dim=2)
    assert not loader(needing, far).is_within_reach("recognizer", "writer")


def test_a_download_that_fails_says_so(factory: list[Located], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*names: str, revision: str, local_dir: Path | None) -> str:
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    with pytest.raises(ModelUnavailableError, match=r"words\.txt of someone/words cannot be downloaded: no route"):
        written(card(HUB), may_download=True)


def test_eight_threads_load_a_model_once_and_not_before_it_is_used(factory: list[Located], tmp_path: Path) -> None:
    made = loader(card(), folder=own_file(tmp_path / "own"))
    recognizers = [made.recognizer("writer") for _ in range(8)]
    assert factory == [] and recognizers[0].fingerprint == f"writer-{SHA256[:16]}"
    barrier = threading.Barrier(8)

    def work(number: int) -> list[Transcript]:
        barrier.wait()
        return recognizers[number].transcribe(SOUND)

    with ThreadPoolExecutor(8) as threads:
        texts = {found[0].text for found in threads.map(work, range(8))}
    assert texts == {WORDS.decode()} and len(factory) == 1


def test_idle_models_go_and_come_back(factory: list[Located], tmp_path: Path) -> None:
    now_s = [0.0]
    made = loader(card(), folder=own_file(tmp_path / "own"), clock=lambda: now_s[0])
    recognizer = made.recognizer("writer")
    recognizer.transcribe(SOUND)
    now_s[0] = 59
    assert made.release_idle(60) == [] and len(factory) == 1
    now_s[0] = 60
    assert made.release_idle(60) == [card()]
    assert made.release_idle(60) == []
    assert recognizer.transcribe(SOUND)[0].text == WORDS.decode()
    assert len(factory) == 2


def test_a_model_in_use_is_never_let_go_of(factory: list[Located], tmp_path: Path) -> None:
    made = loader(card(), folder=own_file(tmp_path / "own"))
    model = made.model("recognizer", "writer")
    seen: list[list[ModelCard]] = []
    model.transcribe = lambda sounds, language: seen.append(made.release_idle(0)) or []
    made.recognizer("writer").transcribe(SOUND)
    assert seen == [[]]
    assert made.release_idle(0) == [card()]


def test_what_a_model_needs_is_loaded_with_it_shared_and_kept_as_long(factory: list[Located], tmp_path: Path) -> None:
    now_s = [0.0]
    above = card(name="above", needs=(("recognizer", "writer"),))
    folder = own_file(tmp_path / "own")
    own_file(tmp_path / "own" / "above").joinpath("writer", "words.txt").rename(folder / "above" / "words.txt")
    made = loader(card(), above, folder=folder, clock=lambda: now_s[0])
    model = made.model("recognizer", "above")
    assert [one.card.name for one in factory] == ["writer", "above"]
    assert model.located.needed == {"writer": made.model("recognizer", "writer")}
    now_s[0] = 100
    made.recognizer("above").transcribe(SOUND)
    now_s[0] = 130
    assert made.release_idle(60) == []  # who uses "above" uses "writer"
    now_s[0] = 160
    assert {one.name for one in made.release_idle(60)} == {"above", "writer"}
    made.recognizer("above").transcribe(SOUND)
    assert made.model("recognizer", "above").located.needed == {"writer": made.model("recognizer", "writer")}
    assert len(factory) == 4


def test_what_is_needed_must_be_there_and_not_the_model_itself(factory: list[Located], tmp_path: Path) -> None:
    folder = own_file(tmp_path / "own")
    with pytest.raises(NotFoundError, match="no text encoder 'absent'"):
        written(card(needs=(("text encoder", "absent"),)), folder=folder)
    with pytest.raises(ModelUnavailableError, match="'writer' needs itself"):
        written(card(needs=(("recognizer", "writer"),)), folder=folder)


def test_a_factory_gets_the_device(factory: list[Located], tmp_path: Path) -> None:
    made = loader(card(), folder=own_file(tmp_path / "own"))
    located = made.model("recognizer", "writer").located
    assert (located.card, located.device, located.needed) == (card(), made.device, {})


@pytest.mark.skipif(sys.platform != "linux", reason="the allocators of other systems keep less")
def test_what_is_let_go_of_goes_back_to_the_system() -> None:
    process = psutil.Process()
    held = [b"x" * 60_000 for _ in range(3000)]
    kept = b"x" * 60_000  # behind the others, so that nothing goes back by itself
    del held
    before = process.memory_info().rss
    give_back_memory()
    assert before - process.memory_info().rss > 100e6 and len(kept) == 60_000


@pytest.mark.parametrize("given", ["", "7"])
@pytest.mark.parametrize(("name", "little"), [("LRU_CACHE_CAPACITY", "16"), ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")])
def test_little_is_kept_of_what_is_made_for_each_length_of_sound(name: str, little: str, given: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != name} | ({name: given} if given else {})
    code = f"import os, speechsearch; print(os.environ['{name}'])"
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == (given or little)
