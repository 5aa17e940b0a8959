"""Pure functions from collections and recordings to the HTML of the Collections tab's forms and questions."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from speechsearch.domain.values import Recording
from speechsearch.domain.visitors import shown_name
from speechsearch.store import CollectionSummary
from speechsearch.ui.collection_views import LONGEST_DESCRIPTION, size
from speechsearch.ui.texts import Collections, Nouns
from speechsearch.ui.view import count, duration, text


def dialog(title: str, body: str, method: str, action: str, verb: str, said: str = "") -> str:
    """Return a form that the page's script shows in a dialog and sends as JSON; ``said`` is shown when that is done."""
    kind = "danger" if method == "DELETE" else "primary"
    return (
        f'<form method="dialog" data-method="{method}" data-action="{escape(action, quote=True)}"'
        f' data-said="{escape(said, quote=True)}">'
        f'<h2 id="ss-c-dialog-title">{escape(title)}</h2>{body}<p class="ss-c-error" role="alert" hidden></p>'
        f'<div class="ss-c-actions"><button type="button" class="ss-button" data-cancel>{Collections.CANCEL}</button>'
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
            ("name", Collections.NAME, shown_name(known.name), longest_name),
            ("description", Collections.DESCRIPTION, known.description, LONGEST_DESCRIPTION),
            ("licence", Collections.LICENCE, known.licence, 255),
            ("source", Collections.SOURCE, known.source, 255),
        )
    )


def recording_fields(recording: Recording) -> str:
    """Return the inputs of a recording, filled with what is known."""
    return fields((name, label, getattr(recording, name), 255) for name, label in Collections.RECORDING_FIELDS.items())


def farewell(summary: CollectionSummary, media_bytes: int) -> str:
    """Return what goes when a collection is deleted."""
    if not summary.recordings:
        return f"<p>{Collections.DELETE_EMPTY.format(name=text(shown_name(summary.name)))}</p>"
    said = Collections.DELETE_ALL.format(
        name=text(shown_name(summary.name)),
        recordings=f"<b>{count(summary.recordings, Nouns.RECORDING)}</b>",
        length=duration(summary.duration_s),
        passages=f"<b>{count(summary.passages, Nouns.PASSAGE)}</b>",
        size=f"<b>{size(media_bytes)}</b>",
    )
    return f"<p>{said} {Collections.NO_UNDO}</p>"


def farewell_recording(recording: Recording, passages: int, media_bytes: int) -> str:
    """Return what goes when a recording is deleted."""
    said = Collections.DELETE_ONE.format(
        name=text(recording.title),
        length=f"<b>{duration(recording.duration_s)}</b>",
        passages=f"<b>{count(passages, Nouns.PASSAGE)}</b>",
        size=f"<b>{size(media_bytes)}</b>",
    )
    return f"<p>{said} {Collections.NO_UNDO}</p>"
