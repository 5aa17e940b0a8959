"""The whole answer: why the columns differ, the exports, and both columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from html import escape
from urllib.parse import urlencode

from speechsearch.domain.question_syntax import demanded
from speechsearch.domain.values import Comparison
from speechsearch.retrieval.engine_cards import BASELINE, DEFAULT, EngineCard
from speechsearch.ui.asked import Asked
from speechsearch.ui.cards import Place, column
from speechsearch.ui.differences import picture, reason, relations, summary
from speechsearch.ui.texts import Search
from speechsearch.ui.view import text

EXPORTS = {"csv": "CSV", "json": "JSON", "m3u": "M3U", "vtt": "WebVTT"}

Shown = tuple[str, str, str]
"""HTML of what stands above the columns, of the left column and of the right one."""


def comparison(
    found: Comparison,
    asked: Asked,
    engines: Mapping[str, EngineCard],
    root: str,
    *,
    is_spoken: bool,
    are_transcripts_coming: bool = True,
) -> Shown:
    """Return two engines' answers to one question; a spoken one has no address, so no exports either."""
    left, right = engines[found.left.engine], engines[found.right.engine]
    on_left, on_right = relations(found, left, right)
    question, address = ("", asked.narrowing()) if is_spoken else (asked.text.strip(), asked.address())
    place = Place(
        root=root,
        question=question,
        address=address,
        has_recognizers=sum(engine.is_over_transcripts for engine in engines.values()) > 1,
        are_transcripts_coming=are_transcripts_coming,
    )
    return (
        _why(found, asked, left, right, root, is_spoken=is_spoken),
        column(found.left, left, on_left, replace(place, side="left")),
        column(found.right, right, on_right, replace(place, side="right")),
    )


def _why(found: Comparison, asked: Asked, left: EngineCard, right: EngineCard, root: str, *, is_spoken: bool) -> str:
    hits = found.left.hits or found.right.hits
    more = "" if is_spoken else reason(found, left, right)
    apart = "" if is_spoken or left.searches != "both" else _apart(asked, root)
    folded = _fold(Search.ORDER, picture(found, left, right)) if hits else ""
    if hits and not is_spoken:
        links = _exports(asked, left, root) + (_exports(asked, right, root) if right.name != left.name else "")
        folded += _fold(Search.EXPORT, links + _judgements(root))
    only = " · ".join(f"{Search.FILTER[name]} {text(value)}" for name, value in asked.narrowing())
    return (
        f'<section class="ss-why" aria-label="{Search.WHY}">'
        f'<p><strong class="ss-summary">{text(summary(found, left, right), 400)}</strong> {escape(more)} {apart}</p>'
        f"{_demanded(found, is_spoken=is_spoken)}"
        f"{f'<p>{Search.FILTERED.format(filters=only)}</p>' if only else ''}"
        f'<div class="ss-folds">{folded}</div></section>'
    )


def _demanded(found: Comparison, *, is_spoken: bool) -> str:
    """Return what quotation marks and minus signs of a question were understood as."""
    said = () if is_spoken else demanded(found.left.question)
    return "".join(f'<p class="ss-demanded">{text(one, 400)}</p>' for one in said)


def _apart(asked: Asked, root: str) -> str:
    """Return a link to the same question by sound alone against the transcript."""
    kept = [pair for pair in asked.address() if pair[0] not in ("engine", "right")]
    address = f"{root}/?" + urlencode([*kept, ("engine", DEFAULT), ("right", BASELINE)])
    return f'<a href="{escape(address)}">{Search.SOUND_ONLY}</a>'


def _fold(label: str, content: str) -> str:
    return f'<details class="ss-fold"><summary>{label}</summary>{content}</details>'


def _exports(asked: Asked, engine: EngineCard, root: str) -> str:
    kept = [pair for pair in asked.address() if pair[0] not in ("engine", "right")]
    links = []
    for name, title in EXPORTS.items():
        address = f"{root}/api/v1/export?" + urlencode([("format", name), ("engine", engine.name), *kept])
        label = escape(Search.EXPORT_OF.format(format=title, engine=engine.title))
        links.append(f'<a href="{escape(address)}" download aria-label="{label}">{title}</a>')
    return f'<p class="ss-exports"><span>{text(engine.title)}</span>{"".join(links)}</p>'


def _judgements(root: str) -> str:
    address = f"{escape(root)}/api/v1/feedback"
    return (
        f'<p class="ss-exports"><span>{Search.RATINGS}</span>'
        f'<a href="{address}/qrels" download>{Search.RATED_ANSWERS}</a>'
        f'<a href="{address}/queries" download>{Search.RATED_QUESTIONS}</a></p>'
    )
