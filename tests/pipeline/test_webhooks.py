"""Webhooks: signed, tried again, kept over a restart, given up at last, never sent into a private network unasked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest import runners
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import ConfigurationError
from speechsearch.jobs.queue import JobQueue
from speechsearch.service.open import Service
from speechsearch.service.outward import new_client
from speechsearch.service.settings import NetworkSettings, WebhookSettings
from speechsearch.service.webhooks import Webhooks, key_of, telling
from tests.tiny.fakes import FakeLoader, fake_settings
from tests.tiny.local_server import Asked, LocalServer, local_server

SECRET = "a secret of the owner"
HERE = ("127.0.0.1",)


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with local_server() as found:
        found.answers["/hook"] = (204, {}, b"")
        yield found


def webhooks(server: LocalServer, folder: Path, private_hosts=HERE, path: str = "/hook") -> Webhooks:
    client = new_client(private_hosts=private_hosts)
    return Webhooks(server.url(path), SECRET, folder, client, waits_s=(0.05, 0.05))


def wait(condition) -> None:
    until_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.02)


def is_signed(asked: Asked) -> bool:
    signed = f"{asked.headers['webhook-id']}.{asked.headers['webhook-timestamp']}.".encode() + asked.body
    expected = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    return asked.headers["webhook-signature"] == f"v1,{expected}"


def test_a_task_that_ends_is_told_signed(server: LocalServer, tmp_path: Path) -> None:
    models = FakeLoader()
    more = {
        "network": NetworkSettings(private_hosts=HERE),
        "webhooks": WebhookSettings(url=server.url("/hook"), secret=SECRET),
    }
    settings = fake_settings(tmp_path / "data", models).model_copy(update=more)
    (tmp_path / "talk.opus").write_bytes((SAMPLES / "audio" / "s004.opus").read_bytes())
    (tmp_path / "broken.wav").write_bytes(b"x")
    with Service.open(settings, loader=models) as service:
        jobs = JobQueue(service, runners(service, SAMPLES))
        jobs.start()
        with telling(settings, jobs.on_done, jobs.files):
            job = jobs.submit_files(
                [(tmp_path / "talk.opus", "talk.opus"), (tmp_path / "broken.wav", "b.wav")], "talks"
            )
            wait(lambda: len(server.asked) >= 2)  # the second pass is told, too
        jobs.stop()
        (recording,) = service.browse.recordings()
    asked = server.asked[0]
    told = json.loads(asked.body)
    assert is_signed(asked) and (asked.method, told["type"]) == ("POST", "job.done")
    assert told["data"]["job_id"] == job.job_id and told["data"]["results"] == {"indexed": 1, "failed": 1}
    assert {one["recording_id"] for one in told["data"]["files"]} >= {recording.recording_id}
    wait(lambda: list((tmp_path / "data" / "webhooks").iterdir()) == [])


def test_it_is_tried_again_with_the_same_id_and_given_up_at_last(server: LocalServer, tmp_path: Path) -> None:
    answers = iter([500, 302, 200, 500, 500, 500])
    server.answers["/hook"] = lambda asked: (next(answers), {"Location": "/elsewhere"}, b"")
    sender = webhooks(server, tmp_path / "webhooks")
    sender.start()
    sender.tell({"n": 1})
    wait(lambda: len(server.asked) == 3 and not list((tmp_path / "webhooks").glob("*.json")))
    assert len({one.headers["webhook-id"] for one in server.asked}) == 1 and all(map(is_signed, server.asked))
    sender.tell({"n": 2})
    wait(lambda: len(server.asked) == 6 and not list((tmp_path / "webhooks").glob("*.json")))
    sender.stop()
    assert {one.path for one in server.asked} == {"/hook"}, "redirects are not followed"


def test_what_has_not_arrived_is_sent_by_the_next_process(server: LocalServer, tmp_path: Path) -> None:
    gone = webhooks(server, tmp_path / "webhooks")
    (tmp_path / "webhooks").mkdir()
    gone.tell({"n": 1})  # killed before it began
    again = webhooks(server, tmp_path / "webhooks")
    again.start()
    wait(lambda: [json.loads(one.body) for one in server.asked] == [{"n": 1}])
    again.stop()


def test_a_damaged_message_does_not_hold_up_the_others(server: LocalServer, tmp_path: Path) -> None:
    for number, content in enumerate((b"", b"[]", b'{"failures": 0}', b"\xff")):
        (tmp_path / f"msg_{number}.json").write_bytes(content)
    sender = webhooks(server, tmp_path)
    sender.start()
    sender.tell({"n": 1})
    wait(lambda: not list(tmp_path.glob("*.json")))
    sender.stop()
    assert [json.loads(one.body) for one in server.asked] == [{"n": 1}]


def test_nothing_is_sent_into_a_private_network_unless_it_is_allowed(server: LocalServer, tmp_path: Path) -> None:
    sender = webhooks(server, tmp_path / "webhooks", private_hosts=())
    sender.start()
    sender.tell({"n": 1})
    wait(lambda: not list((tmp_path / "webhooks").glob("*.json")))
    sender.stop()
    assert server.asked == []


@pytest.mark.parametrize("secret", ["", "short", "whsec_???", "whsec_c2hvcnQ="])
def test_a_weak_or_damaged_secret_is_refused(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="secret of the webhooks"):
        key_of(secret)


@pytest.mark.parametrize("url", ["example.org/hook", "ftp://example.org/", "file:///etc/passwd"])
def test_an_address_that_is_none_is_refused(url: str, tmp_path: Path) -> None:
    with new_client() as client, pytest.raises(ConfigurationError, match="WEBHOOKS__URL"):
        Webhooks(url, SECRET, tmp_path, client)
