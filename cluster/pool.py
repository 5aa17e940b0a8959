"""A pool of Ray actors, each with a worker; one that dies is replaced."""

from __future__ import annotations

import logging
import os
import time
from types import TracebackType
from typing import Any

from cluster.shared import Opener
from cluster.tasks import Answer, How, Task
from cluster.worker import Worker
from ingest.sources import clean
from speechsearch.domain.errors import ConfigurationError, MissingDependencyError
from speechsearch.service.settings import Settings

log = logging.getLogger(__name__)

STARTS, CLOSE_S, TELL_EVERY_S = 3, 60.0, 600.0
DIED = "The process that worked on it ended: killed, out of memory, or by a fault of a library."


class RayPool:
    """Actors on this machine, or on the cluster at ``address``; a context manager.

    Each works as soon as it has started; where another driver has the cluster's room, they wait for that.

    Raises:
        MissingDependencyError: Ray is not installed.
        ConfigurationError: there is no cluster at the address, or it is too small for an actor.
    """

    def __init__(self, settings: Settings, how: How, opener: Opener, address: str = "") -> None:
        self._ray = _started(address)
        self._settings, self._how, self._opener = settings, how, opener
        self._idle: list[Any] = []
        self._running: dict[Any, tuple[str, Any]] = {}
        self._starting: dict[Any, Any] = {}
        self._failed_starts, self._told_s = 0, time.monotonic()
        try:
            self.size = self._room()
            for _ in range(self.size):
                self._start()
        except BaseException:
            self._ray.shutdown()
            raise

    def __enter__(self) -> RayPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._idle:  # wait: one that dies now has nothing left to do
            self._ray.wait([one.close.remote() for one in self._idle], num_returns=len(self._idle), timeout=CLOSE_S)
        self._ray.shutdown()

    @property
    def has_room(self) -> bool:
        """Whether an actor is idle."""
        return bool(self._idle)

    def submit(self, task: Task, holder: str) -> None:
        """Give a task to an idle actor."""
        actor = self._idle.pop()
        self._running[actor.do.remote(task, holder)] = (holder, actor)

    def next(self, timeout_s: float) -> tuple[str, Answer] | None:
        """Return the holder and the answer of a task that is done; None where none is in time.

        Raises:
            ConfigurationError: actors do not start.
        """
        if not (awaited := [*self._running, *self._starting]):
            time.sleep(timeout_s)
            return None
        done, _ = self._ray.wait(awaited, timeout=timeout_s)
        if not done:
            self._tell()
            return None
        if done[0] in self._starting:
            self._has_started(done[0])
            return None
        holder, actor = self._running.pop(done[0])
        try:
            answer: Answer = self._ray.get(done[0])
        except self._ray.exceptions.RayTaskError as error:
            log.error("An actor failed: %s", error)
            answer = Answer("died", message=f"{type(error.cause).__name__}: {clean(error.cause)}")
        except self._ray.exceptions.RayError as error:
            log.warning("An actor ended: %s", str(error).partition("\n")[0])
            self._ray.kill(actor)
            self._start()
            return holder, Answer("died", message=DIED)
        self._idle.append(actor)
        return holder, answer

    def _start(self) -> None:
        """Have an actor start."""
        chosen = self._settings.cluster
        made = self._ray.remote(Worker).options(num_cpus=chosen.cpus, num_gpus=chosen.gpus, max_restarts=0)
        actor = made.remote(self._settings, self._how, self._opener)
        self._starting[actor.ready.remote()] = actor

    def _has_started(self, ref: Any) -> None:
        """Take in an actor that is ready, or start another one. Raises ConfigurationError: again and again."""
        actor = self._starting.pop(ref)
        try:
            self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            self._failed_starts += 1
            if self._failed_starts >= STARTS * self.size:
                hint = "Ray's logs have more (/tmp/ray/session_latest/logs on each machine)."
                raise ConfigurationError(f"Ray's actors do not start: {error!s:.1000}", hint) from error
            log.warning("An actor did not start: %s", str(error).partition("\n")[0])
            self._start()
        else:
            self._failed_starts = 0
            self._idle.append(actor)

    def _tell(self) -> None:
        """Say now and then that no actor has started yet."""
        if not self._running and not self._idle and time.monotonic() - self._told_s > TELL_EVERY_S:
            self._told_s = time.monotonic()
            log.warning("No actor has started yet; does another driver have all of the cluster?")

    def _room(self) -> int:
        """Return how many actors there are to be. Raises ConfigurationError."""
        chosen, has = self._settings.cluster, self._ray.cluster_resources()
        room = int(has.get("CPU", 0) // chosen.cpus)
        if chosen.gpus:
            room = min(room, int(has.get("GPU", 0) / chosen.gpus))
        if room < 1:
            raise ConfigurationError(
                f"The cluster has {has.get('CPU', 0):g} CPUs and {has.get('GPU', 0):g} GPUs: no room for an actor.",
                "Set SPEECHSEARCH_CLUSTER__CPUS and ..__GPUS to what there is.",
            )
        return min(room, chosen.actors) if chosen.actors else room


def _started(address: str) -> Any:
    """Start Ray, or join the cluster at an address, and return the module."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    try:
        import ray
    except ImportError as error:
        raise MissingDependencyError("Ray is not installed.", "pip install -r requirements-cluster.txt") from error
    local: dict[str, Any] = {} if address else {"include_dashboard": False, "object_store_memory": 100 * 2**20}
    try:
        ray.init(address=address or None, log_to_driver=False, logging_level=logging.ERROR, **local)
    except (ConnectionError, ValueError, RuntimeError) as error:
        hint = "See `ray status` there, or leave --address out: then Ray runs on this machine."
        raise ConfigurationError(f"There is no Ray cluster at {address!r:.200}: {error!s:.300}", hint) from error
    # Ray prints what happened to its processes to the standard output, where a command's results go.
    ray._private.worker.print_to_stdstream = _logged
    return ray


def _logged(data: dict[str, Any], ignore_prefix: bool = False) -> None:
    """Log a message of Ray."""
    log.info("Ray: %s", " ".join(data["lines"]))
