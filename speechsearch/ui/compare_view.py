"""Pure functions from evaluations to HTML. Every value from a user, a file or a transcript is escaped."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode

from speechsearch.domain.progress import Progress
from speechsearch.domain.values import Passage, Recording
from speechsearch.evaluation import EngineReport, EvaluationReport, Figure, PairedTest, as_json, as_markdown
from speechsearch.ui import view
from speechsearch.ui.players import player
from speechsearch.ui.texts import Compare, Nouns, Page

SHOWN_METRICS = {"recall@1": "R@1", "recall@5": "R@5", "recall@10": "R@10", "mrr@10": "MRR"}
COMPARED_METRICS = ("recall@5", "mrr@10")
WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 12, 34
"""The curve's size and margins, in units of its view box."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A passage to listen to and whether it answers the question."""

    recording: Recording
    passage: Passage
    is_right: bool


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A question that only one of two engines answers, with the recordings that would be right and both first clips."""

    question: str
    right_titles: Sequence[str]
    clips: Mapping[str, Clip | None]


def evaluation_progress(progress: Progress, step: int, steps: int, title: str) -> str:
    """Return how far an evaluation is as a line with a bar; ``step`` of ``steps`` engines is at work."""
    percent = round(100 * (step - 1 + progress.fraction) / steps)
    said = Compare.ASKING.format(engine=title, done=int(progress.done), total=int(progress.total))
    where = Compare.STEP.format(step=step, steps=steps)
    return (
        f'<div class="ss-progress"><p><strong>{view.text(said)}</strong><span>{where}</span></p>'
        f'<div class="ss-bar" role="progressbar" aria-valuenow="{percent}" aria-valuemin="0" aria-valuemax="100" '
        f'aria-label="{Compare.PROGRESS}"><span style="width:{percent}%"></span></div></div>'
    )


def measure(value: Figure) -> str:
    """Return a mean with its interval as a cell.

    >>> measure(Figure(0.8184, 0.75, 0.879))
    '<td class="ss-figure"><b>.818</b><small>.750 – .879</small></td>'
    """
    if not math.isfinite(value.mean):
        return '<td class="ss-figure">–</td>'
    return (
        f'<td class="ss-figure"><b>{short(value.mean)}</b><small>{short(value.low)} – {short(value.high)}</small></td>'
    )


def short(value: float) -> str:
    """Return a share with three digits.

    >>> short(0.8184), short(1.0), short(-0.25)
    ('.818', '1.00', '-.250')
    """
    return f"{value:.2f}" if abs(value) >= 0.9995 else f"{value:.3f}".replace("0.", ".", 1)


def difference_cell(test: PairedTest | None) -> str:
    """Return a difference from the baseline with its p-value as a cell.

    >>> difference_cell(PairedTest(0.214, 0.0004))
    '<td class="ss-figure"><b>+.214</b><small>p &lt; .001</small></td>'
    """
    if test is None or not math.isfinite(test.difference):
        return '<td class="ss-figure">–</td>'
    chance = "p &lt; .001" if test.p_value < 0.001 else f"p = {short(test.p_value)}"
    sign = "+" if test.difference >= 0 else ""
    return f'<td class="ss-figure"><b>{sign}{short(test.difference)}</b><small>{chance}</small></td>'


def report_table(report: EvaluationReport, titles: Mapping[str, str]) -> str:
    """Return the engines' figures and what they rest on."""
    rival = titles.get(report.baseline, report.baseline)
    against = [Compare.AGAINST.format(metric=SHOWN_METRICS[one], engine=rival) for one in COMPARED_METRICS]
    heads = [Page.ENGINE, Page.COUNT, *SHOWN_METRICS.values(), *against, Compare.MS]
    rows = "".join(report_row(one, titles) for one in report.engines)
    unanswered = report.engines[0].unanswerable if report.engines else 0
    said = Compare.BASIS.format(
        collection=view.text(report.collection),
        passages=view.count(report.passages, Nouns.PASSAGE),
        length=f", {view.duration(report.audio_s)}" if report.audio_s else "",
        questions=view.count(report.queries, Nouns.QUESTION),
        unanswered=unanswered,
        date=report.date,
        machine=view.text(report.machine),
    )
    return f'{table(heads, rows, Compare.FIGURES)}<p class="ss-about ss-basis">{said}</p>'


def report_row(one: EngineReport, titles: Mapping[str, str]) -> str:
    """Return an engine's line of the table."""
    return (
        f'<tr><th scope="row"><span class="ss-key" data-engine="{escape(one.engine)}"></span>'
        f"{view.text(titles.get(one.engine, one.engine))}</th><td>{one.queries}</td>"
        f"{''.join(measure(one.figures[name]) for name in SHOWN_METRICS)}"
        f"{''.join(difference_cell(one.against_baseline.get(name)) for name in COMPARED_METRICS)}"
        f'<td class="ss-figure"><b>{one.query_p50_ms:.0f}</b>'
        f"<small>{Compare.MOST.format(ms=f'{one.query_p95_ms:.0f}')}</small></td></tr>"
    )


def table(heads: Sequence[str], rows: str, label: str) -> str:
    """Return a table that scrolls in its own frame where it is too wide; ``rows`` is HTML."""
    titles = "".join(f'<th scope="col">{view.text(head)}</th>' for head in heads)
    return (
        f'<div class="ss-table" tabindex="0" role="region" aria-label="{escape(label, quote=True)}"><table>'
        f"<thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def curves(found: Mapping[str, Sequence[float]], titles: Mapping[str, str]) -> str:
    """Return recall@1 ... recall@k as a picture, one line an engine, with its key and the same figures as a table."""
    deepest = max((len(curve) for curve in found.values()), default=0)
    if not deepest:
        return ""
    lines = "".join(curve_line(name, curve, deepest) for name, curve in found.items())
    key = "".join(
        f'<li><span class="ss-key" data-engine="{escape(name)}"></span>{view.text(titles.get(name, name))}</li>'
        for name in found
    )
    ranks = [k for k in (1, 2, 3, 5, 10, 15, 20) if k <= deepest]
    rows = "".join(
        f'<tr><th scope="row">{view.text(titles.get(name, name))}</th>'
        f"{''.join(f'<td>{short(curve[k - 1])}</td>' for k in ranks)}</tr>"
        for name, curve in found.items()
    )
    numbers = table([Page.ENGINE, *(f"R@{k}" for k in ranks)], rows, Compare.CURVES_TABLE_LABEL)
    label = Compare.CURVES_LABEL.format(deepest=deepest)
    return (
        f'<figure class="ss-curves"><figcaption>{Compare.CURVES}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{axes(deepest)}{lines}</svg>'
        f'<ul class="ss-keys">{key}</ul>'
        f'<details class="ss-more"><summary>{Compare.CURVES_TABLE}</summary>{numbers}</details></figure>'
    )


def place(k: int, share: float, deepest: int) -> tuple[float, float]:
    """Return where recall ``share`` at ``k`` lies in the picture.

    >>> place(1, 1.0, 20), place(20, 0.0, 20)
    ((44.0, 12.0), (628.0, 226.0))
    """
    across = (k - 1) / max(1, deepest - 1)
    x, y = LEFT + across * (WIDTH - LEFT - RIGHT), TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)
    return round(x, 1), round(y, 1)


def axes(deepest: int) -> str:
    """Return the lines and numbers behind the curves."""
    drawn = []
    for percent in (0, 25, 50, 75, 100):
        (x, y), (end, _) = place(1, percent / 100, deepest), place(deepest, 0, deepest)
        drawn.append(f'<line x1="{x}" y1="{y}" x2="{end}" y2="{y}"/><text x="{x - 8}" y="{y + 4}">{percent} %</text>')
    for k in (one for one in (1, 5, 10, 15, 20) if one <= deepest):
        x, y = place(k, 0, deepest)
        drawn.append(f'<text class="ss-tick" x="{x}" y="{y + 20}">{"k = " if k == 1 else ""}{k}</text>')
    return f'<g class="ss-axes">{"".join(drawn)}</g>'


def curve_line(name: str, curve: Sequence[float], deepest: int) -> str:
    """Return one engine's curve."""
    points = [place(k, share, deepest) for k, share in enumerate(curve, 1)]
    path = " ".join(f"{x},{y}" for x, y in points)
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="2.6"/>' for x, y in points)
    return f'<g class="ss-curve" data-engine="{escape(name)}"><polyline points="{path}"/>{dots}</g>'


def disagreements(
    found: Sequence[Disagreement], total: int, ours: str, theirs: str, k: int, titles: Mapping[str, str], root: str = ""
) -> str:
    """Return the questions that only ``ours`` answers among its first ``k``, with both engines' first clips."""
    winner, loser = titles.get(ours, ours), titles.get(theirs, theirs)
    heading = Compare.ONLY.format(engine=winner, questions=view.count(total, Nouns.QUESTION))
    if not total:
        return f'<section class="ss-sole"><h3>{view.text(heading)}</h3></section>'
    rest = Compare.MORE.format(number=total - len(found))
    more = f'<p class="ss-about">{rest}</p>' if total > len(found) else ""
    items = "".join(disagreement(one, ours, k, titles, root) for one in found)
    said = (Compare.RIGHT_WITHIN if k > 1 else Compare.RIGHT_AT_ONCE).format(k=k, engine=loser)
    return (
        f'<section class="ss-sole"><h3>{view.text(heading)}</h3><p class="ss-about">{view.text(said)}</p>'
        f'<ol class="ss-hits">{items}</ol>{more}</section>'
    )


def disagreement(one: Disagreement, ours: str, k: int, titles: Mapping[str, str], root: str) -> str:
    """Return one question with both engines' first clips."""
    address = "?" + urlencode({"q": one.question, "k": max(5, k), "engine": ours})
    clips = "".join(first_clip(titles.get(name, name), name, clip, root) for name, clip in one.clips.items())
    answered = Compare.ANSWERED_BY.format(titles=", ".join(view.text(title, 90) for title in one.right_titles))
    return (
        f'<li class="ss-hit"><h4><a href="{escape(address, quote=True)}">{view.text(one.question, 300)}</a></h4>'
        f'<p class="ss-where">{answered}</p>'
        f'<div class="ss-firsts">{clips}</div></li>'
    )


def first_clip(title: str, engine: str, clip: Clip | None, root: str) -> str:
    """Return an engine's first clip with a player."""
    head = f'<p class="ss-first"><span class="ss-key" data-engine="{escape(engine)}"></span>{view.text(title)}</p>'
    if clip is None:
        return f'<div>{head}<p class="ss-where">{Compare.FOUND_NOTHING}</p></div>'
    where, source = view.span(clip.passage.span), f"{root}/api/v1/clips/{clip.passage.passage_id}"
    kind, verdict = ("right", Compare.RIGHT) if clip.is_right else ("wrong", Compare.WRONG)
    return (
        f'<div>{head}<p class="ss-where">{view.text(clip.recording.title, 90)} <i>·</i> {where} '
        f'<span class="ss-{kind}">{verdict}</span></p>'
        f"{player(source, f'{clip.recording.title}, {where}', clip.passage.span.duration_s)}</div>"
    )


def downloads(report: EvaluationReport) -> str:
    """Return links that save the report, which lies in the page itself: no file on the server."""
    name = "evaluation"
    written = {
        "JSON": ("json", "application/json", json.dumps(as_json(report), indent=2) + "\n"),
        "Markdown": ("md", "text/markdown", as_markdown(report)),
    }
    links = "".join(
        f'<a class="ss-save" download="{name}.{suffix}" href="data:{kind};base64,{encoded(text.encode())}">'
        f"{Compare.SAVE_AS.format(format=title)}</a>"
        for title, (suffix, kind, text) in written.items()
    )
    return f'<p class="ss-saves">{links}</p>'


def encoded(content: bytes) -> str:
    """Return bytes as a data address takes them.

    >>> encoded(b"ab")
    'YWI='
    """
    return base64.b64encode(content).decode("ascii")
