"""The commands about what is alike: similar, duplicates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechsearch.cli_shared import (
    From,
    InCollection,
    InLanguages,
    Json,
    OfSpeakers,
    To,
    clear_progress,
    filters_of,
    opened,
    put,
    show_progress,
)
from speechsearch.domain.errors import InputError, NotFoundError
from speechsearch.domain.times import clock, length

if TYPE_CHECKING:
    from speechsearch.domain.alike import DuplicatePair, Sense, SimilarHit
    from speechsearch.service.open import Service

InSense = Annotated[
    str, typer.Option("--by", help="recording: copies; words: the same is said; sound: it sounds alike.")
]
TopK = Annotated[int, typer.Option("--top-k", "-k", min=1, max=100, help="How many answers.")]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the program's."""
    app.command()(similar)
    app.command()(duplicates)


def similar(
    track: Annotated[str, typer.Argument(help="A recording (id, file name or title) or the id of a passage.")] = "",
    audio: Annotated[Path | None, typer.Option("--audio", help="A file of sound instead, up to ten minutes.")] = None,
    by: InSense = "recording",
    top_k: TopK = 5,
    collection: InCollection = "",
    speaker: OfSpeakers = [],  # noqa: B006 (typer copies defaults)
    language: InLanguages = [],  # noqa: B006
    date_from: From = "",
    date_to: To = "",
    as_json: Json = False,
) -> None:
    """Find what is like a TRACK, or like a file: the same recording, the same words, or what sounds alike."""
    sense = sense_of(by)
    if bool(track) == bool(audio):
        raise InputError("Name a recording or passage, or a file with --audio.")
    filters = filters_of(collection, speaker, language, date_from, date_to)
    with opened() as service:
        if audio:
            results = service.similar.of_sound(service.similar.sound(audio), sense, top_k, filters)
        else:
            results = service.similar.of_track(track_id(service, track), sense, top_k, filters)
    if as_json:
        from speechsearch.api.similar_bodies import SimilarsBody

        put(SimilarsBody.of(results).model_dump())
        return
    for hit in results.hits:
        print(line_of(hit))
    if results.recordings < results.of_recordings:
        print(f"Looked for in {results.recordings} of {results.of_recordings} recordings; the others are not prepared.")
    if not results.hits:
        print("Nothing was found.")


def duplicates(
    collection: Annotated[str, typer.Argument(help="Only this collection; all when left out.")] = "",
    as_json: Json = False,
) -> None:
    """List recordings that are there twice, whole or in part; nothing is deleted."""
    with opened() as service:
        found = service.duplicates.find(collection, progress=None if as_json else show_progress)
    if as_json:
        from speechsearch.api.similar_bodies import DuplicateBody

        put([DuplicateBody.of(one).model_dump() for one in found])
        return
    clear_progress()
    for pair in found:
        print(pair_line(pair))
    print(f"{len(found)} pair{'s' * (len(found) != 1)}. To keep one of two, delete the other: speechsearch delete ID")


def track_id(service: Service, name: str) -> str:
    """Return the id of a passage or of a recording that is called so. Raises NotFoundError, InputError."""
    try:
        return service.browse.passage(name).passage_id
    except NotFoundError:
        return service.browse.recording_named(name).recording_id


def sense_of(name: str) -> Sense:
    """Return the sense of a name. Raises InputError.

    >>> sense_of("words")
    'words'
    """
    from speechsearch.domain.alike import SENSES

    found = next((sense for sense in SENSES if sense == name), None)
    if found is None:
        raise InputError(f"{name!r:.40} is no way to be alike.", f"Choose one of: {', '.join(SENSES)}.")
    return found


def line_of(hit: SimilarHit) -> str:
    """Return a hit as a line."""
    how_sure = f"score {hit.score:.3f}" if hit.likelihood is None else f"{hit.likelihood:.0%} likely"
    parts = [f"{hit.rank}. {hit.recording.title}", f"{clock(hit.span.start_s)} - {clock(hit.span.end_s)}", how_sure]
    if hit.offset_s is not None:
        parts.append(f"begins at {hit.offset_s:.1f} s")
    if hit.speed != 1.0:
        parts.append(f"{hit.speed:g} times as fast")
    if hit.shared:
        parts.append(f"both say: {', '.join(hit.shared)}")
    return "  ".join([*parts, hit.recording.recording_id[:12]])


def pair_line(pair: DuplicatePair) -> str:
    """Return a pair as lines."""
    how = "the same" if pair.is_whole else f"in it from {clock(max(0.0, pair.offset_s))}"
    said = ", ".join(f"{name} {vote}" for name, vote in pair.votes.items())
    first, second = pair.first, pair.second
    return (
        f"{first.recording_id[:12]}  {first.title}  {length(first.duration_s)}\n"
        f"{second.recording_id[:12]}  {second.title}  {length(second.duration_s)}  {how}, "
        f"{length(pair.shared_s)} agree ({said})\n"
    )
