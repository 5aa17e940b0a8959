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
from speechsearch.ui.compare_view import encoded, player, table

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
    (('worse', '3 down'), ('worse', 'lost'), ('same', 'unmoved'), ('better', '3 up'))
    """
    before, after = move.before, move.after
    if before == after:
        return "same", "unmoved"
    if after is None or before is None:
        return ("worse", "lost") if after is None else ("better", "found")
    return ("worse", f"{after - before} down") if after > before else ("better", f"{before - after} up")


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


def heard(heading: str, label: str, source: str, said: str | None) -> str:
    """Return a sound to listen to and what the recogniser made of it; ``said`` is None where there is none."""
    words = view.text(said, LONGEST_TRANSCRIPT) if said else "<em>nothing recognised</em>"
    words = "" if said is None else f'<p class="ss-transcript">{words}</p>'
    return f'<div class="ss-sound"><h4>{heading}</h4>{player(source, label)}{words}</div>'


def trial(value: Trial, clean: str, what: str, engines: Mapping[str, EngineCard]) -> str:
    """Return the ranks before and after, both sounds to listen to, and what the recogniser made of each.

    Args:
        clean: address of the sound as it was.
        what: "clip" or "question".
    """
    heads = ["Engine", "Before", "After", "Change", "First … last"]
    rows = "".join(rank_row(move, value.passages, engines) for move in value.moves)
    among = f"{value.passages:,} passages" + (f" drawn from {value.of:,}" if value.of > value.passages else "")
    title, where = value.recording.title, view.span(value.passage.span)
    over_transcripts = [engine for engine in engines.values() if engine.is_over_transcripts]
    said = (value.said_before, value.said_after) if over_transcripts else (None, None)
    sounds = heard("As it was", f"the {what} as it was: {title}", clean, said[0])
    sounds += heard("Degraded", f"the degraded {what}: {title}", sound_address(value.sound), said[1])
    texts = ""
    if over_transcripts:
        only = f"{view.text(over_transcripts[0].title)} searches them."
        texts = f'<p class="ss-about">The texts are what the recogniser wrote down; only {only}</p>'
    return (
        f'<p class="ss-about" role="status">Where {view.text(title, 90)}, {where}, ranks among {among}.</p>'
        f"{table(heads, rows, 'Rank of the right clip in every engine')}"
        f'<div class="ss-sounds">{sounds}</div>{texts}'
    )
