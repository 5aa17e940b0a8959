"""``transcribe``: folders and archives, what is printed and what is written, going on after a kill, and exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner, Result

from speechsearch.cli import app
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import CapabilityError, InputError, NotFoundError
from speechsearch.domain.values import Transcript
from speechsearch.service.output_folder import LIST_NAME
from tests.tiny.fakes import FakeLoader, FakeRecognizer

ROOT = Path(__file__).resolve().parents[2]
RUN = """
import sys, time
from pathlib import Path
import speechsearch.service.open as opening
from speechsearch.service import transcription
from speechsearch.cli import main
from tests.tiny.fakes import FakeLoader, FakeRecognizer

log = Path(sys.argv.pop(1))
transcription.BATCH_S = 4.0

class Slow(FakeRecognizer):
    def transcribe(self, sounds, *rest):
        found = super().transcribe(sounds, *rest)
        time.sleep(0.3 * bool(sounds))
        return found

opening.new_loader = lambda settings: FakeLoader(recognizers=(Slow(log=log),))
main()
"""


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four recordings, one in a folder of its own, one that is none."""
    folder = tmp_path_factory.mktemp("given") / "talks"
    (folder / "day 1").mkdir(parents=True)
    spoken, rate_hz = soundfile.read(SAMPLES / "audio" / "s001.opus", frames=20 * 16_000)
    for name, part in zip(("a.wav", "b.wav", "day 1/a.wav"), np.array_split(spoken, 3), strict=True):
        soundfile.write(folder / name, part, rate_hz)
    (folder / "bad.mp3").write_text("no sound")
    return folder


@pytest.fixture(autouse=True)
def loader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeLoader:
    made = FakeLoader(recognizers=(FakeRecognizer("first"), FakeRecognizer("second")))
    monkeypatch.setattr("speechsearch.service.open.new_loader", lambda settings: made)
    monkeypatch.setenv("SPEECHSEARCH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SPEECHSEARCH_ENGINES__RECOGNIZER", "first")
    return made


def command(*words: object) -> Result:
    return CliRunner().invoke(app, ["transcribe", *map(str, words)])


def states(done: Result) -> dict[str, str]:
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return {one["name"]: one["state"] for one in json.loads(done.stdout)}


def test_folders_and_archives_are_written_down_and_a_bad_file_stops_nothing(tmp_path: Path, sounds: Path) -> None:
    archive, out = tmp_path / "more.zip", tmp_path / "out"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(sounds / "b.wav", "x/b.wav")
    done = command(sounds, archive, tmp_path / "nowhere.wav", "--format", "txt,vtt", "-o", out, "--json")
    assert done.exit_code == 1
    found = {one["name"]: one for one in json.loads(done.stdout)}
    assert {name: one["state"] for name, one in found.items()} == {
        "talks/a.wav": "written", "talks/b.wav": "written", "talks/bad.mp3": "failed", "talks/day 1/a.wav": "written",
        "more.zip/x/b.wav": "written", "nowhere.wav": "failed",
    }  # fmt: skip
    assert "does not exist" in found["nowhere.wav"]["message"] and "not sound" in found["talks/bad.mp3"]["message"]
    written = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    bases = ("more.zip/x/b", "talks/a", "talks/b", "talks/day 1/a")
    assert written == [LIST_NAME, *(f"{base}.{ending}" for base in bases for ending in ("txt", "vtt"))]
    assert found["talks/a.wav"]["outputs"] == [str(out / "talks" / f"a.{ending}") for ending in ("txt", "vtt")]
    assert "fake-first-1" in (out / "talks" / "a.txt").read_text() and not (tmp_path / "data").exists()
    said = command(sounds, "-o", out, "--format", "txt,vtt")
    assert said.exit_code == 1 and said.stdout.splitlines()[-1] == "3 ready, 1 failed."


def test_what_is_there_is_not_made_again(tmp_path: Path, sounds: Path, loader: FakeLoader) -> None:
    out = tmp_path / "out"
    assert set(states(command(sounds / "a.wav", "-o", out, "--json")).values()) == {"written"}
    passages = loader.counted()["first"]
    assert set(states(command(sounds / "a.wav", "-o", out, "--json")).values()) == {"ready"}
    assert loader.counted() == {}
    (out / "a.txt").write_text("corrected by hand")
    assert states(command(sounds / "a.wav", "-o", out, "--format", "srt,txt", "--json")) == {"a.wav": "written"}
    assert (out / "a.txt").read_text() == "corrected by hand" and (out / "a.srt").exists()
    assert states(command(sounds / "a.wav", "-o", out, "--json", "--again")) == {"a.wav": "written"}
    assert "fake-first-1" in (out / "a.txt").read_text() and loader.counted() == {"first": 2 * passages}


def test_what_was_made_otherwise_is_replaced_only_when_that_is_said(tmp_path: Path, sounds: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "b.txt").write_text("notes of mine")
    done = command(sounds / "a.wav", sounds / "b.wav", "-o", out)
    assert done.exit_code == 1 and "b.txt is there already, made by something else. --again replaces it." in done.stdout
    assert (out / "b.txt").read_text() == "notes of mine"
    for changed in (["--model", "second"], ["--language", "de"], ["--hotwords", "Ann, Bo"]):
        done = command(sounds / "a.wav", "-o", out, *changed)
        assert done.exit_code == 1 and "a.txt is there already, made with other settings" in done.stdout
    assert command(sounds / "a.wav", "-o", out, "--model", "second", "--again").exit_code == 0
    assert "fake-second-1" in (out / "a.txt").read_text()
    assert states(command(sounds / "a.wav", "-o", out, "--model", "second", "--json")) == {"a.wav": "ready"}


def test_files_of_one_name_get_outputs_of_their_own_every_time(tmp_path: Path, sounds: Path) -> None:
    out, flac = tmp_path / "out", tmp_path / "a.flac"
    flac.write_bytes((sounds / "b.wav").read_bytes())
    given = (sounds / "a.wav", sounds / "day 1" / "a.wav", flac)
    for state in ("written", "ready"):
        done = command(*given, "-o", out, "--json")
        assert [one["state"] for one in json.loads(done.stdout)] == [state] * 3
    assert {path.name for path in out.glob("*.txt")} == {"a.txt", "a.wav (2).txt", "a.flac.txt"}
    assert len({path.read_text() for path in out.glob("*.txt")}) == 3


def test_one_file_is_printed_for_other_programs(sounds: Path) -> None:
    text = command(sounds / "a.wav")
    assert text.exit_code == 0 and text.stdout.endswith(" fake-first-1\n")
    table = command(sounds / "a.wav", "--format", "tsv").stdout.splitlines()
    assert table[0] == "start\tend\ttext" and len(table) == 1 + len(text.stdout.splitlines())
    document = json.loads(command(sounds / "a.wav", "--json").stdout)
    assert document["model"] == "first" and document["duration"] == pytest.approx(20 / 3, abs=0.01)
    bad = command(sounds / "bad.mp3")
    assert (bad.exit_code, bad.stdout) == (1, "") and "not sound" in bad.stderr


def test_wrong_use_is_refused_before_any_work(tmp_path: Path, sounds: Path, loader: FakeLoader) -> None:
    for words, error, message in (
        ((sounds,), InputError, "Only one file in one format"),
        ((sounds / "a.wav", "--format", "txt,srt"), InputError, "Only one file in one format"),
        ((sounds / "a.wav", "--format", "docx"), InputError, "'docx' is no format"),
        ((sounds / "a.wav", "--model", "none such"), NotFoundError, "no recognizer 'none such'"),
        ((sounds / "a.wav", "-o", sounds / "a.wav"), InputError, "cannot be written"),
    ):
        done = command(*words)
        assert isinstance(done.exception, error) and message in str(done.exception)
    assert loader.counted() == {}


@pytest.mark.parametrize(("error", "is_of_the_file"), [(ValueError("shape"), True), (CapabilityError("no de"), False)])
def test_a_model_that_fails_at_a_file_stops_no_other_but_one_that_cannot_do_it_stops_all(
    sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, is_of_the_file: bool
) -> None:
    right = FakeRecognizer.transcribe

    def failing(self: FakeRecognizer, *words: object) -> list[Transcript]:
        if self.passages == 0 and words[0]:
            self.passages = 1
            raise error
        return right(self, *words)

    monkeypatch.setattr(FakeRecognizer, "transcribe", failing)
    done = command(sounds, "-o", tmp_path / "out", "--json")
    if is_of_the_file:
        assert done.exit_code == 1 and list(states(done).values()) == ["failed", "written", "failed", "written"]
        assert "talks/a.wav failed: ValueError: shape" in done.stdout
    else:
        assert done.exception is error and not list((tmp_path / "out").rglob("*.txt"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_killed_in_the_middle_it_goes_on_where_it_was(tmp_path: Path, sounds: Path, number: int, code: int) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    words = [sys.executable, "-c", RUN, str(log), "transcribe", str(sounds), "-o", str(out)]
    started = subprocess.Popen(words, cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert started.stdout is not None
    assert b"written  talks/a.wav" in started.stdout.readline()  # its text is there a moment before that is noted
    started.send_signal(number)
    _, errors = started.communicate(timeout=60)
    assert started.returncode == code
    assert (b"What is done stays" in errors) == (number == signal.SIGINT)
    before = {path.name for path in out.rglob("*.txt")}
    assert before and len(before) < 3 and not list(out.rglob("*.unfinished"))
    again = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert again.returncode == 1 and "ready  talks/a.wav" in again.stdout
    assert len([path for path in out.rglob("*.txt") if path.read_text()]) == 3
    done = log.read_text().splitlines()
    assert done.count(done[0]) == 1  # the first file was not written down again


def test_killed_within_a_file_the_next_run_writes_down_only_the_rest(tmp_path: Path) -> None:
    out, log, talk = tmp_path / "out", tmp_path / "log", tmp_path / "talk.wav"
    spoken, rate_hz = soundfile.read(SAMPLES / "audio" / "s001.opus", frames=28 * 16_000)
    soundfile.write(talk, np.tile(spoken, 2), rate_hz)
    shorter = {**os.environ, "SPEECHSEARCH_SEGMENTATION__SHORTEST_S": "2", "SPEECHSEARCH_SEGMENTATION__LONGEST_S": "4"}
    words = [sys.executable, "-c", RUN, str(log), "transcribe", str(talk), "-o", str(out), "--format", "json"]
    started = subprocess.Popen(words, cwd=ROOT, env=shorter)
    until_s = time.monotonic() + 60
    while time.monotonic() < until_s and len(log.read_text().splitlines() if log.exists() else ()) < 3:
        time.sleep(0.01)
    started.kill()
    started.wait()
    kept = (out / "talk.unfinished.jsonl").read_text()
    assert kept.count("\n") >= 1 and not (out / "talk.json").exists()
    (out / "talk.unfinished.jsonl").write_text(kept + '{"span": {"start_s"')  # the kill came within a line
    before = len(log.read_text().splitlines())
    again = subprocess.run(words, cwd=ROOT, env=shorter, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    segments = json.loads((out / "talk.json").read_text())["segments"]
    whole = subprocess.run([*words, "--again"], cwd=ROOT, env=shorter, capture_output=True, text=True, check=False)
    assert whole.returncode == 0 and json.loads((out / "talk.json").read_text())["segments"] == segments
    done = len(log.read_text().splitlines()) - before  # by both runs; the last wrote all down
    assert len(segments) < done < 2 * len(segments) and not (out / "talk.unfinished.jsonl").exists()
