"""Datasets on the disk; the network stays silent."""

import gc
import io
import json
import socket
import sys
import tarfile

import numpy as np
import pytest
import soundfile

from ingest import Rejected, Source, dataset_sources
from ingest.hub import hub_sources
from speechsearch.domain.errors import InputError, NotFoundError, TooLargeError
from speechsearch.domain.limits import Limits

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def sound(frequency_hz: float) -> bytes:
    stream = io.BytesIO()
    samples = 0.3 * np.sin(2 * np.pi * frequency_hz * np.arange(1600) / 16_000)
    soundfile.write(stream, samples, 16_000, format="WAV")
    return stream.getvalue()


SOUNDS = [sound(frequency_hz) for frequency_hz in (200, 300, 400)]


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path):
    asked = []

    def refuse(*arguments, **_):
        asked.append(arguments)
        raise OSError("a test asked the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    yield
    assert not asked


def table(path, **columns):
    parquet.write_table(pyarrow.table(columns), path)
    return path


def embedded(paths=("a.wav", "b.wav", "c.wav"), sounds=SOUNDS):
    return [{"bytes": content, "path": path} for content, path in zip(sounds, paths, strict=True)]


def take(name, tmp_path, limits=None, **options):
    """Go through a dataset as the pipeline does; return what it found and what each recording held."""
    work = tmp_path / "work"
    selection = dataset_sources(str(name), workspace=work, limits=limits or Limits(), **options)
    found, contents = [], []
    for one in selection:
        found.append(one)
        contents.append(one.path.read_bytes() if isinstance(one, Source) else b"")
    assert not list(work.iterdir())
    return found, contents


@pytest.mark.parametrize("is_folder", [True, False])
@pytest.mark.parametrize("streaming", [True, False])
def test_parquet_gives_its_sound_and_what_is_known(tmp_path, is_folder, streaming):
    folder = tmp_path / "talks"
    folder.mkdir()
    path = table(
        folder / "train.parquet",
        audio=embedded(),
        title=["One", "Two", None],
        speaker_id=[7, 8, 9],
        locale=["en", "en", "cs"],
        license=["CC0"] * 3,
        weather=["rain"] * 3,
    )
    found, contents = take(folder if is_folder else path, tmp_path, streaming=streaming)
    assert contents == SOUNDS
    assert [one.file_name for one in found] == ["a.wav", "b.wav", "c.wav"]
    about = [one.description for one in found]
    assert [one.title for one in about] == ["One", "Two", ""]
    assert (about[2].speaker, about[2].language, about[2].licence) == ("9", "cs", "CC0")
    assert about[0].source == f"{folder.name if is_folder else path.name}, train"


@pytest.fixture
def no_torchcodec(monkeypatch):
    """As if torchcodec were not installed, which needs the libraries of ffmpeg."""
    for name in ("torchcodec", "torchcodec.encoders", "torchcodec.decoders"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr("datasets.config.TORCHCODEC_AVAILABLE", False)


def test_an_archive_of_samples_is_read_without_another_decoder(tmp_path, no_torchcodec):
    folder = tmp_path / "shards"
    folder.mkdir()
    with tarfile.open(folder / "train-0.tar", "w") as archive:
        for number, content in enumerate(SOUNDS):
            for name, part in ((f"{number}.wav", content), (f"{number}.json", json.dumps({"speaker": "Ann"}).encode())):
                entry = tarfile.TarInfo(name)
                entry.size = len(part)
                archive.addfile(entry, io.BytesIO(part))
    _, contents = take(folder, tmp_path)
    assert contents == SOUNDS


@pytest.mark.filterwarnings("ignore:.*metadata.csv:pytest.PytestUnraisableExceptionWarning")  # the library's
def test_an_audiofolder_is_read_in_place_with_its_metadata(tmp_path, no_torchcodec):
    folder = tmp_path / "talks"
    folder.mkdir()
    for number, content in enumerate(SOUNDS):
        (folder / f"{number}.wav").write_bytes(content)
    (folder / "metadata.csv").write_text("file_name,speaker\n0.wav,Ann\n1.wav,Bob\n2.wav,Cy\n")
    found, contents = take(folder, tmp_path)
    assert contents == SOUNDS
    assert [one.description.speaker for one in found] == ["Ann", "Bob", "Cy"]
    assert all((folder / f"{number}.wav").exists() for number in range(3))
    gc.collect()  # what the library left open is warned of here, where it is expected


def test_a_dataset_saved_to_disk_is_opened(tmp_path):
    import datasets

    saved = datasets.Dataset.from_dict({"sound": embedded()}).cast_column("sound", datasets.Audio(decode=False))
    datasets.DatasetDict({"test": saved}).save_to_disk(str(tmp_path / "saved"))
    _, contents = take(tmp_path / "saved", tmp_path, split="test")
    assert contents == SOUNDS
    with pytest.raises(NotFoundError, match=r"has no split 'train'. It has test"):
        take(tmp_path / "saved", tmp_path)


def test_a_table_of_paths_needs_the_column_named(tmp_path):
    (tmp_path / "a.wav").write_bytes(SOUNDS[0])
    path = tmp_path / "list.jsonl"
    path.write_text(json.dumps({"recording": "a.wav", "title": "One"}) + "\n")
    with pytest.raises(InputError, match=r"no audio column. Its columns are recording, title"):
        take(path, tmp_path)
    (one,), contents = take(path, tmp_path, audio_column="recording")
    assert (contents, one.description.title) == ([SOUNDS[0]], "One")


@pytest.mark.parametrize(
    "outside", ["/etc/hostname", "../secret.wav", "http://127.0.0.1/a.wav", "file:///etc/hostname"]
)
def test_rows_may_not_name_files_outside(tmp_path, outside):
    (tmp_path / "secret.wav").write_bytes(SOUNDS[0])
    folder = tmp_path / "talks"
    folder.mkdir()
    path = table(folder / "t.parquet", audio=embedded((outside, "b.wav", "c.wav"), [None, *SOUNDS[1:]]))
    found, contents = take(path, tmp_path)
    assert isinstance(found[0], Rejected)
    assert "outside of its dataset" in str(found[0].error)
    assert contents[1:] == SOUNDS[1:]


@pytest.mark.parametrize("outside", ["{}/secret/t.parquet", "file://{}/secret/t.parquet", "../secret/t.parquet"])
@pytest.mark.parametrize("card", ["data_files: '{}'", "data_files: [{{split: train, path: ['{}']}}]"])
def test_a_card_may_not_name_files_outside_of_its_folder(tmp_path, outside, card):
    for name in ("secret", "talks"):
        (tmp_path / name).mkdir()
        table(tmp_path / name / "t.parquet", audio=embedded())
    named = card.format(outside.format(tmp_path))
    (tmp_path / "talks" / "README.md").write_text(f"---\nconfigs:\n- config_name: default\n  {named}\n---\n")
    with pytest.raises(InputError, match=r"names '.*secret/t.parquet', which is not part of it"):
        take(tmp_path / "talks", tmp_path)
    (tmp_path / "talks" / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files: t.parquet\n---\n"
    )
    assert take(tmp_path / "talks", tmp_path)[1] == SOUNDS


@pytest.mark.parametrize("key", ["data_files: '{}'", "data_dir: '{}'", "data_files: {{train: ['a.csv', '{}']}}"])
@pytest.mark.parametrize(
    "named", ["/etc/passwd", "file:///etc/passwd", "~/a.csv", "../../a", "http://127.0.0.1/a", "C:/a"]
)
@pytest.mark.parametrize("file_name", ["README.md", ".huggingface.yaml"])
def test_a_card_of_the_hub_is_refused_before_what_it_names_is_looked_for(tmp_path, monkeypatch, key, named, file_name):
    told = f"configs:\n- config_name: default\n  {key.format(named)}\n"
    cards = {
        "datasets/ann/talks@main/README.md": "---\nconfigs: []\n---\n",
        f"datasets/ann/talks@main/{file_name}": f"---\n{told}---\n" if file_name == "README.md" else told,
    }

    def read_text(hub, path, **_):
        if path in cards:
            return cards[path]
        raise FileNotFoundError(path)

    monkeypatch.setattr("huggingface_hub.HfFileSystem.read_text", read_text)
    monkeypatch.setattr("datasets.load_dataset_builder", lambda *_, **__: pytest.fail("the library was asked"))
    with pytest.raises(InputError, match=rf"'ann/talks' names '{named}', which is not part of it"):
        take("ann/talks", tmp_path)


def test_what_the_library_finds_for_a_dataset_of_the_hub_must_lie_there(tmp_path, monkeypatch):
    """Whatever a card says in a way that the first check does not know."""
    import datasets

    (tmp_path / "talks").mkdir()
    table(tmp_path / "talks" / "t.parquet", audio=embedded())
    builder = datasets.load_dataset_builder(str(tmp_path / "talks"))
    monkeypatch.setattr("huggingface_hub.HfFileSystem.read_text", lambda *_, **__: "")
    monkeypatch.setattr("datasets.load_dataset_builder", lambda *_, **__: builder)
    with pytest.raises(InputError, match=r"'ann/talks' names '.*t.parquet', which is not part of it"):
        take("ann/talks", tmp_path)


def test_rows_without_sound_or_with_too_much_are_named_and_the_rest_goes_on(tmp_path):
    path = table(tmp_path / "t.parquet", audio=embedded((None, "b.wav", "c.wav"), [None, bytes(5000), SOUNDS[2]]))
    found, contents = take(path, tmp_path, Limits(file_bytes=4000))
    assert "has no sound" in str(found[0].error)
    assert isinstance(found[1].error, TooLargeError)
    assert contents[2] == SOUNDS[2]


def test_rows_without_a_name_are_called_by_id_text_or_number(tmp_path):
    nameless = embedded((None, None, None))
    (one, *_), _ = take(table(tmp_path / "a.parquet", audio=nameless, id=["x/1", "2", "3"]), tmp_path)
    assert (one.file_name, one.description.title) == ("x_1", "")
    (one, *_), _ = take(table(tmp_path / "b.parquet", audio=nameless, text=["The bridge opened.", "b", "c"]), tmp_path)
    assert (one.file_name, one.description.title) == ("row 0", "The bridge opened.")


def test_a_limit_is_kept(tmp_path):
    path = table(tmp_path / "t.parquet", audio=embedded())
    assert take(path, tmp_path, limit=2)[1] == SOUNDS[:2]
    with pytest.raises(InputError, match="must be at least 1"):
        take(path, tmp_path, limit=0)


def test_mistakes_are_explained(tmp_path):
    path = table(tmp_path / "t.parquet", left=embedded(), right=embedded(), text=["a", "b", "c"])
    with pytest.raises(InputError, match="several audio columns: left, right"):
        take(path, tmp_path)
    with pytest.raises(InputError, match=r"no column 'middle'. Its columns are left, right, text"):
        take(path, tmp_path, audio_column="middle")
    with pytest.raises(NotFoundError, match=r"no such split.*nope"):
        take(path, tmp_path, split="nope")
    with pytest.raises(NotFoundError, match="neither a file or folder nor a name on the hub"):
        take(tmp_path / "missing", tmp_path)
    (tmp_path / "talk.mp3").write_bytes(b"x")
    with pytest.raises(InputError, match=r"'talk.mp3' is not a table"):
        take(tmp_path / "talk.mp3", tmp_path)
    (tmp_path / "bad.parquet").write_bytes(b"not parquet at all")
    with pytest.raises(InputError, match="cannot be read"):
        take(tmp_path / "bad.parquet", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises((InputError, NotFoundError), match="empty"):
        take(tmp_path / "empty", tmp_path)


def test_the_hub_without_network_is_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="'nobody/nothing' cannot be reached"):
        take("nobody/nothing", tmp_path)


@pytest.mark.parametrize("name", ["talks", "a/b/c", "../talks", "/etc", "audiofolder", "one/folder"])
def test_a_name_from_outside_is_never_a_path_here(tmp_path, monkeypatch, name):
    (tmp_path / "one" / "folder").mkdir(parents=True)
    (tmp_path / "one" / "folder" / "a.wav").write_bytes(SOUNDS[0])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotFoundError, match="is no dataset of the hub"):
        hub_sources(
            name, workspace=tmp_path / "work", limits=Limits(), split="train", configuration=None,
            audio_column=None, limit=None,
        )  # fmt: skip
