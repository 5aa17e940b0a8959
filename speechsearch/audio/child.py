"""The child's side of ``children``: does one task after the other within the memory and time that each is given.

Frames go both ways, five bytes before each: a letter for the kind, then the length. A task (T) is JSON, followed by
bytes (B); the answer is any number of values (J for JSON, B for bytes) and then the end (D), an error (E), or the death
of this process. It ends with its parent, whose end of the pipe closes, and when it was not needed for a while.
"""

from __future__ import annotations

import json
import math
import os
import queue
import resource
import select
import signal
import struct
import sys
import threading
import traceback
from collections.abc import Iterable
from importlib import import_module
from typing import Any, BinaryIO

from speechsearch.domain.errors import SpeechSearchError

FRAME = struct.Struct(">cI")
READY, TASK, JSON, BYTES, ERROR, DONE = b"R", b"T", b"J", b"B", b"E", b"D"

IDLE_S = 120.0
LOOK_EVERY_S = 0.2
OUT_OF_MEMORY = 97
"""The exit code of a child that has found itself too large."""


def serve(watches_memory: bool) -> None:
    """Do the tasks that come in on standard input until it closes.

    ``watches_memory``: look at its own size, for systems on which the kernel does not stop a process that grows.
    """
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)  # what a library prints must not get between the frames
    os.dup2(nowhere, 2)
    sys.dont_write_bytecode = True
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):  # it writes no files
        resource.setrlimit(kind, (0, 0))
    tasks: queue.SimpleQueue[tuple[dict[str, Any], bytes]] = queue.SimpleQueue()
    ceiling = Ceiling()
    threading.Thread(target=_listen, args=(tasks, ceiling if watches_memory else None), daemon=True).start()
    send(answers, READY)
    while True:
        try:
            task, content = tasks.get(timeout=IDLE_S)
        except queue.Empty:
            os._exit(0)
        _do(task, content, answers, ceiling)


class Ceiling:
    """How large the process may become."""

    memory_bytes = math.inf


def send(stream: BinaryIO, kind: bytes, content: bytes = b"") -> None:
    """Write one frame."""
    stream.write(FRAME.pack(kind, len(content)))
    left = memoryview(content)
    while len(left):
        left = left[stream.write(left) :]


def size_bytes() -> tuple[int, int] | None:
    """Return how much address space and how much memory this process has; None where the system does not tell."""
    try:
        with open("/proc/self/statm") as file:
            space, memory = file.read().split()[:2]
    except OSError:
        return None
    return int(space) * resource.getpagesize(), int(memory) * resource.getpagesize()


def memory_bytes() -> int:
    """Return how much memory this process has; on macOS, the most that it has had."""
    sizes = size_bytes()
    return sizes[1] if sizes else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _listen(tasks: queue.SimpleQueue[tuple[dict[str, Any], bytes]], ceiling: Ceiling | None) -> None:
    """Pass tasks on; end the process when the parent is gone or, with a ceiling, when it has grown above that."""
    try:
        while True:
            while ceiling is not None and not select.select([0], [], [], LOOK_EVERY_S)[0]:
                if memory_bytes() > ceiling.memory_bytes:
                    os._exit(OUT_OF_MEMORY)
            task = json.loads(_frame())
            tasks.put((task, _frame()))
    finally:
        os._exit(0)


def _frame() -> bytes:
    _, length = FRAME.unpack(_exactly(FRAME.size))
    return _exactly(length)


def _exactly(count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = os.read(0, min(count - len(parts), 1 << 20))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


def _limit(more_bytes: int, cpu_s: float) -> None:
    """Limit what is added from now on; an earlier task's use of time does not count."""
    signal.setitimer(signal.ITIMER_PROF, cpu_s)  # its signal ends the process
    if sizes := size_bytes():  # macOS has no such number and ignores the limit; the watch stands in for it
        hard_bytes = resource.getrlimit(resource.RLIMIT_AS)[1]
        wanted_bytes = sizes[0] + more_bytes
        soft_bytes = wanted_bytes if hard_bytes == resource.RLIM_INFINITY else min(wanted_bytes, hard_bytes)
        resource.setrlimit(resource.RLIMIT_AS, (soft_bytes, hard_bytes))


def _do(task: dict[str, Any], content: bytes, answers: BinaryIO, ceiling: Ceiling) -> None:
    """Send what a generator function yields, or how it failed."""
    module, _, name = task["call"].partition(":")
    try:
        function = getattr(import_module(module), name)  # before the limits: what it loads is no part of the task
        _limit(task["memory_bytes"], task["cpu_s"])
        ceiling.memory_bytes = memory_bytes() + task["memory_bytes"]
        values: Iterable[object] = function(content, **task["arguments"])
        for value in values:
            if isinstance(value, bytes):
                send(answers, BYTES, value)
            else:
                send(answers, JSON, json.dumps(value).encode())
        end = (DONE, b"")
    except BrokenPipeError:
        os._exit(0)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except Exception as error:
        end = (ERROR, json.dumps(described(error)).encode())
    signal.setitimer(signal.ITIMER_PROF, 0)  # before the end is told, because the next task may come right after it
    ceiling.memory_bytes = math.inf
    send(answers, *end)


def described(error: Exception) -> dict[str, Any]:
    """Return an error as JSON can hold it; ``children.error_of`` goes back."""
    if isinstance(error, SpeechSearchError):
        return {"code": error.code, "message": error.message, "hint": error.hint}
    if isinstance(error, OSError) and error.errno is not None:
        return {"errno": error.errno, "message": error.strerror}
    return {"message": "".join(traceback.format_exception(error))[-4000:]}
