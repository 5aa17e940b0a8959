"""The folds that ask for what is similar when they are opened: pure functions to HTML."""

from __future__ import annotations

from html import escape

from speechsearch.ui.texts import Similar


def entry(track_id: str, root: str, summary: str, kind: str = "ss-said") -> str:
    """Return the fold that asks for what is similar when it is opened (static/similar.js).

    Args:
        track_id: of a passage or a recording.
        root: the path below which the program is served.
        summary: what the fold is called.
        kind: the class by which it looks like other folds beside it.
    """
    return (
        f'<ss-similar data-root="{escape(root)}" data-track="{escape(track_id)}"><details class="{kind}">'
        f'<summary>{summary}</summary><div class="ss-l-body"></div></details></ss-similar>'
    )


def by_sound(root: str) -> str:
    """Return the fold that takes a file of sound and finds where it is from."""
    return (
        f'<ss-similar data-root="{escape(root)}"><details class="ss-n-fold"><summary>{Similar.BY_SOUND}</summary><div>'
        f'<p class="ss-n-hint">{Similar.BY_SOUND_ABOUT}</p><p><label class="ss-button">{Similar.CHOOSE}'
        '<input type="file" accept="audio/*,video/*" data-sound></label></p>'
        '<p role="status" class="ss-l-status"></p><div class="ss-l-body"></div></div></details></ss-similar>'
    )
