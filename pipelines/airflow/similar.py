"""Airflow's tasks from a folder of sounds to a library that finds what sounds alike: each is a command of speechsearch.

tokenize -> views -> train -> export -> embed -> index -> publish. A run has a folder of its own, so nothing that is in
use changes before the last task; a task that is run again goes on where it was. Airflow has an environment of its own:
``PYTHON_OF_SPEECHSEARCH`` is the Python in which speechsearch is installed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.exceptions import AirflowException
from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import DAG, Param, get_current_context, task

PYTHON = os.environ.get("PYTHON_OF_SPEECHSEARCH", "python3")
CURRENT = "current"
"""The link in the work folder to the run that is published; the page's data folder is ``current/data``."""
MODEL = "model"
"""What the recipe calls the embedder that it has trained, in the run's folder of models."""
FOLDER: dict[str, Any] = {"type": "string", "pattern": "^/"}


@dataclass(frozen=True)
class Step:
    """A command; ``{...}`` in its words is a parameter or a folder of the run. ``makes``: is whole once it is there."""

    name: str
    words: Sequence[str]
    makes: str = ""
    tiny: Sequence[str] = ()


STEPS = (
    Step("tokenize", ("-m", "speechsearch", "tokenize", "{sounds}", "--output", "{run}/codes")),
    Step(
        "views",
        ("-m", "speechsearch.training.similar_views", "{speech}", "{music}", "{run}/views"),
        tiny=("--tiny",),
    ),
    Step("train", ("-m", "speechsearch.training.train_similar", "{run}/views", "{run}/models"), tiny=("--tiny",)),
    Step(
        "export",
        ("-m", "speechsearch", "models", "export", MODEL, "{run}/triton", "--to", "{form}", "--triton"),
        makes="{run}/triton",
    ),
    Step("embed", ("-m", "speechsearch", "ingest", "{sounds}", "--collection={collection}", "--wait")),
    Step("index", ("-m", "speechsearch", "rebuild")),
    Step("publish", ("-m", "speechsearch", "check")),
)


def folder_of(work: str, run_id: str) -> Path:
    """Return the folder of a run: its id without what a file's name must not have."""
    return Path(work).expanduser().resolve() / re.sub(r"[^A-Za-z0-9._-]+", "-", run_id).strip(".-")


def environment(run: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of all commands: that of Airflow, but the run's data folder and its embedder."""
    own = {
        "SPEECHSEARCH_DATA_DIR": str(run / "data"),
        "SPEECHSEARCH_MODELS__FOLDER": str(run / "models"),
        "SPEECHSEARCH_ENGINES__SOUND_EMBEDDER": MODEL,
    }
    return {**os.environ, **settings, **own}


def publish(run: Path) -> None:
    """Have the link CURRENT beside a run's folder lead to it, at once."""
    draft = run.parent / f".{CURRENT}"
    draft.unlink(missing_ok=True)
    draft.symlink_to(run.name)
    draft.replace(run.parent / CURRENT)


def task_of(step: Step) -> Any:
    """Return a step as a task of Airflow."""

    @task(task_id=step.name)
    def work() -> None:
        context = get_current_context()
        params: dict[str, Any] = dict(context["params"])
        run = folder_of(params["work"], context["run_id"])
        (run / "models").mkdir(parents=True, exist_ok=True)
        given = {**params, "run": str(run)}
        if step.makes and Path(step.makes.format(**given)).exists():
            return
        words = [word.format(**given) for word in step.words] + (list(step.tiny) if params["tiny"] else [])
        # Without -P the run's folders could be imported: PyTorch took `triton` for the package of that name.
        done = SubprocessHook().run_command(
            [PYTHON, "-P", *words], env=environment(run, params["settings"]), cwd=str(run)
        )
        if done.exit_code:
            raise AirflowException(f"{step.name} ended with {done.exit_code}; the lines above say why.")
        if step.name == "publish":
            publish(run)

    return work()


with DAG(
    dag_id="similar_sounds",
    schedule=None,
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 1, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    params={
        "sounds": Param(**FOLDER, description="The recordings of the library."),
        "speech": Param(**FOLDER, description="Speech to train on, as training/similar_recordings.py reads it."),
        "music": Param(**FOLDER, description="Music to train on, as training/music.py writes it."),
        "work": Param(**FOLDER, description="Where runs have their folders, and the link `current` lies."),
        "collection": Param("recordings", type="string"),
        "form": Param("onnx", enum=["onnx", "torchscript"]),
        "tiny": Param(False, type="boolean", description="Train for seconds only, to try the pipeline."),
        "settings": Param(
            {},
            type="object",
            propertyNames={"pattern": "^SPEECHSEARCH_"},
            additionalProperties={"type": "string"},
            description="Further settings of speechsearch: environment variables by name.",
        ),
    },
) as dag:
    before = None
    for step in STEPS:
        following = task_of(step)
        if before is not None:
            before >> following
        before = following
