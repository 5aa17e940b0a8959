"""The player of a passage or another short sound, as HTML."""

from __future__ import annotations

from html import escape

from speechsearch.ui.texts import Page
from speechsearch.ui.view import LONGEST_TITLE, clock


def player(source: str, title: str, duration_s: float) -> str:
    """Return a player that says how long the sound is, and loads nothing before it is started.

    Args:
        source: address of the sound; empty where a script sets it later.
        title: what is played, for those who do not see it.
        duration_s: how long it is.
    """
    label = escape(Page.PLAY.format(title=title[:LONGEST_TITLE]), quote=True)
    address = f' src="{escape(source, quote=True)}"' if source else ""
    return (
        f'<span class="ss-player"><audio controls preload="none" aria-label="{label}"{address}></audio>'
        f'<time class="ss-length" title="{Page.LENGTH}">{clock(duration_s)}</time></span>'
    )
