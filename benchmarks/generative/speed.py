"""Measure what one typed question takes, whole, and the memory of a process that asks it.

The time is that of the processor, on one thread: what else the machine does counts little. Every model has a process of
its own: ``python -m benchmarks.generative.speed runs/generative NAME``; ``adapter`` is the same process without one,
its passages looked up by their vectors.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer
from safetensors.torch import load_file

from benchmarks.generative.measure import VECTORS, generator_of
from benchmarks.generative.sets import read
from speechsearch.domain.values import Query
from speechsearch.evaluation.machine import peak_memory_bytes
from speechsearch.models.generative_cards import WEIGHTS
from speechsearch.service.open import new_loader
from speechsearch.service.settings import Settings

TIMED = 50
LIMIT = 20


def apart(out: Path, name: str) -> dict[str, Any]:
    """Return what a process of its own measures of a model."""
    command = [sys.executable, "-m", "benchmarks.generative.speed", str(out), name]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def median_ms(ask: Callable[[Query], object], queries: list[Query]) -> float:
    """Return which time of a core a question takes; the first is asked twice and timed the second time."""
    ask(queries[0])
    spent_ms = []
    for query in queries:
        started = time.process_time()
        ask(query)
        spent_ms.append((time.process_time() - started) * 1000)
    return float(np.median(spent_ms))


def main(out: Path, name: str) -> None:
    """Print milliseconds a question, of which to read it, and the most memory that was held, in MB."""
    torch.set_num_threads(1)
    settings = Settings()
    encoder = new_loader(settings).model("speech encoder", settings.engines.encoder_name)
    typed = [Query(one.text) for one in read(out / "set").collection.queries[: 2 * TIMED]]
    queries, others = typed[:TIMED], typed[TIMED:]  # what was read once is kept, and costs nothing the second time
    meaning = encoder.meaning.name
    if name == "adapter":
        vectors = torch.stack(list(load_file(out / VECTORS).values()))

        def ask(query: Query) -> object:
            return (vectors @ torch.from_numpy(encoder.encode_query(query, meaning))).topk(LIMIT)

        reading_ms = median_ms(lambda query: encoder.encode_query(query, meaning), others)
        passages, model_mb = len(vectors), 0.0
    else:
        folder = out / "runs" / name
        generator = generator_of(folder, encoder)
        passages, model_mb = len(generator.tokens), (folder / WEIGHTS).stat().st_size / 1e6

        def ask(query: Query) -> object:
            return generator.generate(query, LIMIT, generator.tokens)

        reading_ms = median_ms(lambda query: generator.listener.of_texts([query.text]), others)
    print(
        json.dumps(
            {
                "passages": passages, "asked": len(queries), "question_ms": median_ms(ask, queries),
                "reading_ms": reading_ms, "model_mb": model_mb, "peak_mb": peak_memory_bytes() / 1e6,
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    typer.run(main)
