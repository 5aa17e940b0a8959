"""Exported collections that come back: with files of any name, and with files that are not as they were."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingest import FileResult, discover, run
from ingest.watch import Watch
from speechsearch.domain.assets import SAMPLES
from speechsearch.service.open import Service
from tests.tiny.fakes import FakeLoader, open_fakes

NAMES = ("Talk of May", "tape.07", "third.opus")
"""The second and third have given transcripts."""


def ingest(service: Service, *paths: Path) -> list[FileResult]:
    return list(run(service.manage, discover(paths, service.limits, service.data_dir / "work"), collection="talks"))


def packed(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return target


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A bag with three recordings, two of whose names have no ending of sound."""
    folder = tmp_path_factory.mktemp("exported")
    with open_fakes(folder / "data", FakeLoader()) as service:
        for name, sample in zip(NAMES, ("s004", "s015", "s027"), strict=True):
            shutil.copyfile(SAMPLES / "audio" / f"{sample}.opus", folder / name)
        for name in ("tape.srt", "third.srt"):
            (folder / name).write_text("1\n00:00:00,500 --> 00:00:03,000\nA zeppelin.\n")
        assert {one.state for one in ingest(service, *(folder / name for name in NAMES))} == {"indexed"}
        service.export.to_folder("talks", folder / "bag")
    yield folder / "bag"


@pytest.fixture
def bag(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "bag"))


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_recordings_of_any_name_come_back(bag: Path, tmp_path: Path, kind: str) -> None:
    source = bag if kind == "folder" else packed(bag, tmp_path / "bag.zip")
    with open_fakes(tmp_path / "again", FakeLoader()) as service:
        results = ingest(service, source)
        assert [one.state for one in results] == ["indexed"] * 3, results
        found = {one.file_name: service.store.given.of(one.recording_id) for one in service.browse.recordings()}
        assert set(found) == set(NAMES)
        assert [bool(found[name].captions) for name in NAMES] == [False, True, True]


def test_recordings_of_any_name_are_seen_in_a_watched_folder(bag: Path, tmp_path: Path) -> None:
    watch = Watch(bag.parent, tmp_path.parent / "elsewhere", 0.0)
    assert {path.name for path in watch.look(1.0).sounds} == set(NAMES)


def other_sound(bag: Path) -> None:
    shutil.copyfile(SAMPLES / "audio" / "s031.opus", bag / "data" / "audio" / "third.opus")


def other_words(bag: Path) -> None:
    (bag / "data" / "audio" / "third.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nA balloon.\n")


def other_title(bag: Path) -> None:
    table = bag / "data" / "metadata.csv"
    table.write_text(table.read_text().replace(",tape,", ",Tape seven,"))


def gone(bag: Path) -> None:
    (bag / "data" / "audio" / "third.opus").unlink()


@pytest.mark.parametrize("kind", ["folder", "zip"])
@pytest.mark.parametrize(
    ("change", "states", "said"),
    [
        (other_sound, ["indexed", "indexed", "failed"], "'third.opus' is not as it was exported: its sha256 is "),
        (other_words, ["indexed"] * 3, "'third.srt' beside it is not as it was exported: its sha256 is "),
        (other_title, ["indexed"] * 3, "data/metadata.csv' is not as it was exported: its sha256 is "),
        (gone, ["indexed", "indexed", "failed"], "data/audio/third.opus' is missing: manifest-sha256.txt names it."),
    ],
)
def test_what_is_not_as_it_was_exported_is_named(
    bag: Path, tmp_path: Path, kind: str, change: Callable[[Path], None], states: list[str], said: str
) -> None:
    change(bag)
    source = bag if kind == "folder" else packed(bag, tmp_path / "bag.zip")
    with open_fakes(tmp_path / "again", FakeLoader()) as service:
        results = ingest(service, source)
        assert [one.state for one in results if one.state != "warning"] == states, results
        assert [one for one in results if said in one.message], results


def test_what_was_changed_on_purpose_is_taken_without_the_manifest(bag: Path, tmp_path: Path) -> None:
    other_sound(bag)
    (bag / "manifest-sha256.txt").unlink()
    with open_fakes(tmp_path / "again", FakeLoader()) as service:
        assert [one.state for one in ingest(service, bag)] == ["indexed"] * 3
