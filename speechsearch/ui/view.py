"""Small pure functions to HTML that every tab shares. Every value from a user, a file or a transcript is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Protocol

from speechsearch.domain.errors import SpeechSearchError
from speechsearch.domain.progress import Progress
from speechsearch.domain.values import Span
from speechsearch.ui.texts import Message, Noun, Nouns, Page

LONGEST_TITLE = 160


class Holding(Protocol):
    """How much a collection holds."""

    @property
    def recordings(self) -> int:
        """Number of recordings."""

    @property
    def duration_s(self) -> float:
        """Their length together."""


def text(value: object, longest: int = LONGEST_TITLE) -> str:
    """Return a value as escaped text, shortened, in a run of its own direction.

    >>> text("<b>")
    '<bdi>&lt;b&gt;</bdi>'
    >>> text("abcdef", longest=4)
    '<bdi>abc…</bdi>'
    """
    words = " ".join(str(value).split())
    return f"<bdi>{escape(words if len(words) <= longest else words[: longest - 1] + '…')}</bdi>"


def clock(seconds: float) -> str:
    """Return a time as m:ss, or h:mm:ss from one hour on.

    >>> clock(7.9), clock(83), clock(3671)
    ('0:07', '1:23', '1:01:11')
    """
    minutes, rest_s = divmod(int(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest_s:02d}" if hours else f"{minutes}:{rest_s:02d}"


def span(value: Span) -> str:
    """Return a stretch of time in words.

    >>> span(Span(62.0, 75.5))
    '1:02–1:15'
    """
    return f"{clock(value.start_s)}–{clock(value.end_s)}"


def count(number: int, noun: Noun) -> str:
    """Return a number with its noun.

    >>> count(1, Nouns.PASSAGE), count(1200, Nouns.PASSAGE)
    ('1 passage', '1,200 passages')
    """
    one, several = noun
    return f"{number:,} {one if number == 1 else several}"


def duration(seconds: float) -> str:
    """Return a length in words.

    >>> duration(42), duration(1980), duration(9000)
    ('42 s', '33 min', '2.5 h')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def elapsed(milliseconds: float) -> str:
    """Return how long a search took.

    >>> elapsed(16.4), elapsed(2_340)
    ('16 ms', '2.3 s')
    """
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def notice(title: str, hint: str = "", kind: str = "info") -> str:
    """Return a short message in the page; ``kind`` is "info" or "problem"."""
    role = "alert" if kind == "problem" else "status"
    more = f"<span>{text(hint, 600)}</span>" if hint else ""
    return f'<div class="ss-notice ss-{escape(kind)}" role="{role}"><strong>{text(title, 600)}</strong>{more}</div>'


def told(message: Message, **values: object) -> str:
    """Return one of the page's messages as ``notice`` does, with its gaps filled."""
    title, hint = message
    return notice(title.format(**values), hint.format(**values))


def problem(error: SpeechSearchError) -> str:
    """Return what went wrong and what to do."""
    return notice(error.message, error.hint, "problem")


def progress_words(progress: Progress, name: str = "") -> str:
    """Return how far a task is in words.

    >>> progress_words(Progress("ingest", "talk.mp3", 34.2, 66, remaining_s=12.4), "the sample collection")
    'Indexing the sample collection: 34 of 66, 12 s left'
    """
    said = Page.INDEXING.format(name=name or progress.name).rstrip()
    if progress.total:
        said += f": {Page.DONE_OF.format(done=int(progress.done), total=int(progress.total))}"
    if progress.remaining_s is not None:
        said += f", {Page.TIME_LEFT.format(time=duration(progress.remaining_s))}"
    return said


def progress_bar(progress: Progress, name: str = "") -> str:
    """Return how far a task is as a line with a bar."""
    percent = round(100 * progress.fraction)
    rate = Page.TIMES_REAL_TIME.format(rate=f"{progress.rate:.0f}") if progress.rate else ""
    detail = f"<span>{text(' · '.join(part for part in (progress.message, rate) if part))}</span>"
    return (
        f'<div class="ss-progress"><p><strong>{text(progress_words(progress, name))}</strong>{detail}</p>'
        f'<div class="ss-bar" role="progressbar" aria-valuenow="{percent}" aria-valuemin="0" aria-valuemax="100" '
        f'aria-label="{Page.PROGRESS}"><span style="width:{percent}%"></span></div></div>'
    )


def holdings(collections: Iterable[Holding]) -> str:
    """Return how much there is to search."""
    found = [collection for collection in collections if collection.recordings]
    if not found:
        return Page.NOTHING_YET
    parts = (
        count(sum(collection.recordings for collection in found), Nouns.RECORDING),
        duration(sum(collection.duration_s for collection in found)),
        count(len(found), Nouns.COLLECTION),
    )
    return " · ".join(parts)
