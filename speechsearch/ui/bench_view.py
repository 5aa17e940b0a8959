"""Pure functions from trials of the robustness bench to HTML."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

from speechsearch.audio import to_wav
from speechsearch.domain.values import Audio
from speechsearch.evaluation.robustness import Move, Trial
from speechsearch.retrieval.engine_cards import EngineCard
from speechsearch.ui import view
from speechsearch.ui.compare_view import encoded, table
from speechsearch.ui.players import player
from speechsearch.ui.texts import Bench, Page

LONGEST_TRANSCRIPT = 1500


def sound_address(sound: Audio) -> str:
    """Return a sound as an address that holds the sound itself, for a player."""
    return f"data:audio/wav;base64,{encoded(to_wav(sound))}"


def across(rank: int | None, passages: int) -> float:
    """Return where a rank lies on its line, in percent: 1 at 0, the last at 96, not found at 100; logarithmic.

    >>> across(1, 100), across(10, 100), across(100, 100), across(None, 100)
    (0.0, 48.0, 96.0, 100.0)
    """
    if rank is None:
        return 100.0
    return round(96 * math.log(rank) / math.log(max(2, passages)), 1)


def change(move: Move) -> tuple[str, str]:
    """Return what became of a rank as (state, words).

    >>> change(Move("asr", 1, 4)), change(Move("asr", 3, None)), change(Move("asr", 2, 2)), change(Move("asr", 4, 1))
    (('worse', '3 down'), ('worse', 'lost'), ('same', 'unchanged'), ('better', '3 up'))
    """
    before, after = move.before, move.after
    if before == after:
        return "same", Bench.UNCHANGED
    if after is None or before is None:
        return ("worse", Bench.LOST) if after is None else ("better", Bench.FOUND)
    if after > before:
        return "worse", Bench.DOWN.format(places=after - before)
    return "better", Bench.UP.format(places=before - after)


def rank_row(move: Move, passages: int, engines: Mapping[str, EngineCard]) -> str:
    """Return an engine's line: both ranks, and where they lie between first and last."""
    state, words = change(move)
    before, after = across(move.before, passages), across(move.after, passages)
    low, high = sorted((before, after))
    engine = escape(move.engine)
    return (
        f'<tr data-engine="{engine}"><th scope="row"><span class="ss-key" data-engine="{engine}"></span>'
        f"{view.text(engines[move.engine].label)}</th><td>{move.before or '–'}</td>"
        f'<td><b>{move.after or "–"}</b></td><td><span class="ss-change" data-state="{state}">{words}</span></td>'
        f'<td class="ss-track" aria-hidden="true"><span><i style="left:{low}%;width:{high - low:.1f}%"></i>'
        f'<b class="ss-before" style="left:{before}%"></b><b style="left:{after}%"></b></span></td></tr>'
    )


def heard(heading: str, label: str, source: str, duration_s: float, said: str | None) -> str:
    """Return a sound to listen to and what the recogniser made of it; ``said`` is None where there is none."""
    words = view.text(said, LONGEST_TRANSCRIPT) if said else f"<em>{Page.NO_WORDS}</em>"
    words = "" if said is None else f'<p class="ss-transcript">{words}</p>'
    return f'<div class="ss-sound"><h4>{heading}</h4>{player(source, label, duration_s)}{words}</div>'


def trial(value: Trial, clean: str, clean_s: float, what: str, engines: Mapping[str, EngineCard]) -> str:
    """Return the ranks before and after, both sounds to listen to, and what the recogniser made of each.

    Args:
        clean: address of the sound as it was, which lasts ``clean_s``.
        what: "clip" or "question".
    """
    rows = "".join(rank_row(move, value.passages, engines) for move in value.moves)
    words = Bench.AMONG_DRAWN if value.of > value.passages else Bench.AMONG
    among = words.format(passages=f"{value.passages:,}", of=f"{value.of:,}")
    title, where = value.recording.title, view.span(value.passage.span)
    over_transcripts = [engine for engine in engines.values() if engine.is_over_transcripts]
    said = (value.said_before, value.said_after) if over_transcripts else (None, None)
    sounds = heard(Bench.BEFORE, Bench.BEFORE_LABEL[what].format(title=title), clean, clean_s, said[0])
    changed, changed_s = sound_address(value.sound), value.sound.duration_s
    sounds += heard(Bench.AFTER, Bench.AFTER_LABEL[what].format(title=title), changed, changed_s, said[1])
    below = ""
    if over_transcripts:
        only = Bench.TRANSCRIPTS.format(engine=view.text(over_transcripts[0].title))
        below = f'<p class="ss-about">{only}</p>'
    ranks = Bench.WHERE.format(title=view.text(title, 90), span=where, among=among)
    return (
        f'<p class="ss-about" role="status">{ranks}</p>{table(Bench.HEADS, rows, Bench.RANKS)}'
        f'<div class="ss-sounds">{sounds}</div>{below}'
    )
