"""``diarize``: two real voices told apart, all formats, what is printed and written, going on, and bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner, Result

from speechsearch.cli import app
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import InputError, NotFoundError
from speechsearch.domain.values import Audio, Transcript, Word
from speechsearch.models.base import SpeakerEncoder
from speechsearch.models.catalog import catalog
from speechsearch.models.load import ModelLoader
from speechsearch.service.output_folder import LIST_NAME
from tests.tiny.fakes import FakeLoader, FakeRecognizer

RATE_HZ = 16_000
REAL = ModelLoader(catalog(), device="cpu", dtype="float32")


class Counting(FakeRecognizer):
    """Writes a word for every second."""

    def transcribe(self, sounds, language=None, hotwords=()) -> list[Transcript]:
        """Words "0", "1" and so on, each half a second long."""
        found = []
        for sound in sounds:
            words = tuple(Word(f"{at}", at + 0.2, at + 0.7) for at in range(int(sound.duration_s)))
            found.append(Transcript(" ".join(word.text for word in words), self.name, words))
        return found


class Loader(FakeLoader):
    """Has the real speaker encoder, and keeps how many windows it was given."""

    windows = 0

    def speaker_encoder(self, name: str) -> SpeakerEncoder:
        """The real one, counted."""
        loader, real = self, REAL.speaker_encoder(name)

        class Counted:
            dim, fingerprint = real.dim, real.fingerprint

            def encode(self, sounds: list[Audio]) -> np.ndarray:
                loader.windows += len(sounds)
                return real.encode(sounds)

        return Counted()


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A man for six seconds, then a woman for six."""
    path = tmp_path_factory.mktemp("given") / "a talk.wav"
    parts = [soundfile.read(SAMPLES / "audio" / f"{name}.opus", frames=6 * RATE_HZ)[0] for name in ("s002", "s003")]
    soundfile.write(path, np.concatenate(parts), RATE_HZ)
    return path


@pytest.fixture(autouse=True)
def loader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Loader:
    made = Loader(recognizers=(Counting("first"),))
    monkeypatch.setattr("speechsearch.service.open.new_loader", lambda settings: made)
    monkeypatch.setenv("SPEECHSEARCH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SPEECHSEARCH_ENGINES__RECOGNIZER", "first")
    return made


def command(*words: object) -> Result:
    return CliRunner().invoke(app, ["diarize", *map(str, words)])


def test_every_format_is_written_and_each_speaker_gets_a_text(tmp_path: Path, talk: Path, loader: Loader) -> None:
    out = tmp_path / "out"
    done = command(talk, "--format", "rttm,json,srt,vtt,txt,md", "-o", out)
    assert done.exit_code == 0 and done.stdout.splitlines()[-1] == "1 written."
    assert {path.name for path in out.iterdir()} == {
        LIST_NAME,
        *(f"a talk.{ending}" for ending in ("rttm", "json", "srt", "vtt", "txt", "md")),
        "a talk.Speaker 1.txt",
        "a talk.Speaker 2.txt",
    }
    document = json.loads((out / "a talk.json").read_text())
    assert [one["speaker"] for one in document["speakers"]] == ["Speaker 1", "Speaker 2"]
    assert document["duration"] == 12 and document["encoder"] == "ge2e" and document["model"] == "first"
    said = [(one["speaker"], one["start"]) for one in document["segments"]]
    assert all((who == "Speaker 1") == (start_s < 6) for who, start_s in said if abs(start_s - 6) > 1)
    assert {turn["speaker"] for turn in document["turns"] if turn["end"] < 5} == {"Speaker 1"}
    rttm = [line.split() for line in (out / "a talk.rttm").read_text().splitlines()]
    assert {len(line) for line in rttm} == {10} and {line[1] for line in rttm} == {"a_talk"}
    assert [float(line[3]) for line in rttm] == [turn["start"] for turn in document["turns"]]
    for ending in ("srt", "vtt"):
        assert "Speaker 1: " in (out / f"a talk.{ending}").read_text()
    report = (out / "a talk.md").read_text()
    assert report.startswith("# Who speaks in a talk.wav\n") and "| Speaker 2 |" in report
    assert (out / "a talk.txt").read_text().startswith("[0:00:00.")
    windows = loader.windows
    assert command(talk, "--format", "txt,rttm", "-o", out).stdout.splitlines()[-1] == "1 ready."
    assert loader.windows == windows
    failed = command(talk, "--format", "txt", "-o", out, "--speakers", "2")
    assert failed.exit_code == 1 and "made with other settings" in failed.stdout


def test_without_a_model_only_turns_are_told(talk: Path, loader: Loader) -> None:
    done = command(talk, "--model", "none", "--format", "rttm")
    assert done.exit_code == 0 and done.stdout.startswith("SPEAKER a_talk 1 ")
    assert "Speaker_2" in done.stdout and loader.counted() == {}
    assert "Speaker 1" in command(talk, "--model", "none", "--format", "srt").stdout
    assert json.loads(command(talk, "--model", "none", "--json").stdout)["segments"] == []
    one = command(talk, "--model", "none", "--speakers", "1", "--format", "rttm")
    assert "Speaker_1" in one.stdout and "Speaker_2" not in one.stdout


def test_a_silent_file_gives_empty_files_and_one_that_is_no_sound_fails(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for name, seconds in (("silent.wav", 3.0), ("short.wav", 0.005)):
        soundfile.write(tmp_path / name, np.zeros(int(seconds * RATE_HZ)), RATE_HZ)
    (tmp_path / "bad.wav").write_bytes(b"")
    given = [tmp_path / name for name in ("silent.wav", "short.wav", "bad.wav")]
    done = command(*given, "--format", "rttm,md,srt", "-o", out, "--json")
    assert done.exit_code == 1
    assert [one["state"] for one in json.loads(done.stdout)] == ["written", "written", "failed"]
    assert (out / "silent.rttm").read_text() == "" and "Nobody speaks." in (out / "silent.md").read_text()


def test_channels_of_a_mono_file_are_an_error_of_that_file(talk: Path, tmp_path: Path) -> None:
    done = command(talk, "--mode", "channel", "-o", tmp_path / "out")
    assert done.exit_code == 1 and "by its channels: it is not stereo" in done.stdout


@pytest.mark.parametrize(("words", "error", "message"), [
    (["--speakers", "none"], InputError, "'none' is no number of speakers"),
    (["--speakers", "0"], InputError, "'0' is no number of speakers"),
    (["--mode", "stereo"], InputError, "'stereo' is no way to tell voices apart. Choose from: auto"),
    (["--format", "rttm,xml"], InputError, "'xml' is no format of who speaks when. Choose from: rttm"),
    (["--encoder", "nobody"], NotFoundError, "nobody"),
    (["--model", "nobody"], NotFoundError, "nobody"),
])  # fmt: skip
def test_what_cannot_be_asked_ends_the_command(talk: Path, words: list[str], error: type, message: str) -> None:
    done = command(talk, *words)
    assert isinstance(done.exception, error) and message in str(done.exception)
