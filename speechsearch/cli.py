"""The command line.

Exit codes: 0 done; 1 done, but some files failed or ``doctor`` found differences; 2 wrong use, bad input or settings;
3 no such thing; 4 the data folder, index or database cannot be used; 130 interrupted.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from speechsearch.domain.errors import (
    DataFolderInUseError,
    IndexUnavailableError,
    InputError,
    NotFoundError,
    SpeechSearchError,
    StoreError,
)
from speechsearch.domain.progress import Progress
from speechsearch.models.catalog import ENGINES, MODELS

if TYPE_CHECKING:
    from speechsearch.domain.values import Filters, Query, Results
    from speechsearch.service.open import Service

app = typer.Typer(
    help="Find the moment in spoken recordings by meaning, without speech recognition.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
SHORTEST_PASSWORD = 8
Question = Annotated[str, typer.Argument(help="What to look for; not needed with --audio.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
TopK = Annotated[int, typer.Option("--top-k", "-k", min=1, max=200, help="How many answers.")]
InCollection = Annotated[str, typer.Option("--collection", "-c", help="Search only this collection.")]
OfSpeakers = Annotated[list[str], typer.Option("--speaker", help="Only this speaker; can be given several times.")]
InLanguages = Annotated[list[str], typer.Option("--language", help="Only this language; can be given several times.")]
From = Annotated[str, typer.Option("--from", help="Only recordings from this date on: 2019, 2019-03 or 2019-03-04.")]
To = Annotated[str, typer.Option("--to", help="Only recordings up to this date, all of it included.")]
DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?", re.ASCII)
Spoken = Annotated[Path | None, typer.Option("--audio", help="A spoken question instead of a typed one.")]


def exit_code(error: SpeechSearchError) -> int:
    """Return the exit code of an error."""
    if isinstance(error, NotFoundError):
        return 3
    return 4 if isinstance(error, DataFolderInUseError | IndexUnavailableError | StoreError) else 2


@contextmanager
def opened(purpose: Literal["use", "check", "rebuild"] = "use") -> Iterator[Service]:
    """Open the service of the settings."""
    from speechsearch.service.open import Service
    from speechsearch.service.settings import read_settings

    with Service.open(read_settings(), purpose) as service:
        yield service


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it; dataclasses become dictionaries."""
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def put(value: Any) -> None:
    """Print a value as one JSON document."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=plain))


def clock(seconds: float) -> str:
    """Return a time as h:mm:ss.s.

    >>> clock(3661.26)
    '1:01:01.3'
    """
    tenths = round(seconds * 10)
    return f"{tenths // 36000}:{tenths // 600 % 60:02}:{tenths // 10 % 60:02}.{tenths % 10}"


def lines(results: Results) -> Iterator[str]:
    """Yield one line a hit: rank, score, likelihood, recording, start-end, channels, and the words heard in it."""
    if not results.has_confident_hit:
        yield "Nothing relevant found; the nearest passages:" if results.hits else "Nothing found."
    for hit in results.hits:
        channels = ", ".join(f"{one.channel} #{one.rank}" for one in hit.channels)
        span = f"{clock(hit.passage.span.start_s)}-{clock(hit.passage.span.end_s)}"
        heard = f"  heard: {', '.join(word.text for word in hit.heard)}" if hit.heard else ""
        value = f"{hit.score:7.3f} {hit.likelihood:4.0%}"
        yield f"{hit.rank:>3}  {value}  {hit.recording.title}  {span}  [{channels}]{heard}"
    yield f"     {results.engine}: {results.encode_ms:.0f} ms to encode, {results.search_ms:.0f} ms to search"


def query_of(service: Service, text: str, spoken: Path | None, top_k: int, filters: Filters) -> Query:
    """Return the query of a command's arguments."""
    from speechsearch.domain.values import Query

    return Query(text, service.query_audio(spoken) if spoken else None, top_k, filters)


def filters_of(collection: str, speaker: list[str], language: list[str], date_from: str, date_to: str) -> Filters:
    """Return what a command's options narrow its search to."""
    from speechsearch.domain.values import Filters

    for date in (date_from, date_to):
        if date and not DATE.fullmatch(date):
            raise InputError(f"{date!r:.60} is not a date.", "Write it as 2019, 2019-03 or 2019-03-04.")
    return Filters((collection,) if collection else (), (), tuple(speaker), tuple(language), date_from, date_to)


@app.command()
def search(
    question: Question = "",
    engine: str = "hybrid",
    top_k: TopK = 5,
    collection: InCollection = "",
    speaker: OfSpeakers = [],  # noqa: B006 (typer copies defaults)
    language: InLanguages = [],  # noqa: B006
    date_from: From = "",
    date_to: To = "",
    audio: Spoken = None,
    as_json: Json = False,
) -> None:
    """Find passages that answer a QUESTION."""
    filters = filters_of(collection, speaker, language, date_from, date_to)
    with opened() as service:
        results = service.search(query_of(service, question, audio, top_k, filters), engine)
    put(results) if as_json else print("\n".join(lines(results)))


@app.command()
def compare(
    question: Question = "",
    left: str = "hybrid",
    right: str = "asr",
    top_k: TopK = 5,
    collection: InCollection = "",
    speaker: OfSpeakers = [],  # noqa: B006 (typer copies defaults)
    language: InLanguages = [],  # noqa: B006
    date_from: From = "",
    date_to: To = "",
    audio: Spoken = None,
    as_json: Json = False,
) -> None:
    """Put a QUESTION to two engines."""
    filters = filters_of(collection, speaker, language, date_from, date_to)
    with opened() as service:
        comparison = service.compare(query_of(service, question, audio, top_k, filters), left, right)
    put(comparison) if as_json else print("\n".join([*lines(comparison.left), "", *lines(comparison.right)]))


@app.command()
def ingest(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files, folders, zip and tar archives.")] = None,
    collection: Annotated[str, typer.Option("--collection", "-c")] = "recordings",
    dataset: Annotated[str, typer.Option(help="A hub dataset's name or a local one's folder.")] = "",
    split: str = "train",
    audio_column: str = "",
    limit: Annotated[int, typer.Option(min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Make recordings searchable: files, folders, zip and tar archives, or a --dataset."""
    from ingest.discover import discover
    from ingest.hub import dataset_sources
    from ingest.pipeline import run

    if bool(paths) == bool(dataset):
        raise InputError("Name files and folders, or a dataset.", "For example: python -m speechsearch ingest talks/")
    with opened() as service, tempfile.TemporaryDirectory() as workspace:
        found = (
            dataset_sources(
                dataset,
                split=split,
                audio_column=audio_column or None,
                limit=limit or None,
                workspace=Path(workspace),
                limits=service.limits,
            )
            if dataset
            else discover(paths or [], service.limits, Path(workspace))
        )
        results = []
        for result in run(service, found, collection=collection, progress=None if as_json else show_progress):
            results.append(result)
            if not as_json:
                print(f"\r\033[K{result.state:>10}  {result.name}  {result.passages} passages  {result.message}")
    if as_json:
        put(results)
    raise typer.Exit(1 if any(result.state == "failed" for result in results) else 0)


def show_progress(progress: Progress) -> None:
    """Draw the progress over the line before, on a terminal."""
    if sys.stderr.isatty():
        left = "" if progress.remaining_s is None else f", {clock(progress.remaining_s)} left"
        print(
            f"\r\033[K{progress.fraction:4.0%}  {progress.name[:60]}  {progress.rate:.0f}x real time{left}",
            end="",
            file=sys.stderr,
            flush=True,
        )


@app.command()
def collections(as_json: Json = False) -> None:
    """List the collections."""
    with opened() as service:
        found = service.collections()
    if as_json:
        put(found)
    else:
        for one in found:
            print(f"{one.name}  {one.recordings} recordings  {one.passages} passages  {clock(one.duration_s)}")


@app.command()
def show(collection: str = "", recording: str = "", as_json: Json = False) -> None:
    """List the recordings of a --collection, or the passages of a --recording."""
    with opened() as service:
        if recording:
            service.recording(recording)
            passages = service.passages_of(recording)
            rows = [(p.passage_id, clock(p.span.start_s), clock(p.span.end_s)) for p in passages]
            document: Any = passages
        else:
            recordings = service.recordings(collection or None)
            rows = [(r.recording_id, clock(r.duration_s), r.title) for r in recordings]
            document = recordings
    put(document) if as_json else print("\n".join("  ".join(row) for row in rows))


@app.command()
def delete(recording: str = "", collection: str = "", yes: bool = False, as_json: Json = False) -> None:
    """Remove a --recording or a --collection: audio, vectors, transcripts."""
    if bool(recording) == bool(collection):
        raise InputError("Name a --recording or a --collection.")
    if not yes:
        typer.confirm(f"Remove {recording or collection} for good?", abort=True)
    with opened() as service:
        gone = service.delete_recording(recording) if recording else service.delete_collection(collection)
    put(gone) if as_json else print(
        f"Removed {gone.recordings} recordings, {gone.passages} passages with their vectors and transcripts, "
        f"{gone.media_bytes} bytes of audio."
    )


@app.command()
def transcribe(file: Path, as_json: Json = False) -> None:
    """Write down a FILE with the baseline's recogniser; nothing is kept."""
    with opened() as service:
        found = service.transcribe(file)
    if as_json:
        put([{"start_s": p.span.start_s, "end_s": p.span.end_s, "text": text} for p, text in found])
    else:
        for passage, text in found:
            print(f"{clock(passage.span.start_s)}-{clock(passage.span.end_s)}  {text}")


@app.command()
def rebuild(as_json: Json = False) -> None:
    """Make the index anew from the database, and from the audio where the models have changed."""
    with opened("rebuild") as service:
        passages = service.rebuild(None if as_json else show_progress)
    put({"passages": passages}) if as_json else print(f"The index holds {passages} passages.")


@app.command()
def doctor(as_json: Json = False) -> None:
    """Compare database, index and audio files, and say what differs."""
    with opened("check") as service:
        found = service.differences()
    put(found) if as_json else print("\n".join(found) or "Database, index and audio files agree.")
    raise typer.Exit(1 if found else 0)


@app.command()
def models(as_json: Json = False) -> None:
    """List models and engines."""
    if as_json:
        put({"models": MODELS, "engines": ENGINES})
        return
    for model in MODELS:
        print(f"{model.name}  ({model.task}, {model.licence}, {model.size_mb:.0f} MB)  {model.summary}")
    for row in ENGINES:
        print(f"{row.name}  ({row.title})  {row.summary}")


@app.command()
def evaluate(
    folder: Path,
    engines: str = "adapter,phonetic,hybrid,asr",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report here.")] = None,
    recognizer: str = "mini",
    limit: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Measure engines on a FOLDER with corpus.jsonl, queries.jsonl and qrels/test.tsv."""
    from speechsearch.evaluation import as_json, as_markdown
    from speechsearch.evaluation.measure import measure

    report = measure(
        folder,
        [name.strip() for name in engines.split(",")],
        recognizer,
        limit or None,
        command=f"python -m speechsearch evaluate {folder.name} --engines {engines} --recognizer {recognizer}",
    )
    if json_file:
        json_file.write_text(json.dumps(as_json(report), indent=2) + "\n", encoding="utf-8")
    print(as_markdown(report))


@app.command()
def password() -> None:
    """Ask for a password and print its hash, for SPEECHSEARCH_AUTH__USERS."""
    from speechsearch.api.passwords import hash_password

    given = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    if len(given) < SHORTEST_PASSWORD:
        raise InputError(f"The password has {len(given)} characters.", f"Choose at least {SHORTEST_PASSWORD}.")
    print(hash_password(given))


@app.command()
def serve() -> None:
    """Serve the page, as ``python app.py`` does."""
    import runpy

    script = Path(__file__).parent.parent / "app.py"
    if not script.exists():
        raise NotFoundError("app.py is not beside the package.", "Serve from a checkout: python app.py")
    runpy.run_path(str(script), run_name="__main__")


def main() -> None:
    """Run the command line; every error of ours becomes one line and an exit code."""
    try:
        app()
    except SpeechSearchError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        raise SystemExit(exit_code(error)) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
