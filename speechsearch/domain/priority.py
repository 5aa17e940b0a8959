"""Work that can wait goes after work that somebody waits for."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Made = TypeVar("Made")

LESS_URGENT = 10


def make_way() -> None:
    """Have this thread compute when the others of the program, and other programs, leave it a processor.

    It does nothing but on Linux, where every thread has a priority of its own; one that is lower already stays.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, max(LESS_URGENT, os.getpriority(os.PRIO_PROCESS, thread)))


def made_less_urgent(make: Callable[[], Made]) -> Made:
    """Return what a function makes; the threads that it starts make way, too, and the one that calls does not."""
    with ThreadPoolExecutor(1, initializer=make_way) as threads:
        return threads.submit(make).result()
