"""Pure functions from answers to HTML. Every value from a user, a file or a transcript is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Protocol

from speechsearch.datatypes import ChannelRank, Hit, Results, Span
from speechsearch.errors import SpeechSearchError
from speechsearch.progress import Progress

LONGEST_TITLE = 160
LONGEST_TRANSCRIPT = 1500


class Engine(Protocol):
    """What the page says about an engine."""

    @property
    def name(self) -> str:
        """The name in the catalog."""

    @property
    def title(self) -> str:
        """The name for people."""

    @property
    def summary(self) -> str:
        """One sentence: how it works."""


class Holding(Protocol):
    """How much a collection holds."""

    @property
    def recordings(self) -> int:
        """Number of recordings."""

    @property
    def duration_s(self) -> float:
        """Their length together."""


class FileOutcome(Protocol):
    """What became of one added file."""

    @property
    def name(self) -> str:
        """The file's name."""

    @property
    def state(self) -> str:
        """One of indexed, unchanged, duplicate, failed, warning."""

    @property
    def passages(self) -> int:
        """Number of passages."""

    @property
    def duration_s(self) -> float:
        """Length of the recording."""

    @property
    def message(self) -> str:
        """Why, where there is something to say."""


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


def count(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> count(1, "passage"), count(1200, "passage")
    ('1 passage', '1,200 passages')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return a length in words.

    >>> duration(42), duration(1980), duration(9000)
    ('42 s', '33 min', '2.5 h')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def share(score: float, best: float) -> int:
    """Return a score in percent of the best one.

    >>> share(0.3, 0.6), share(-0.2, 0.6), share(0.0, 0.0)
    (50, 0, 0)
    """
    return round(100 * min(1.0, max(0.0, score / best))) if best > 0 else 0


def badge(channel: ChannelRank) -> str:
    """Return which channel found the passage at which rank."""
    name = escape(channel.channel)
    label = f"rank {channel.rank} in {name}, score {channel.score:.3f}"
    return f'<span class="ss-badge" data-channel="{name}" title="{label}">{name} #{channel.rank}</span>'


def hit(value: Hit, best: float, *, root: str = "", is_transcript_shown: bool = False) -> str:
    """Return the card of one hit: rank, score, recording, time, what found it, and a player that starts there."""
    recording, where = value.recording, span(value.passage.span)
    details = [f'<span class="ss-time">{where}</span>', *(text(part) for part in (recording.speaker,) if part)]
    details.append(text(recording.collection))
    transcript = text(value.transcript, LONGEST_TRANSCRIPT) if value.transcript else "<em>nothing recognised</em>"
    said = f'<p class="ss-transcript">{transcript}</p>' if is_transcript_shown else ""
    label = escape(f"Play {recording.title[:LONGEST_TITLE]}, {where}", quote=True)
    return (
        f'<li class="ss-hit{"" if value.is_confident else " ss-weak"}">'
        f'<div class="ss-head"><span class="ss-rank">{value.rank}</span>'
        f'<div class="ss-what"><h3>{text(recording.title)}</h3>'
        f'<p class="ss-where">{" <i>·</i> ".join(details)}</p></div>'
        f'<div class="ss-score" title="score {value.score:.4f}"><span>{value.score:.2f}</span>'
        f'<span class="ss-bar"><span style="width:{share(value.score, best)}%"></span></span></div></div>'
        f'<audio controls preload="none" aria-label="{label}" '
        f'src="{escape(root)}/api/v1/clips/{escape(value.passage.passage_id)}"></audio>{said}'
        f'<p class="ss-badges">{"".join(badge(channel) for channel in value.channels)}</p></li>'
    )


def about_engine(engine: Engine) -> str:
    """Return one sentence on how an engine works."""
    return f'<p class="ss-about">{text(engine.summary, 400)}</p>'


def column(results: Results, engine: Engine, *, root: str = "") -> str:
    """Return one engine's answers: how it works, the time it took, the cards or why there are none."""
    took = (
        f'<p class="ss-took" role="status">{count(len(results.hits), "passage")} in '
        f"<b>{results.encode_ms + results.search_ms:.0f} ms</b> "
        f"<span>question {results.encode_ms:.1f} ms, search {results.search_ms:.1f} ms</span></p>"
    )
    best = max((value.score for value in results.hits), default=0.0)
    is_shown = results.engine == "asr"
    cards = "".join(hit(value, best, root=root, is_transcript_shown=is_shown) for value in results.hits)
    cards = f'<ol class="ss-hits">{cards}</ol>'
    if not results.hits:
        cards = notice("Nothing relevant found.", "No passage matches. Other words, or another engine, may.")
    elif not results.has_confident_hit:
        none = notice("Nothing relevant found.", "No passage is a convincing answer to this question.")
        label = f"Show {count(len(results.hits), 'weak answer')}"
        cards = f'{none}<details class="ss-more"><summary>{label}</summary>{cards}</details>'
    return f'<section class="ss-column">{about_engine(engine)}{took}{cards}</section>'


def notice(title: str, hint: str = "", kind: str = "info") -> str:
    """Return a short message in the page; ``kind`` is "info" or "problem"."""
    role = "alert" if kind == "problem" else "status"
    more = f"<span>{text(hint, 600)}</span>" if hint else ""
    return f'<div class="ss-notice ss-{escape(kind)}" role="{role}"><strong>{text(title, 600)}</strong>{more}</div>'


def problem(error: SpeechSearchError) -> str:
    """Return what went wrong and what to do."""
    return notice(error.message, error.hint, "problem")


def progress_words(progress: Progress, name: str = "") -> str:
    """Return how far a task is in words.

    >>> progress_words(Progress("ingest", "talk.mp3", 34.2, 66, remaining_s=12.4), "the sample collection")
    'Indexing the sample collection: 34 of 66, 12 s left'
    """
    said = f"Indexing {name or progress.name}".rstrip()
    if progress.total:
        said += f": {int(progress.done)} of {int(progress.total)}"
    if progress.remaining_s is not None:
        said += f", {duration(progress.remaining_s)} left"
    return said


def progress_bar(progress: Progress, name: str = "") -> str:
    """Return how far a task is as a line with a bar."""
    percent = round(100 * progress.fraction)
    rate = f"{progress.rate:.0f} × real time" if progress.rate else ""
    detail = f"<span>{text(' · '.join(part for part in (progress.message, rate) if part))}</span>"
    return (
        f'<div class="ss-progress"><p><strong>{text(progress_words(progress, name))}</strong>{detail}</p>'
        f'<div class="ss-bar" role="progressbar" aria-valuenow="{percent}" aria-valuemin="0" aria-valuemax="100" '
        f'aria-label="Indexing"><span style="width:{percent}%"></span></div></div>'
    )


def outcome_table(outcomes: Sequence[FileOutcome]) -> str:
    """Return what became of each added file."""
    if not outcomes:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{text(outcome.name)}</th>'
        f'<td><span class="ss-state" data-state="{escape(outcome.state)}">{escape(outcome.state)}</span></td>'
        f"<td>{outcome.passages or ''}</td><td>{clock(outcome.duration_s) if outcome.duration_s else ''}</td>"
        f"<td>{text(outcome.message, 400)}</td></tr>"
        for outcome in outcomes
    )
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("File", "Result", "Passages", "Length", "Remarks"))
    return f'<div class="ss-table"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'


def holdings(collections: Iterable[Holding]) -> str:
    """Return how much there is to search."""
    found = [collection for collection in collections if collection.recordings]
    if not found:
        return "Nothing to search yet"
    parts = (
        count(sum(collection.recordings for collection in found), "recording"),
        duration(sum(collection.duration_s for collection in found)),
        count(len(found), "collection"),
    )
    return " · ".join(parts)
