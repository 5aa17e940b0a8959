"""Read files that are not trusted in child processes with limited memory and time.

What an archive or a decoder does with a hostile file cannot be bounded from inside: one call may take gigabytes or
hours. So it happens in a child that streams back what it reads; one that goes past a limit, or crashes, is an error
that names the file, and the rest goes on. The limits hold for each task:

- memory: the address space (RLIMIT_AS) of Linux. macOS does not enforce that limit, so there a child looks at its own
  size five times a second; a library that takes much in one call without releasing Python's lock is seen late.
- computing: a timer of the kernel (ITIMER_PROF), which needs no help from the code that hangs. RLIMIT_CPU would do the
  same for one task, but counts all that a child has done in units that no call tells, so it cannot be moved exactly.
- waiting: the parent's clock runs only while it waits, since whoever takes the answers may be slow.

A child costs about half a second to start, so it is kept for the next task. It dies with its parent at once, or at the
latest at its limit when a library holds Python's lock. It can write no file and dumps no core. This is no sandbox
against a decoder that is taken over: it runs as the same user.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from time import monotonic
from typing import IO, Any, cast

from speechsearch.audio.child import (
    BYTES,
    DONE,
    ERROR,
    FRAME,
    IDLE_S,
    JSON,
    OUT_OF_MEMORY,
    READY,
    TASK,
    described,
    send,
)
from speechsearch.domain import errors
from speechsearch.domain.errors import ConfigurationError, InputError

__all__ = ["Allowance", "ChildError", "described", "error_of", "in_child"]

Value = Any
"""What a task yields: bytes, or something that JSON can hold."""

WATCHES_MEMORY = sys.platform == "darwin"
START_S = 120.0
DYING_S = 10.0
"""A process with much memory is not gone at once."""
MOST_TASKS = 500
"""After so many a child is replaced, whatever its libraries have left behind."""
MOST_IDLE = 2
WORTH_WAITING_S = 0.5
"""A child costs about so long to start, so where some work already one waits as long for them to be done first."""
LARGEST_FRAME_BYTES = 64 << 20
BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from speechsearch.audio.child import serve; serve(sys.argv[2] == 'watch')"
)
CODES = {kind.code: kind for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "code")}


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one task may use: memory besides that of an idle child, seconds of computing, seconds that one waits."""

    memory_bytes: int
    cpu_s: float
    wait_s: float


class ChildError(RuntimeError):
    """A task failed by a mistake of ours; the message is the child's traceback."""


def in_child(
    call: str,
    arguments: Mapping[str, Value],
    allowance: Allowance,
    name: str,
    kind: type[InputError],
    content: bytes = b"",
) -> Generator[Value, None, None]:
    """Yield what a generator function yields, run in a child.

    Args:
        call: "module:function"; it gets ``content`` and the arguments, which JSON must hold.
        name: what is read, for messages.
        kind: the error for a child that goes past a limit or crashes.

    Raises:
        SpeechSearchError: the function did, or (``kind``) the child is past a limit or has crashed.
        OSError: the function did.
        ChildError: the function raised anything else.
    """
    with _children().one() as child:
        task = {"call": call, "arguments": arguments, "memory_bytes": allowance.memory_bytes, "cpu_s": allowance.cpu_s}
        try:
            child.ask(task, content)
            yield from child.answers(allowance.wait_s)
        except TimeoutError as error:
            raise kind(f"{name} was given up: nothing came of it in {allowance.wait_s:g} seconds.") from error
        except (EOFError, BrokenPipeError) as error:
            raise kind(f"{name} was given up: {reason(child.end(DYING_S), allowance)}.") from error


def reason(code: int, allowance: Allowance) -> str:
    """Return why a child has ended, by its exit code.

    >>> reason(-signal.SIGPROF, Allowance(1 << 30, 20, 60)), reason(-signal.SIGSEGV, Allowance(1 << 30, 20, 60))
    ('reading it takes more than 20 seconds of computing', 'the process that read it has crashed (SIGSEGV)')
    """
    if code == -signal.SIGPROF:
        return f"reading it takes more than {allowance.cpu_s:.3g} seconds of computing"
    if code == OUT_OF_MEMORY:
        return f"reading it takes more than {allowance.memory_bytes / 1e6:,.0f} MB of memory"
    return f"the process that read it has crashed ({signal.Signals(-code).name if code < 0 else f'code {code}'})"


class Child:
    """One process."""

    def __init__(self) -> None:
        paths = json.dumps([os.path.abspath(path) for path in sys.path])  # noqa: PTH100  "" is the current folder
        command = [sys.executable, "-c", BOOT, paths, "watch" if WATCHES_MEMORY else ""]
        # One thread and few arenas: each reserves address space. A session of its own: Ctrl-C is for the parent.
        small = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **small},
            start_new_session=True, bufsize=0,
        )  # fmt: skip
        self._tasks = cast(IO[bytes], self._process.stdin)
        self._answers = cast(IO[bytes], self._process.stdout)
        self._poll = select.poll()
        self._poll.register(self._answers, select.POLLIN)
        self._left_s = START_S
        self._done = 0
        self._rested_at_s = monotonic()
        self.is_free = False
        """Whether the last task has ended and the next may come."""
        try:
            self.is_free = self._frame()[0] == READY
        except (TimeoutError, EOFError) as error:
            self.end()
            raise ConfigurationError(
                "The process that reads files cannot be started.", "Run: python -c 'import speechsearch.audio.child'"
            ) from error

    def ask(self, task: Mapping[str, Value], content: bytes) -> None:
        """Begin a task."""
        self.is_free = False
        self._done += 1
        send(cast(Any, self._tasks), TASK, json.dumps(task).encode())
        send(cast(Any, self._tasks), BYTES, content)

    def answers(self, wait_s: float) -> Iterator[Value]:
        """Yield what comes back. Raises EOFError when the child ends, TimeoutError after so long a wait in all."""
        self._left_s = wait_s
        while True:
            kind, content = self._frame()
            if kind == BYTES:
                yield content
            elif kind == JSON:
                yield json.loads(content)
            else:
                self.is_free = kind in (DONE, ERROR) and self._done < MOST_TASKS
                self._rested_at_s = monotonic()
                if kind == ERROR:
                    raise error_of(json.loads(content))
                return

    @property
    def is_usable(self) -> bool:
        """Whether it lives, and not for so long without a task that it may end at any moment."""
        return monotonic() - self._rested_at_s < IDLE_S / 2 and self._process.poll() is None

    def end(self, wait_s: float = 0.0) -> int:
        """Kill it unless it ends by itself within ``wait_s``, and return its exit code."""
        try:
            code = self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._tasks.close()
        self._answers.close()
        return code

    def _frame(self) -> tuple[bytes, bytes]:
        kind, length = FRAME.unpack(self._exactly(FRAME.size))
        if length > LARGEST_FRAME_BYTES:
            raise EOFError("the frames are out of step")
        return kind, self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        content = bytearray(count)
        left = memoryview(content)
        while len(left):
            started_s = monotonic()
            is_there = self._poll.poll(max(0.0, self._left_s) * 1000)
            self._left_s -= monotonic() - started_s
            if not is_there:
                raise TimeoutError
            got = os.readv(self._answers.fileno(), [left])
            if not got:
                raise EOFError
            left = left[got:]
        return bytes(content)


class Children:
    """The processes of this one, kept between tasks; any number work at a time, one for each that asks."""

    def __init__(self) -> None:
        self._idle: list[Child] = []
        self._lent = 0
        self._changed = threading.Condition()
        self._owner = os.getpid()
        atexit.register(self.close)

    @contextmanager
    def one(self) -> Iterator[Child]:
        """Lend a child; it is kept if its task has ended by then, and else ended with it."""
        child = self._taken()
        try:
            child = child or Child()
            yield child
        finally:
            with self._changed:
                self._lent -= 1
                is_kept = child is not None and child.is_free and len(self._idle) < MOST_IDLE
                if child is not None and is_kept:
                    self._idle.append(child)
                self._changed.notify()
            if child is not None and not is_kept:
                child.end()

    def close(self) -> None:
        """End all that wait."""
        with self._changed:
            idle, self._idle = self._idle, []
        for child in idle if self._owner == os.getpid() else ():
            child.end()

    def _taken(self) -> Child | None:
        """Return a child that waits, or will soon; None if there is none. It counts as lent."""
        if self._owner != os.getpid():  # a fork: the children are its parent's
            self._idle, self._lent, self._changed, self._owner = [], 0, threading.Condition(), os.getpid()
        until_s = monotonic() + WORTH_WAITING_S
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._idle or self._lent < MOST_IDLE, until_s - monotonic())
                child = self._idle.pop() if self._idle else None
                if child is None or child.is_usable:
                    self._lent += 1
                    return child
            child.end()


@cache
def _children() -> Children:
    return Children()


def error_of(told: Mapping[str, Value]) -> Exception:
    """Return the error that a child has described.

    >>> error_of({"code": "decode", "message": "a.mp3 is empty.", "hint": ""})
    DecodeError('a.mp3 is empty.')
    """
    if "code" in told:
        known: Exception = CODES[told["code"]](told["message"], told["hint"])
        return known
    return OSError(told["errno"], told["message"]) if "errno" in told else ChildError(told["message"])
