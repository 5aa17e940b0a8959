"""The DAG: its commands exist and can be parsed; in an environment with Airflow, a whole run on tiny data."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import types
from dataclasses import asdict
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import typer

from speechsearch.cli import app
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.values import SAMPLE_RATE_HZ
from speechsearch.training.music import Rendering

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "pipelines" / "airflow"
PARAMS = {
    "sounds": "/s", "speech": "/p", "music": "/m", "work": "/w", "collection": "-c", "form": "onnx", "run": "/w/r",
}  # fmt: skip
AIRFLOW, SPEECH = os.environ.get("TEST_AIRFLOW", ""), os.environ.get("TEST_SPEECH", "")
"""The Python of an environment with requirements-airflow.txt, and speech as training/similar_recordings.py reads it."""
RUN = """
import json, sys
from similar import dag
for one in dag.tasks:
    one.retries = 0
run = dag.test(run_conf=json.loads(sys.argv[1]))
print("ended:", str(run.state))
"""


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, over stand-ins for the names of Airflow that it imports."""

    class Dag:
        def __init__(self, **named: Any) -> None:
            self.named = named

        def __enter__(self) -> Dag:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    class Task:
        def __init__(self) -> None:
            self.after: list[Task] = []

        def __rshift__(self, other: Task) -> Task:
            self.after.append(other)
            return other

    def stub(name: str, **found: Any) -> None:
        module = types.ModuleType(name)
        vars(module).update(found)
        monkeypatch.setitem(sys.modules, name, module)

    for name in ("airflow", "airflow.providers", "airflow.providers.standard", "airflow.providers.standard.hooks"):
        stub(name)
    stub("airflow.exceptions", AirflowException=RuntimeError)
    stub("airflow.providers.standard.hooks.subprocess", SubprocessHook=object)
    task = lambda task_id: lambda work: Task  # noqa: E731
    param = lambda default=None, **named: {"default": default, **named}  # noqa: E731
    stub("airflow.sdk", DAG=Dag, Param=param, get_current_context=dict, task=task)
    spec = spec_from_file_location("similar_pipeline", DAGS / "similar.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_the_tasks_are_those_of_the_issue_in_order(pipeline: Any) -> None:
    names = [step.name for step in pipeline.STEPS]
    assert names == ["tokenize", "views", "train", "export", "embed", "index", "publish"]
    assert pipeline.dag.named["schedule"] is None and pipeline.dag.named["max_active_runs"] == 1


def test_every_task_is_a_command_that_there_is_and_takes_its_words(pipeline: Any) -> None:
    commands: Any = typer.main.get_command(app)
    for step in pipeline.STEPS:
        module, *words = [word.format(**PARAMS) for word in step.words][1:]
        assert step.words[0] == "-m" and find_spec(module) is not None
        if module != "speechsearch":
            continue
        command, found = words[0], commands.commands[words[0]]
        rest = words[1:]
        if command == "models":
            found, rest = found.commands[rest[0]], rest[1:]
        context = found.make_context(command, list(rest))  # raises UsageError where they do not fit
        assert "/s" in str(context.params) or command in ("models", "rebuild", "check")


def test_a_run_has_a_folder_and_settings_of_its_own(pipeline: Any, tmp_path: Path) -> None:
    run = pipeline.folder_of(str(tmp_path), "manual__2026-11-27T08:00:00+00:00/../x")
    assert run.parent == tmp_path and run.name == "manual__2026-11-27T08-00-00-00-00-..-x"
    found = pipeline.environment(run, {"SPEECHSEARCH_MODELS__DEVICE": "cpu", "SPEECHSEARCH_DATA_DIR": "/elsewhere"})
    assert found["SPEECHSEARCH_MODELS__DEVICE"] == "cpu" and found["SPEECHSEARCH_DATA_DIR"] == str(run / "data")


def test_publishing_moves_the_link_at_once(pipeline: Any, tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        pipeline.publish(tmp_path / name)
        assert (tmp_path / "current").resolve() == tmp_path / name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["current", "first", "second"]


def play(folder: Path, pieces: int) -> None:
    """Write twelve seconds of tones a piece, twice otherwise, as training/music.py does; one in four is held out."""
    folder.mkdir()
    draw, rows = np.random.default_rng(1), list[Rendering]()
    for piece in range(pieces):
        pitches = draw.uniform(0.05, 0.3, 12)
        for number in range(2):
            name = f"{piece}-{number}.flac"
            notes = [np.sin(np.arange(SAMPLE_RATE_HZ) * pitch * (1 + number / 9)) for pitch in pitches]
            soundfile.write(folder / name, np.concatenate(notes).astype(np.float32) / 4, SAMPLE_RATE_HZ)
            part = "train" if piece % 4 else "held out"
            rows.append(Rendering(name, str(piece), part, (0,), 60.0, 0, 12.0))
    lines = "".join(json.dumps(asdict(row)) + "\n" for row in rows)
    (folder / "music.jsonl").write_text(lines, encoding="utf-8")


def ran(given: dict[str, Any], home: Path) -> str:
    """Run the DAG in the environment of Airflow; return what it printed, the last line how it ended."""
    env = {
        **os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS), "PYTHONPATH": f"{DAGS}{os.pathsep}{ROOT}",
        "PYTHON_OF_SPEECHSEARCH": sys.executable,
    }  # fmt: skip
    subprocess.run([AIRFLOW, "-m", "airflow", "db", "migrate"], env=env, check=True, capture_output=True)
    done = subprocess.run([AIRFLOW, "-c", RUN, json.dumps(given)], env=env, capture_output=True, text=True)
    return "\n".join(line for line in done.stdout.splitlines() if "ubprocess" in line or "ended" in line)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not AIRFLOW or not SPEECH, reason="TEST_AIRFLOW and TEST_SPEECH name no Airflow and no speech")
def test_a_run_goes_from_sounds_to_a_library(tmp_path: Path) -> None:
    from speechsearch import audio
    from speechsearch.domain.limits import Limits
    from speechsearch.domain.values import Audio
    from speechsearch.service.open import Service
    from speechsearch.service.settings import Settings

    sounds = tmp_path / "sounds"
    sounds.mkdir()
    for name in ("s005", "s015", "s016"):
        shutil.copyfile(SAMPLES / "audio" / f"{name}.opus", sounds / f"{name}.opus")
    play(tmp_path / "music", 8)
    given: dict[str, Any] = {name: str(tmp_path / name) for name in ("sounds", "music", "work")}
    given |= {"speech": SPEECH, "tiny": True}
    given |= {"settings": {"SPEECHSEARCH_ENGINES__RECOGNIZER": "none"}}

    broken = sounds / "broken.mp3"
    broken.write_bytes(b"no sound")
    printed = ran(given, tmp_path / "airflow")
    assert "ended: failed" in printed and "tokenize ended with 1" in printed, printed[-6000:]
    assert not (tmp_path / "work" / "current").exists()

    broken.unlink()
    printed = ran(given, tmp_path / "airflow")
    assert "ended: success" in printed, printed[-6000:]
    current = (tmp_path / "work" / "current").resolve()
    assert (current / "triton" / "model" / "1" / "model.onnx").is_file()
    assert len(list((current / "codes" / "sounds").iterdir())) == 3
    settings = Settings(
        data_dir=current / "data",
        models={"folder": str(current / "models")},
        engines={"recognizer": "none", "sound_embedder": "model"},
    )
    with Service.open(settings) as service:
        ids = {one.file_name: one.recording_id for one in service.browse.recordings("recordings")}
        assert sorted(ids) == ["s005.opus", "s015.opus", "s016.opus"]
        assert not service.manage.missing()
        whole = audio.load(sounds / "s015.opus", Limits(), 600.0, "s015.opus")
        cut = Audio(whole.samples[5 * SAMPLE_RATE_HZ : 15 * SAMPLE_RATE_HZ])
        (copy,) = service.similar.of_sound(cut, "recording").hits
        assert copy.recording.recording_id == ids["s015.opus"] and copy.offset_s == pytest.approx(5.0, abs=0.1)
        alike = service.similar.of_sound(cut, "sound").hits
        assert alike[0].recording.recording_id == ids["s015.opus"] and alike[0].nearest[0].found_s == 5.0
        assert len(alike) == 3 and alike[1].score < alike[0].score
