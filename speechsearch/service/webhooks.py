"""Tell another server that a task has ended: signed messages, tried again until they arrive or are too old.

Source: Standard Webhooks 1.0 (standardwebhooks.com), for headers, signature and the form of the secret. A message
is a file of the data folder until it has arrived, so it survives a restart.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from speechsearch.domain.errors import ConfigurationError
from speechsearch.domain.visitors import shown_name
from speechsearch.service.outward import FetchError, check_address, new_client
from speechsearch.service.settings import Settings
from speechsearch.store import Job, JobFile

log = logging.getLogger(__name__)

WAITS_S = (5.0, 60.0, 300.0, 1800.0, 7200.0, 21600.0)
"""How long after each failure; then the message is given up."""
MOST_FILES = 100
"""So many results of one task are told one by one."""
SHORTEST_SECRET_BYTES = 16
PREFIX = "whsec_"


def key_of(secret: str) -> bytes:
    """Return the key of a secret: base64 after ``whsec_``, else its own bytes.

    Raises:
        ConfigurationError: it is too short, or damaged.

    >>> key_of("whsec_" + base64.b64encode(b"sixteen bytes ok").decode())
    b'sixteen bytes ok'
    """
    hint = "SPEECHSEARCH_WEBHOOKS__SECRET: for example what `openssl rand -base64 32` prints, after whsec_."
    try:
        key = base64.b64decode(secret[len(PREFIX) :], validate=True) if secret.startswith(PREFIX) else secret.encode()
    except binascii.Error as error:
        raise ConfigurationError("The secret of the webhooks is no base64 after whsec_.", hint) from error
    if len(key) < SHORTEST_SECRET_BYTES:
        raise ConfigurationError(f"The secret of the webhooks has less than {SHORTEST_SECRET_BYTES} bytes.", hint)
    return key


def signature(key: bytes, message_id: str, at_s: int, body: bytes) -> str:
    """Return the signature of a message.

    >>> signature(b"0123456789abcdef", "msg_1", 1700000000, b"{}")
    'v1,3uojc/2kvL+KpJkw4ZNrA/5YjEs9cdfKdc3lXIvRjkk='
    """
    signed = hmac.new(key, f"{message_id}.{at_s}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def message_of(job: Job, files: list[JobFile]) -> dict[str, Any]:
    """Return what is told of a task that has ended."""
    states: dict[str, int] = {}
    for one in files:
        states[one.state] = states.get(one.state, 0) + 1
    return {
        "type": f"job.{job.state}",
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": {
            "job_id": job.job_id,
            "kind": job.kind,
            "collection": shown_name(job.collection),
            "state": job.state,
            "message": job.message,
            "results": states,
            "files": [
                {"name": one.name, "state": one.state, "recording_id": one.recording_id, "message": one.message}
                for one in files[:MOST_FILES]
            ],
        },
    }


class Webhooks:
    """Sends messages in a thread of its own.

    Args:
        url: where to.
        secret: signs them.
        folder: keeps those that have not arrived.
        client: see ``outward.new_client``; redirects are not followed.
        waits_s: how long to wait after each failure.

    Raises:
        ConfigurationError: the address or the secret cannot be used.
    """

    def __init__(
        self, url: str, secret: str, folder: Path, client: httpx.Client, waits_s: tuple[float, ...] = WAITS_S
    ) -> None:
        try:
            check_address(url)
        except FetchError as error:
            raise ConfigurationError(f"SPEECHSEARCH_WEBHOOKS__URL: {error.message}", error.hint) from error
        self._url, self._key, self._client, self._waits_s = url, key_of(secret), client, waits_s
        self._folder = folder
        self._wake, self._is_over = threading.Event(), False
        self._due_s: dict[str, float] = {}
        self._thread = threading.Thread(target=self._work, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin, with what the last process left."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    def stop(self, wait_s: float = 5.0) -> None:
        """End; what has not arrived is sent by the next process."""
        self._is_over = True
        self._wake.set()
        self._thread.join(wait_s)

    def tell(self, message: Mapping[str, Any]) -> None:
        """Have a message sent."""
        name = f"msg_{secrets.token_hex(16)}"
        kept = {"failures": 0, "message": message}
        self._write(name, kept)
        self._wake.set()

    def _write(self, name: str, kept: Mapping[str, Any]) -> None:
        unfinished = self._folder / f"{name}.unfinished"
        unfinished.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
        unfinished.replace(self._folder / f"{name}.json")

    def _work(self) -> None:
        while True:
            self._wake.clear()
            if self._is_over:
                return
            try:
                next_s = self._send_due()
            except Exception:
                log.exception("webhooks")
                next_s = self._waits_s[0]
            self._wake.wait(next_s)

    def _send_due(self) -> float:
        """Send what is due and return in how many seconds the next is."""
        for path in sorted(self._folder.glob("msg_*.json")):
            if self._is_over:
                break
            if self._due_s.get(path.stem, 0.0) <= time.monotonic():
                self._send(path)
        waiting = [due_s - time.monotonic() for due_s in self._due_s.values()]
        return max(0.05, min(waiting, default=3600.0))

    def _send(self, path: Path) -> None:
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            tried, body = int(kept["failures"]), json.dumps(kept["message"], ensure_ascii=False).encode()
        except (ValueError, TypeError, KeyError):  # the power may have gone while it was written
            log.warning("Webhook %s is damaged and is given up.", path.stem)
            path.unlink()
            return
        reason = self._failure(path.stem, body)
        self._due_s.pop(path.stem, None)
        if not reason:
            path.unlink()
            return
        failures = tried + 1
        if failures > len(self._waits_s):
            log.warning("Webhook %s did not arrive (%s) and is given up after %d tries.", path.stem, reason, failures)
            path.unlink()
            return
        log.warning("Webhook %s did not arrive: %s", path.stem, reason)
        self._write(path.stem, {**kept, "failures": failures})
        self._due_s[path.stem] = time.monotonic() + self._waits_s[failures - 1]

    def _failure(self, name: str, body: bytes) -> str:
        """Send a message and return why it did not arrive; nothing when it did."""
        at_s = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(at_s),
            "webhook-signature": signature(self._key, name, at_s, body),
        }
        try:
            with self._client.stream(
                "POST", self._url, content=body, headers=headers, follow_redirects=False
            ) as answer:
                return "" if answer.is_success else f"status {answer.status_code}"
        except httpx.HTTPError as error:
            return str(error) or type(error).__name__
        except FetchError as error:
            return error.code  # its text names the address, which may be a secret


@contextmanager
def telling(
    settings: Settings, on_done: list[Callable[[Job], None]], files_of: Callable[[str], list[JobFile]]
) -> Iterator[None]:
    """Tell of every task that ends while the block runs, if the settings say where.

    Args:
        settings: have the address and the secret.
        on_done: is called with every task that has ended.
        files_of: gives what became of a task's files.

    Raises:
        ConfigurationError: the address or the secret cannot be used.
    """
    if not settings.webhooks.url:
        yield
        return
    folder = settings.data_dir.expanduser().resolve() / "webhooks"
    with new_client(private_hosts=settings.network.private_hosts) as client:
        webhooks = Webhooks(settings.webhooks.url, settings.webhooks.secret.get_secret_value(), folder, client)
        webhooks.start()
        on_done.append(lambda job: webhooks.tell(message_of(job, files_of(job.job_id))))
        try:
            yield
        finally:
            webhooks.stop()
