"""Pure functions from collections and recordings to the HTML of the Collections tab's forms and questions."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from speechsearch.domain.values import Recording
from speechsearch.domain.visitors import shown_name
from speechsearch.store import CollectionSummary
from speechsearch.ui.collection_views import LONGEST_DESCRIPTION, size
from speechsearch.ui.view import count, duration, text

RECORDING_FIELDS = {
    "title": "Title",
    "speaker": "Speaker",
    "date": "Date, like 2024-05-31",
    "language": "Language, like en",
    "licence": "Licence",
    "source": "Source",
}


def dialog(title: str, body: str, method: str, action: str, verb: str, said: str = "") -> str:
    """Return a form that the page's script shows in a dialog and sends as JSON; ``said`` is shown when that is done."""
    kind = "danger" if method == "DELETE" else "primary"
    return (
        f'<form method="dialog" data-method="{method}" data-action="{escape(action, quote=True)}"'
        f' data-said="{escape(said, quote=True)}">'
        f'<h2 id="ss-c-dialog-title">{escape(title)}</h2>{body}<p class="ss-c-error" role="alert" hidden></p>'
        '<div class="ss-c-actions"><button type="button" class="ss-button" data-cancel>Cancel</button>'
        f'<button type="submit" class="ss-button ss-{kind}">{escape(verb)}</button></div></form>'
    )


def fields(values: Iterable[tuple[str, str, str, int]]) -> str:
    """Return labelled inputs for (name, label, value, longest); long ones get several lines."""
    return "".join(
        f"<label>{escape(label)}"
        + (
            f'<textarea name="{name}" rows="3" maxlength="{longest}">{escape(value)}</textarea>'
            if longest > 255
            else f'<input name="{name}" maxlength="{longest}" value="{escape(value, quote=True)}" autocomplete="off">'
        )
        + "</label>"
        for name, label, value, longest in values
    )


def collection_fields(summary: CollectionSummary | None, longest_name: int) -> str:
    """Return the inputs of a collection, filled with what is known."""
    known = summary or CollectionSummary("", "", "", "", 0, 0, 0.0)
    return fields(
        (
            ("name", "Name", shown_name(known.name), longest_name),
            ("description", "Description", known.description, LONGEST_DESCRIPTION),
            ("licence", "Licence", known.licence, 255),
            ("source", "Source", known.source, 255),
        )
    )


def recording_fields(recording: Recording) -> str:
    """Return the inputs of a recording, filled with what is known."""
    return fields((name, label, getattr(recording, name), 255) for name, label in RECORDING_FIELDS.items())


def farewell(summary: CollectionSummary, media_bytes: int) -> str:
    """Return what goes when a collection is deleted."""
    if not summary.recordings:
        return f"<p>The empty collection {text(shown_name(summary.name))} goes.</p>"
    recordings, passages = count(summary.recordings, "recording"), count(summary.passages, "passage")
    return (
        f"<p>{text(shown_name(summary.name))} goes with <b>{recordings}</b> ({duration(summary.duration_s)}), "
        f"<b>{passages}</b>, their transcripts, and <b>{size(media_bytes)}</b> of audio. This cannot be undone.</p>"
    )


def farewell_recording(recording: Recording, passages: int, media_bytes: int) -> str:
    """Return what goes when a recording is deleted."""
    return (
        f"<p>{text(recording.title)} goes: <b>{duration(recording.duration_s)}</b>, "
        f"<b>{count(passages, 'passage')}</b>, their transcripts, and <b>{size(media_bytes)}</b> of audio. "
        "This cannot be undone.</p>"
    )
