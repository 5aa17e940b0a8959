"""The command that measures how vectors can be indexed: benchmark-index."""

from __future__ import annotations

import shlex
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechsearch.cli_shared import Json, opened, put
from speechsearch.domain.errors import InputError, MissingDependencyError

if TYPE_CHECKING:
    from speechsearch.domain.values import FloatMatrix
    from speechsearch.evaluation.index_tradeoff import Method

LARGEST_ASKED, MOST_RUNS = 10_000, 20
SIMILAR = "similar"
"""The vectors of the sound embedder, which are of windows, and so no channel of passages."""


def add_commands(app: typer.Typer) -> None:
    """Add the command to the program's."""
    app.command("benchmark-index")(benchmark_index)


def benchmark_index(
    collection: Annotated[str, typer.Option("--collection", "-c", help="The vectors of this collection only.")] = "",
    vectors: Annotated[
        str,
        typer.Option(
            help="Those of your library by the name of their channel, or similar; or a file of NumPy: FILE.npy."
        ),
    ] = "adapter",
    queries: Annotated[
        Path | None, typer.Option(help="What to ask, as FILE.npy; without it, vectors near those that are indexed.")
    ] = None,
    points: Annotated[
        int, typer.Option(min=0, max=10_000_000, help="Grow the vectors to so many, or take fewer; 0: as they are.")
    ] = 0,
    methods: Annotated[str, typer.Option(help="Some only, as `flat,int8,faiss-ivf`; without it, all.")] = "",
    url: Annotated[
        str, typer.Option(help="Measure a Qdrant server too, with the key of the settings, in collections of its own.")
    ] = "",
    asked: Annotated[int, typer.Option(min=10, max=LARGEST_ASKED, help="Queries a run.")] = 100,
    runs: Annotated[int, typer.Option(min=1, max=MOST_RUNS)] = 3,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the figures to this file too.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw them into this file, FILE.svg.")] = None,
    as_json: Json = False,
) -> None:
    """Measure ways of indexing vectors: how many of the nearest 10 each finds, how fast, and what it takes.

    Qdrant Edge compares all, searches a graph (HNSW) or coarser copies (int8, binary, PQ, TurboQuant) whose best are
    compared again; faiss, where it is installed, is the yardstick. What was measured of the library itself stands on
    the Compare tab. An index is built in a temporary folder; yours stays as it is.
    """
    import numpy as np

    from speechsearch.evaluation import describe_machine, index_report
    from speechsearch.evaluation.index_tradeoff import PARTS, rows_of, truth_of
    from speechsearch.evaluation.index_vectors import MOVED, grown, moved, read_vectors
    from speechsearch.service.settings import read_settings

    settings = read_settings()
    real, name, is_library = _vectors(vectors, collection, points)
    count = points or len(real)
    if count > len(real):
        name += f", drawn with replacement to {count:,} and moved (noise of length {MOVED})"
    elif count < len(real):
        name += f", {count:,} of them by chance"
    all_vectors = grown(real, count)
    questions = read_vectors(queries) if queries else moved(real, asked, seed=2)
    if questions.shape[1] != real.shape[1]:
        raise InputError(f"'{queries}' has {questions.shape[1]} numbers a row, the vectors {real.shape[1]}.")
    questions = questions[:asked]
    name += f"; asked: {'rows of ' + queries.name if queries else 'vectors near them'}"
    parts = np.arange(count) % PARTS
    truth = truth_of(all_vectors, parts, questions)
    said = [part.replace(url, "URL") if url else part for part in sys.argv[1:]]  # it may hold a password
    found = index_report.Tradeoff(
        name, count, all_vectors.shape[1], len(questions), runs, str(describe_machine()),
        shlex.join(["speechsearch", *said]), time.strftime("%Y-%m-%d"), (),
    )  # fmt: skip
    files = [settings.data_dir.expanduser().resolve() / index_report.FILE_NAME] if is_library else []
    files += [output] if output else []
    for method in _methods(methods, count, url, settings.index.api_key.get_secret_value()):
        _say(f"{method.engine} {method.name} ...")
        with tempfile.TemporaryDirectory() as folder:
            rows = rows_of(method, all_vectors, parts, questions, truth, Path(folder), runs)
        for row in rows:
            _say("  " + "  ".join(index_report.cells(row)[1:4]))
        found = replace(found, rows=(*found.rows, *rows))
        for file in files:  # after each: the next may take hours
            index_report.write(found, file)
    if picture:
        _write_picture(picture, index_report.picture_file(found))
    put(found) if as_json else print(index_report.as_markdown(found))


def _vectors(given: str, collection: str, points: int) -> tuple[FloatMatrix, str, bool]:
    """Return vectors of length 1, what they are in words, and whether they are all that the library has of a kind."""
    from speechsearch.evaluation.index_vectors import LEAST_ROWS, read_vectors, unit_rows

    if given.endswith(".npy"):
        if collection:
            raise InputError("A file of vectors has no collections.", "Leave --collection out.")
        real = read_vectors(Path(given))
        return real, f"{len(real):,} vectors of {Path(given).name}", False
    with opened() as service:
        if given == SIMILAR:
            real, what = service.browse.window_vectors(collection or None), "windows of recordings"
        else:
            real, what = service.browse.dense_vectors(given, collection or None), "passages"
    if not len(real) or max(points, len(real)) < LEAST_ROWS:
        raise InputError(
            f"There are {len(real)} '{given}' vectors, too few to measure anything.",
            f"It needs {LEAST_ROWS}: add recordings, or grow them with --points.",
        )
    return unit_rows(real), f"the {given} vectors of {len(real):,} {what}", not collection


def _methods(chosen: str, points: int, url: str, api_key: str) -> list[Method]:
    """Return the methods of some short names, or all; faiss is left out, and that said, where it is not installed."""
    from speechsearch.evaluation.index_edge import edge_methods
    from speechsearch.evaluation.index_faiss import faiss_methods
    from speechsearch.evaluation.index_server import server_methods

    known = edge_methods()
    names = [name.strip() for name in chosen.split(",") if name.strip()]
    try:
        known |= faiss_methods(points)
    except MissingDependencyError as error:
        if any(name.startswith("faiss") for name in names):
            raise
        _say(f"{error} It is left out.")
    known |= server_methods(url, api_key) if url else {}
    for name in names:
        if name not in known:
            raise InputError(f"There is no method {name!r:.60}.", f"There are: {', '.join(known)}.")
    return [known[name] for name in names or known]


def _write_picture(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"'{path}' cannot be written: {error.strerror or error}.", "Name another file.") from error


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
