"""What the OpenAPI says and what the application answers, by requests that schemathesis makes of it, as every role."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import soundfile
import torch
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from benchmarks.access_table import PASSWORD, ROLES, settings_of
from speechsearch.api import create_app
from speechsearch.domain.assets import SAMPLES
from speechsearch.jobs.queue import JobQueue
from speechsearch.models.catalog import catalog
from speechsearch.service.open import Service
from speechsearch.store import JobFile
from tests.conftest import copy_data
from tests.tiny.fakes import FakeLoader, fake_settings, open_fakes, take_in

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
KINDS = ("files", "dataset", "feed", "reindex")


Loader = partial(FakeLoader, catalog=catalog(), finds_copies=True)
"""Fakes with the catalog of the real models, which the routes list."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed data folder with a recording and its transcript."""
    folder = tmp_path_factory.mktemp("schema")
    spoken, rate_hz = soundfile.read(SAMPLES / "audio" / "s001.opus", frames=6 * 16_000)
    soundfile.write(folder / "s001.wav", spoken, rate_hz)
    with open_fakes(folder / "data", Loader()) as service:
        assert take_in(service, folder / "s001.wav") == ["indexed"]
        assert list(service.manage.catch_up()) == []
    return folder / "data"


@contextmanager
def application(role: str, data_dir: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Give the application, and what is in it by the names of parameters."""
    wanted, fakes = settings_of(role, data_dir), fake_settings(data_dir, Loader())
    used = wanted.model_copy(update={"engines": fakes.engines, "segmentation": fakes.segmentation})
    limits = used.limits.model_copy(update={"searches_a_minute": 10**6, "jobs_an_hour": 10**6})
    with Service.open(used.model_copy(update={"limits": limits}), loader=Loader()) as service:

        def nothing(job: Any, report: Any) -> Iterator[JobFile]:
            yield from ()

        jobs = JobQueue(service, dict.fromkeys(KINDS, nothing))
        (recording,) = service.browse.recordings("talks")
        (passage, *_) = service.browse.passages_of(recording.recording_id)
        values = {
            "recording_id": recording.recording_id, "recording_ids": [recording.recording_id], "number": 1,
            "id": recording.recording_id, "passage_id": passage.passage_id, "job_id": jobs.submit("reindex").job_id,
            "model": "mini", "name": "talks", "collection": "talks", "q": "bees", "question": "bees",
        }  # fmt: skip
        yield create_app(service, jobs=jobs), values


def name_what_is_there(case: Any, values: dict[str, Any]) -> None:
    """Put ids and names that there are in place of made-up ones."""
    body = case.body if isinstance(case.body, dict) else {}
    for made_up in (case.path_parameters or {}, case.query or {}, body):
        made_up.update({name: values[name] for name in made_up if name in values})


def ask_all(app: Any, role: str, examples: int, values: dict[str, Any]) -> tuple[Counter[str], list[str]]:
    """Send so many requests to every operation, to what removes things last.

    Returns:
        How often each was answered with which status, and what was answered that the OpenAPI does not have.
    """
    login = {"Authorization": f"Bearer ann:{PASSWORD}"}
    answered: Counter[str] = Counter()

    def send(case: Any) -> None:
        if answered.total() % 2:
            name_what_is_there(case, values)
        answer = case.call(headers=login if role == "owner" else {})
        answered[f"{case.method} {case.operation.path} {answer.status_code}"] += 1
        case.validate_response(answer, checks=CHECKS)

    quiet = settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", app, headers=login)
    operations = [found.ok() for found in schema.get_all_operations()]
    wrong = []
    for operation in sorted(operations, key=lambda one: (one.method == "delete", -len(one.path))):
        try:
            seed(1)(quiet(given(case=operation.as_strategy())(send)))()
        except (Exception, BaseExceptionGroup) as error:
            told = getattr(error, "exceptions", (error,))
            wrong += [f"{operation.method} {operation.path}: {one}" for one in told]
    return answered, wrong


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("role", "examples"),
    [("owner", 3), *(pytest.param(role, 60, marks=pytest.mark.slow, id=f"{role}, many") for role in ROLES)],
)
def test_every_operation_answers_as_the_openapi_says(role: str, examples: int, library: Path, tmp_path: Path) -> None:
    torch.set_flush_denormal(False)  # a recipe's test may have left it on, and hypothesis draws such numbers
    with application(role, copy_data(library, tmp_path / "data")) as (app, values):
        answered, wrong = ask_all(app, role, examples, values)
    assert wrong == []
    operations = {name.rpartition(" ")[0] for name in answered}
    assert len(operations) > 55
    statuses = {name.rpartition(" ")[2] for name in answered}
    expected = {"anonymous": "401", "visitor": "403", "user": "200", "owner": "200"}
    assert expected[role] in statuses
