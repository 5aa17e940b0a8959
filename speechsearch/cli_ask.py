"""The command that answers a question from the recordings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from speechsearch.cli_shared import (
    From,
    InCollection,
    InLanguages,
    Json,
    OfSpeakers,
    Spoken,
    To,
    filters_of,
    opened,
    put,
    query_of,
)
from speechsearch.domain.times import clock

if TYPE_CHECKING:
    from speechsearch.domain.answers import Answer, Citation


def add_commands(app: typer.Typer) -> None:
    """Add the command to the program's."""
    app.command()(ask)


def ask(
    question: Annotated[str, typer.Argument(help="What you want to know; not needed with --audio.")] = "",
    engine: Annotated[str, typer.Option(help="What finds the evidence; without it, the page's first choice.")] = "",
    collection: InCollection = "",
    speaker: OfSpeakers = [],  # noqa: B006 (typer copies defaults)
    language: InLanguages = [],  # noqa: B006
    date_from: From = "",
    date_to: To = "",
    audio: Spoken = None,
    as_json: Json = False,
) -> None:
    """Answer a QUESTION in sentences that recordings say, each with the second at which it is said (experimental).

    Of the questions that recordings answer, it refuses a fifth to a half; search finds more.
    """
    filters = filters_of(collection, speaker, language, date_from, date_to)
    with opened() as service:
        found = service.ask.whole(query_of(service, question, audio, filters), engine=engine)
    if as_json:
        put(found)
    else:
        print("\n".join(lines(found)))


def lines(answer: Answer) -> Iterator[str]:
    """Yield the answer, what it cites, and how it was made; where there is none, the nearest passages."""
    for sentence in answer.sentences:
        yield f"{sentence.text} {''.join(f'[{one.number}]' for one in sentence.citations)}"
    if not answer.sentences:
        yield answer.reason
        for hit in answer.results.hits[:3]:
            yield f"      {hit.recording.title}  {clock(hit.passage.span.start_s)}-{clock(hit.passage.span.end_s)}"
    yield ""
    yield from (cited(one) for sentence in answer.sentences for one in sentence.citations)
    if answer.sent_to:
        yield f"      The question and the quotes were sent to {answer.sent_to}."
    if answer.note:
        yield f"      {answer.note}"
    written = f", {answer.transcribed} written down now" if answer.transcribed else ""
    yield f"      {answer.engine}: {answer.read} passages read{written}, {answer.total_ms:.0f} ms"


def cited(one: Citation) -> str:
    """Return a citation as a line: number, recording, when it is said, by whom, how likely it answers.

    >>> from speechsearch.domain.answers import Citation
    >>> cited(Citation(1, "r", "p", 61.0, 64.5, 62.0, 63.0, "So it was.", "Bridges", speaker="Ann", likelihood=0.8))
    ' [1]  Bridges  0:01:01.0-0:01:04.5  Ann   80%'
    """
    about = "  ".join(filter(None, (one.speaker, one.date)))
    likely = "" if one.likelihood is None else f"  {one.likelihood:4.0%}"
    return f" [{one.number}]  {one.title}  {clock(one.start_s)}-{clock(one.end_s)}  {about}{likely}"
