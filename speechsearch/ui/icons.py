"""The page's icons: lines of 24 × 24 units that take the colour of the text."""

from __future__ import annotations

_PATHS = {
    "before": "M15 5l-7 7 7 7",
    "after": "M9 5l7 7-7 7",
    "play": "M8 5l11 7-11 7z",
    "pause": "M8 5v14M16 5v14",
    "open": "M4 12h2M9 7v10M13 4v16M17 8v8M20 12h1",
    "link": "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7l-1.2 1.2M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7l1.2-1.2",
    "copy": "M9 9h11v11H9zM15 9V4H4v11h5",
    "download": "M12 4v11M7 10.5l5 5 5-5M5 20h14",
    "yes": "M7 11v9H4v-9zM7 11l4-7c1.7 0 2.5 1.2 2.2 2.8L12.6 10H18a2 2 0 0 1 2 2.4l-1.2 6a2 2 0 0 1-2 1.6H7",
    "no": "M17 13V4h3v9zM17 13l-4 7c-1.7 0-2.5-1.2-2.2-2.8l.6-3.2H6a2 2 0 0 1-2-2.4l1.2-6a2 2 0 0 1 2-1.6H17",
}


def icon(name: str) -> str:
    """Return an icon that screen readers pass over."""
    return f'<svg class="ss-svg" viewBox="0 0 24 24" aria-hidden="true"><path d="{_PATHS[name]}"/></svg>'
