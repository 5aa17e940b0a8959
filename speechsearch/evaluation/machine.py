"""Say on what a figure was measured, without naming the computer or its user."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Machine:
    """The parts of a computer that a figure depends on; ``torch`` is "" where it is not installed."""

    processor: str
    cores: int
    memory_bytes: int
    system: str
    python: str
    torch: str

    def __str__(self) -> str:
        torch = f", torch {self.torch}" if self.torch else ""
        memory = f"{self.memory_bytes / 2**30:.1f} GiB"
        return f"{self.processor}, {self.cores} cores, {memory}, {self.system}, Python {self.python}{torch}"


def describe_machine() -> Machine:
    """Return what this process runs on; the cores are those it may use."""
    import psutil

    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux can tell
        cores = os.cpu_count() or 1
    try:
        torch = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        torch = ""
    system = f"{platform.system()} {platform.machine()}"
    return Machine(processor(), cores, psutil.virtual_memory().total, system, platform.python_version(), torch)


def processor(description: Path = Path("/proc/cpuinfo")) -> str:
    """Return the model of the processor, as Linux describes it or else as Python does."""
    if description.is_file():
        for line in description.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return " ".join(value.split())
    return platform.processor() or platform.machine() or "unknown processor"


def peak_memory_bytes() -> int:
    """Return the most memory that this process has held at one time since it started."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
