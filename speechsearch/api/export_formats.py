"""Results and judgements as files: tables, playlists, captions, and what evaluation tools read. Pure functions.

Titles, questions and transcripts are anybody's: no text may begin a formula, a line or a tag of its own.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from html import escape
from itertools import groupby

from speechsearch.api.bodies import page_address
from speechsearch.domain.captions import caption_clock
from speechsearch.domain.safe_text import cell, one_line
from speechsearch.domain.values import Hit, Results
from speechsearch.domain.visitors import shown_name
from speechsearch.store import Judgement

COLUMNS = (
    "rank", "score", "likelihood", "title", "speaker", "speakers", "date", "collection", "recording_id", "passage_id",
    "start_s", "end_s", "channels", "transcript", "link",
)  # fmt: skip


def page_link(hit: Hit, root: str) -> str:
    """Return the address at which the page plays a hit and stops at its end; ``root``: where the page is."""
    return root + page_address(hit.passage)


def as_csv(results: Results, root: str) -> str:
    """Return results as a table with a line of headings; a likelihood that was never measured is empty."""
    written = io.StringIO()
    table = csv.DictWriter(written, COLUMNS, lineterminator="\r\n")
    table.writeheader()
    for hit in results.hits:
        recording, span = hit.recording, hit.passage.span
        texts: Mapping[str, str] = {
            "title": recording.title,
            "speaker": recording.speaker,
            "speakers": "; ".join(one.label for one in hit.speakers),
            "date": recording.date,
            "collection": shown_name(recording.collection),
            "recording_id": recording.recording_id,
            "passage_id": hit.passage.passage_id,
            "channels": " ".join(f"{one.channel}#{one.rank}" for one in hit.channels),
            "transcript": hit.transcript or "",
            "link": page_link(hit, root),
        }
        likelihood = "" if hit.likelihood is None else round(hit.likelihood, 4)
        numbers = {"rank": hit.rank, "score": round(hit.score, 4), "likelihood": likelihood}
        times = {"start_s": round(span.start_s, 2), "end_s": round(span.end_s, 2)}
        table.writerow({**numbers, **times, **{name: cell(one_line(value)) for name, value in texts.items()}})
    return written.getvalue()


def as_m3u(results: Results, question: str, root: str) -> str:
    """Return results as a playlist of their clips (extended M3U in UTF-8)."""
    lines = ["#EXTM3U", f"#PLAYLIST:{one_line(question)}"]
    for hit in results.hits:
        name = one_line(f"{hit.recording.title} {caption_clock(hit.passage.span.start_s)[:8]}")
        lines += [
            f"#EXTINF:{hit.passage.span.duration_s:.2f},{name}",
            f"{root}/api/v1/clips/{hit.passage.passage_id}",
        ]
    return "\n".join([*lines, ""])


def as_vtt(results: Results) -> str:
    """Return results as captions at the recordings' times (WebVTT), one recording after the other, by time.

    Of several recordings each begins with a note that names it.
    """
    ordered = sorted(results.hits, key=lambda hit: hit.passage.span)
    by_recording = sorted(ordered, key=lambda hit: min(o.rank for o in ordered if o.recording == hit.recording))
    blocks = ["WEBVTT"]
    groups = [list(group) for _, group in groupby(by_recording, lambda hit: hit.recording)]
    for group in groups:
        if len(groups) > 1:
            # A note that has an arrow in it would be read as a caption.
            title = one_line(group[0].recording.title).replace("-->", "→")
            blocks.append(f"NOTE {title} ({group[0].recording.recording_id})")
        for hit in group:
            span = hit.passage.span
            said = [escape(one_line(text), quote=False) for text in (hit.recording.title, hit.transcript) if text]
            blocks.append(
                "\n".join([str(hit.rank), f"{caption_clock(span.start_s)} --> {caption_clock(span.end_s)}", *said])
            )
    return "\n\n".join(blocks) + "\n"


def question_id(question: str) -> str:
    """Return the same id whenever a question is asked, in whatever case.

    >>> question_id("Who built  the bridge?") == question_id("who built the bridge?"), len(question_id("x"))
    (True, 13)
    """
    return "q" + hashlib.sha256(" ".join(question.split()).casefold().encode()).hexdigest()[:12]


def as_qrels(judgements: Iterable[Judgement]) -> str:
    """Return judgements as TREC's tools read them; where people disagree, what most say counts, and else "not"."""
    votes: Counter[tuple[str, str]] = Counter()
    for one in judgements:
        votes[question_id(one.question), one.passage_id] += 1 if one.relevance else -1
    return "".join(f"{question} 0 {passage} {int(vote > 0)}\n" for (question, passage), vote in sorted(votes.items()))


def as_queries(judgements: Iterable[Judgement]) -> str:
    """Return the judged questions, each once, as lines of id and text with a tab between."""
    asked = {question_id(one.question): one_line(one.question) for one in judgements}
    return "".join(f"{key}\t{cell(question)}\n" for key, question in sorted(asked.items()))
