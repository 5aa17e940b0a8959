"""The player of a passage or another short sound, as HTML; static/player.js makes it play."""

from __future__ import annotations

from html import escape

from speechsearch.ui.icons import icon
from speechsearch.ui.texts import Page
from speechsearch.ui.view import LONGEST_TITLE, clock


def player(source: str, title: str, duration_s: float) -> str:
    """Return a player that says how long the sound is, and loads nothing before it is started.

    Args:
        source: address of the sound; empty where a script sets it later.
        title: what is played, for those who do not see it.
        duration_s: how long it is.
    """
    name = escape(title[:LONGEST_TITLE], quote=True)
    address = f' src="{escape(source, quote=True)}"' if source else ""
    label, longest = Page.PLAY.format(title=name), f"{duration_s:.2f}"
    return (
        f'<ss-player data-title="{name}" data-seconds="{longest}"><audio preload="none"{address}></audio>'
        f'<button type="button" class="ss-play" aria-label="{label}">{icon("play")}{icon("pause")}</button>'
        f'<input type="range" min="0" max="{longest}" step="0.1" value="0" aria-label="{Page.POSITION}">'
        f'<span class="ss-length" title="{Page.LENGTH}">{clock(duration_s)}</span></ss-player>'
    )
