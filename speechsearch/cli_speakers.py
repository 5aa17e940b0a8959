"""The commands about who speaks: list, show, in, name, unname, merge, split, assign, forget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from speechsearch.cli_shared import Json, opened, put
from speechsearch.domain.errors import InputError, NotFoundError
from speechsearch.domain.times import clock, length

if TYPE_CHECKING:
    from speechsearch.domain.values import Speaker
    from speechsearch.service.open import Service

speakers = typer.Typer(
    help="Who speaks: people known by voice over all recordings. The second pass hears them: ingest --wait.",
    no_args_is_help=True,
)
Who = Annotated[
    str, typer.Argument(help="A name, a label such as \"Speaker 3\", or an id, as 'speakers list' says them.")
]
RecordingName = Annotated[str, typer.Argument(help="An id or its beginning, a file name or a title.")]
Several = Annotated[list[str], typer.Argument(help="Recordings: ids or their beginnings, file names or titles.")]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the program's."""
    app.add_typer(speakers, name="speakers")


def one_called(service: Service, name: str) -> Speaker:
    """Return the only speaker of a name. Raises NotFoundError, InputError: nobody or several are called so."""
    found = service.speakers.called(name)
    if not found:
        raise NotFoundError(f"There is no speaker {name!r:.80}.", "See: speechsearch speakers list")
    if len(found) > 1:
        listed = ", ".join(one.speaker_id for one in found[:5])
        raise InputError(f"{len(found)} speakers are called {name!r:.80}.", f"Name one by its id: {listed}.")
    return found[0]


def line_of(speaker: Speaker) -> str:
    """Return a speaker as a line.

    >>> from speechsearch.domain.values import Speaker
    >>> line_of(Speaker("a1", 3, "", 7, 7800.0))
    'a1  Speaker 3  2 h 10 min in 7 recordings'
    """
    recordings = f"{speaker.recordings} recording{'s' * (speaker.recordings != 1)}"
    return f"{speaker.speaker_id}  {speaker.label}  {length(speaker.speech_s)} in {recordings}"


def tell(speaker: Speaker, as_json: bool) -> None:
    """Print a speaker."""
    if as_json:
        put(speaker)
    else:
        print(line_of(speaker))


@speakers.command("list")
def show_all(as_json: Json = False) -> None:
    """List who is heard in the recordings: named ones by name, then the others by number."""
    with opened() as service:
        found, are_heard = service.speakers.all(), service.speakers.are_heard
    off = "Who speaks is not heard here: it is switched off, or its model is not installed (see `check`)."
    nobody = "Nobody has been heard yet." if are_heard else off
    if as_json:
        put(found)
    else:
        print("\n".join(map(line_of, found)) or nobody)


@speakers.command()
def show(who: Who, as_json: Json = False) -> None:
    """Show a speaker: the recordings, and which voice is his there."""
    with opened() as service:
        speaker = one_called(service, who)
        found = service.speakers.recordings_of(speaker.speaker_id)
    if as_json:
        put({"speaker": speaker, "recordings": [{"recording": one, "voice": voice} for one, voice in found]})
        return
    print(line_of(speaker))
    for recording, voice in found:
        said = "  confirmed" * voice.is_confirmed
        about = f"voice {voice.number}, {length(voice.speech_s)}{said}"
        print(f"{recording.recording_id[:12]}  {recording.title}  {about}")


@speakers.command("in")
def inside(recording: RecordingName, as_json: Json = False) -> None:
    """Show who speaks when in a RECORDING."""
    with opened() as service:
        key = service.browse.recording_named(recording).recording_id
        found = service.speakers.of_recording(key)
    if as_json:
        put(found)
        return
    if not found.is_heard:
        print("It was not heard yet who speaks here: speechsearch ingest --wait does it.")
        return
    labels = {one.number: one.speaker.label for one in found.voices}
    for voice in found.voices:
        print(
            f"voice {voice.number}: {voice.speaker.label}  {length(voice.speech_s)}{'  confirmed' * voice.is_confirmed}"
        )
    for turn in found.turns:
        print(f"{clock(turn.span.start_s)} - {clock(turn.span.end_s)}  {labels[turn.voice]}")


@speakers.command()
def name(who: Who, new_name: Annotated[str, typer.Argument(metavar="NAME")], as_json: Json = False) -> None:
    """Give a speaker a NAME, or another one."""
    with opened() as service:
        tell(service.speakers.name(one_called(service, who).speaker_id, new_name), as_json)


@speakers.command()
def unname(who: Who, as_json: Json = False) -> None:
    """Take a speaker's name away; voices that are his only because of it go where they sound to belong."""
    with opened() as service:
        tell(service.speakers.unname(one_called(service, who).speaker_id), as_json)


@speakers.command()
def merge(who: Who, into: Annotated[str, typer.Argument(help="Who stays.")], as_json: Json = False) -> None:
    """Say that two speakers are one person; 'split' undoes it."""
    with opened() as service:
        first, second = one_called(service, who), one_called(service, into)
        tell(service.speakers.merge(first.speaker_id, second.speaker_id), as_json)


@speakers.command()
def split(who: Who, recordings: Several, as_json: Json = False) -> None:
    """Say that in some RECORDINGS it is not this speaker but somebody else; 'merge' undoes it."""
    with opened() as service:
        keys = [service.browse.recording_named(one).recording_id for one in recordings]
        tell(service.speakers.split(one_called(service, who).speaker_id, keys), as_json)


@speakers.command()
def assign(
    recording: RecordingName,
    voice: Annotated[int, typer.Argument(min=1, help="Its number, as 'speakers in' says it.")],
    who: Annotated[str, typer.Argument(help="Whose it is; somebody who is not known yet when left out.")] = "",
    as_json: Json = False,
) -> None:
    """Say whose a VOICE of a RECORDING is."""
    with opened() as service:
        key = service.browse.recording_named(recording).recording_id
        speaker_id = one_called(service, who).speaker_id if who else ""
        tell(service.speakers.assign(key, voice, speaker_id), as_json)


@speakers.command()
def forget(who: Who, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Delete a speaker with all voice data; the recordings stay."""
    with opened() as service:
        speaker = one_called(service, who)
        if not yes:
            typer.confirm(f"Delete what is known of the voice of {speaker.label}?", abort=True)
        service.speakers.forget(speaker.speaker_id)
