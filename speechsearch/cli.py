"""The command line.

Exit codes: 0 done; 1 done, but some files failed, or ``check``, ``doctor`` or ``models verify`` found what must not be;
2 wrong use, bad input or settings; 3 no such thing; 4 the data folder, index or database cannot be used;
130 interrupted.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechsearch import (
    cli_ask,
    cli_diarize,
    cli_edit,
    cli_exchange,
    cli_index,
    cli_ingest,
    cli_models,
    cli_names,
    cli_quantize,
    cli_similar,
    cli_speakers,
    cli_speech,
    cli_tokenize,
    cli_train,
)
from speechsearch.cli_shared import (
    Adapter,
    From,
    InCollection,
    InLanguages,
    Json,
    OfSpeakers,
    Spoken,
    To,
    clear_progress,
    filters_of,
    opened,
    put,
    query_of,
    settings_with,
    show_progress,
)
from speechsearch.domain.errors import (
    DataFolderInUseError,
    IndexUnavailableError,
    InputError,
    NotFoundError,
    SpeechSearchError,
    StoreError,
)
from speechsearch.domain.question_syntax import SYNTAX
from speechsearch.domain.times import clock

if TYPE_CHECKING:
    from speechsearch.domain.progress import ProgressCallback
    from speechsearch.domain.values import Results
    from speechsearch.library.second_pass import Unmade
    from speechsearch.service.open import Service

app = typer.Typer(
    help="Find the moment in spoken recordings by meaning, without speech recognition.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
SHORTEST_PASSWORD = 8
Question = Annotated[str, typer.Argument(help=f"What to look for; not needed with --audio. {SYNTAX}")]
TopK = Annotated[int, typer.Option("--top-k", "-k", min=1, max=200, help="How many answers.")]


def exit_code(error: SpeechSearchError) -> int:
    """Return the exit code of an error."""
    if isinstance(error, NotFoundError):
        return 3
    return 4 if isinstance(error, DataFolderInUseError | IndexUnavailableError | StoreError) else 2


def put_results(as_json: bool, *results: Results, document: Any = None) -> None:
    """Print the answers of one engine or two, as text or as one JSON document."""
    from speechsearch.api.plain_text import lines

    if as_json:
        put(document or results[0])
    else:
        print("\n\n".join("\n".join(lines(one)) for one in results))


cli_ask.add_commands(app)
cli_diarize.add_commands(app)
cli_edit.add_commands(app)
cli_exchange.add_commands(app)
cli_index.add_commands(app)
cli_ingest.add_commands(app)
cli_models.add_commands(app)
cli_names.add_commands(app)
cli_quantize.add_commands(app)
cli_similar.add_commands(app)
cli_speakers.add_commands(app)
cli_speech.add_commands(app)
cli_tokenize.add_commands(app)
cli_train.add_commands(app)


@app.command()
def search(
    question: Question = "",
    engine: Annotated[str, typer.Option(help="Without it, the page's first choice.")] = "",
    top_k: TopK = 5,
    collection: InCollection = "",
    speaker: OfSpeakers = [],  # noqa: B006 (typer copies defaults)
    language: InLanguages = [],  # noqa: B006
    date_from: From = "",
    date_to: To = "",
    audio: Spoken = None,
    adapter: Adapter = "",
    as_json: Json = False,
) -> None:
    """Find passages that answer a QUESTION."""
    filters = filters_of(collection, speaker, language, date_from, date_to)
    with opened(adapter=adapter) as service:
        results = service.search.find(query_of(service, question, audio, filters, top_k), engine)
    put_results(as_json, results)


@app.command()
def compare(
    question: Question = "",
    left: Annotated[str, typer.Option(help="Without it, the page's first choice.")] = "",
    right: Annotated[str, typer.Option(help="Without it, the baseline where there is one.")] = "",
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
        comparison = service.search.compare(query_of(service, question, audio, filters, top_k), left, right or None)
    put_results(as_json, comparison.left, comparison.right, document=comparison)


def catch_up(service: Service, progress: ProgressCallback | None) -> list[Unmade]:
    """Make what recordings still lack; print and return what could not be made."""
    failed = list(service.manage.catch_up(progress))
    if progress:
        clear_progress()
        for one in failed:
            print(f"{one.state:>10}  {one.name}  {one.message}")
    return failed


@app.command()
def collections(as_json: Json = False) -> None:
    """List the collections."""
    with opened() as service:
        found = service.browse.collections()
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
            service.browse.recording(recording)
            passages = service.browse.passages_of(recording)
            rows = [(p.passage_id, clock(p.span.start_s), clock(p.span.end_s)) for p in passages]
            document: Any = passages
        else:
            recordings = service.browse.recordings(collection or None)
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
        gone = service.manage.delete_recording(recording) if recording else service.manage.delete_collection(collection)
    put(gone) if as_json else print(
        f"Removed {gone.recordings} recordings, {gone.passages} passages with their vectors and transcripts, "
        f"{gone.media_bytes} bytes of audio.",
        *gone.leftovers,
        sep="\n",
    )
    raise typer.Exit(1 if gone.leftovers else 0)


@app.command()
def rebuild(as_json: Json = False) -> None:
    """Make the index anew from the database, and what is missing or outdated from the audio."""
    progress = None if as_json else show_progress
    with opened("rebuild") as service:
        passages = service.manage.rebuild(progress)
        failed = catch_up(service, progress)
    put({"passages": passages, "failed": failed}) if as_json else print(f"The index holds {passages} passages.")
    raise typer.Exit(1 if failed else 0)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Compare database, index and audio files, and say what differs; `check` does it too, and looks at all else."""
    from speechsearch.service.surroundings import warnings

    with opened("check") as service:
        found = service.browse.differences()
        for warning in warnings(service.settings.data_dir.expanduser().resolve()):
            print(f"Warning: {warning}", file=sys.stderr)
    put(found) if as_json else print("\n".join(found) or "Database, index and audio files agree.")
    raise typer.Exit(1 if found else 0)


@app.command()
def check(
    network: Annotated[bool, typer.Option("--network", help="Also ask whether the model hub answers.")] = False,
    as_json: Json = False,
) -> None:
    """Look at the machine, the models, the data folder and the network: each ok, or what to do; exit with 1 if not."""
    from speechsearch.service.checks import checks
    from speechsearch.service.settings import read_settings

    found = []
    for one in checks(read_settings(), reach=network):
        found.append(one)
        if not as_json:
            advice = f"  {one.advice}" if one.advice else ""
            print(f"{one.state:>7}  {one.name:<30}  {one.found}{advice}", flush=True)
    if as_json:
        put(found)
    raise typer.Exit(1 if any(one.state == "failure" for one in found) else 0)


@app.command()
def evaluate(
    folder: Annotated[Path, typer.Argument(help="A folder, or the name of a protocol: spoken-squad, with --source.")],
    engines: Annotated[str, typer.Option(help="With commas between; without, all that the models make possible.")] = "",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report here.")] = None,
    recognizer: Annotated[str, typer.Option(help="The baseline's; several with commas between.")] = "",
    limit: Annotated[int, typer.Option(min=0)] = 0,
    adapter: Adapter = "",
    source: Annotated[str, typer.Option(help="Of spoken-squad: its folder, or a set of the hub (name@revision).")] = "",
) -> None:
    """Measure engines on a FOLDER with corpus.jsonl, queries.jsonl and qrels/test.tsv, or by a protocol."""
    from speechsearch.evaluation import as_json, as_markdown
    from speechsearch.evaluation.measure import measure_collection, possible_engines, read_limited
    from speechsearch.service.chosen_makers import makers_of
    from speechsearch.service.open import new_loader

    settings = settings_with(adapter)
    chosen = settings.engines.model_copy(update={"recognizer": recognizer} if recognizer else {})
    settings = settings.model_copy(update={"engines": chosen})
    loader = new_loader(settings)
    makers, text_encoder = makers_of(settings, loader), loader.text_encoder(chosen.text_encoder)
    names = [name.strip() for name in engines.split(",") if name.strip()] or possible_engines(makers, text_encoder)
    told = f" --adapter {Path(adapter).name}" if adapter else ""
    command = f"speechsearch evaluate {folder.name}{told} --engines {','.join(names)} --recognizer {chosen.recognizer}"
    with tempfile.TemporaryDirectory(prefix="speechsearch-evaluate-") as work:
        collection = read_limited(str(folder), source, limit or None, Path(work))
        report = measure_collection(collection, names, makers, text_encoder, command)
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
    """Serve the page and the REST routes until interrupted."""
    from ingest import runners
    from ingest.watch import watching
    from speechsearch.service.settings import read_settings
    from speechsearch.ui.serving import serve_page

    raise typer.Exit(serve_page(read_settings(), runners, watching))


def main() -> None:
    """Run the command line; every error of ours becomes one line and an exit code."""
    try:
        app()
    except SpeechSearchError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        raise SystemExit(exit_code(error)) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
