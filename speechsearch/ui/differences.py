"""Why the two columns differ: pure functions from a comparison to words and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from speechsearch.domain.values import Comparison, Hit
from speechsearch.retrieval.engine_cards import BASELINE, EngineCard
from speechsearch.ui.texts import Nouns, Search
from speechsearch.ui.view import count, span, text

HUE_STEP_DEGREES = 137.5
"""The golden angle: however many colours are taken, the next lies far from all of them."""

ROW = 10
"""Height of a row of the picture, in its own units."""

LONGEST_LABEL = 60


@dataclass(frozen=True, slots=True)
class Relation:
    """What a column says of the other one about a hit.

    ``other_rank``: the rank there, None when it is not among the hits there. ``other_title``: the other engine's.
    ``only``: what the hit carries when this side alone has it. ``hue``: the colour, in degrees, that a common hit has
    on both sides.
    """

    other_rank: int | None
    other_title: str
    only: str
    hue: int = 0


def ranks(hits: Sequence[Hit]) -> dict[str, int]:
    """Return the rank of every passage by its id."""
    return {hit.passage.passage_id: hit.rank for hit in hits}


def only_words(left: EngineCard, right: EngineCard) -> tuple[str, str]:
    """Return what hits of one side alone carry: the kind of search where one has no part in the other, else the engine.

    >>> from speechsearch.retrieval.engine_cards import ADAPTER, ASR, HYBRID, PHONETIC
    >>> only_words(HYBRID, ASR), only_words(ADAPTER, PHONETIC)[0]
    (('only by sound', 'only by transcript'), 'only by Meaning')
    """
    if {left.searches, right.searches} != {"sound", "transcript"}:
        return Search.ONLY.format(engine=left.title), Search.ONLY.format(engine=right.title)
    words = (Search.ONLY_TRANSCRIPT, Search.ONLY_SOUND)
    return words if left.is_over_transcripts else (words[1], words[0])


def relations(
    found: Comparison, left: EngineCard, right: EngineCard
) -> tuple[dict[str, Relation], dict[str, Relation]]:
    """Return for both columns how the other one sees each passage, by the passage's id."""
    on_left, on_right = ranks(found.left.hits), ranks(found.right.hits)
    common = [one for one in on_left if one in on_right]
    hues = {one: round(number * HUE_STEP_DEGREES + 200) % 360 for number, one in enumerate(common)}
    only_left, only_right = only_words(left, right)

    def side(own: Mapping[str, int], other: Mapping[str, int], title: str, only: str) -> dict[str, Relation]:
        return {one: Relation(other.get(one), title, only, hues.get(one, 0)) for one in own}

    return side(on_left, on_right, right.title, only_left), side(on_right, on_left, left.title, only_right)


def summary(found: Comparison, left: EngineCard, right: EngineCard) -> str:
    """Return one sentence that counts what both sides found and what one side alone did."""
    on_left, on_right = ranks(found.left.hits), ranks(found.right.hits)
    every, common = on_left.keys() | on_right.keys(), on_left.keys() & on_right.keys()
    if not every:
        return Search.NEITHER
    if every == common:
        several = Search.SAME_ORDER if on_left == on_right else Search.OTHER_ORDER
        return (several if len(common) > 1 else Search.SAME).format(passages=count(len(common), Nouns.PASSAGE))
    parts = [Search.IN_BOTH.format(common=len(common), passages=count(len(every), Nouns.PASSAGE))]
    for own, words in zip((on_left, on_right), only_words(left, right), strict=True):
        parts += [f"{len(own.keys() - common)} {words}"] if own.keys() - common else []
    return ", ".join(parts) + "."


def reason(found: Comparison, left: EngineCard, right: EngineCard) -> str:
    """Return why a search of the transcripts could miss what only sound found; empty when there is nothing to say.

    It can be said of the first recogniser, whose transcripts all hits carry, and once they are whole.
    """
    sides = [(left, found.left), (right, found.right)]
    by_sound = [results for engine, results in sides if engine.searches == "sound"]
    by_transcript = [results for engine, results in sides if engine.name == BASELINE]
    if not by_sound or not by_transcript or not by_transcript[0].coverage.is_whole:
        return ""
    known = ranks(by_transcript[0].hits)
    missed = [hit for hit in by_sound[0].hits if hit.passage.passage_id not in known]
    wordless = sum(not hit.marked for hit in missed)
    if not wordless:
        return ""
    if len(missed) == 1:
        which = Search.MISSED_ONE
    elif wordless == len(missed):
        which = Search.MISSED_ALL
    else:
        which = Search.MISSED_SOME.format(number=wordless, total=len(missed))
    return Search.MISSED.format(passages=which)


def picture(found: Comparison, left: EngineCard, right: EngineCard) -> str:
    """Return the ranks of both sides as a slope chart, with the same in sentences for those who do not see it."""
    on_left, on_right = relations(found, left, right)
    height = ROW * max(len(found.left.hits), len(found.right.hits))
    lines = "".join(
        f'<line x1="0" x2="100" y1="{ROW * (hit.rank - 0.5):g}" y2="{ROW * (relation.other_rank - 0.5):g}" '
        f'style="--ss-hue:{relation.hue}"/>'
        for hit in found.left.hits
        if (relation := on_left[hit.passage.passage_id]).other_rank is not None
    )
    chart = (
        f'<svg viewBox="0 0 100 {height}" preserveAspectRatio="none" style="height:calc({height // ROW} * 1.9rem)">'
        f"{lines}</svg>"
    )
    told = "".join(f"<li>{sentence}</li>" for sentence in _sentences(found, left, right))
    return (
        f'<figure class="ss-slope"><div aria-hidden="true">{_names(found.left.hits, on_left, left)}{chart}'
        f'{_names(found.right.hits, on_right, right)}</div><figcaption class="ss-unseen"><ul>{told}</ul></figcaption>'
        "</figure>"
    )


def _names(hits: Sequence[Hit], side: Mapping[str, Relation], engine: EngineCard) -> str:
    def row(hit: Hit) -> str:
        relation = side[hit.passage.passage_id]
        kind = "ss-alone" if relation.other_rank is None else "ss-common"
        return (
            f'<li class="{kind}" style="--ss-hue:{relation.hue}"><b>{hit.rank}</b>'
            f"<span>{text(hit.recording.title, LONGEST_LABEL)}</span></li>"
        )

    return f"<div><p>{text(engine.title)}</p><ol>{''.join(row(hit) for hit in hits)}</ol></div>"


def _sentences(found: Comparison, left: EngineCard, right: EngineCard) -> list[str]:
    on_left, on_right = ranks(found.left.hits), ranks(found.right.hits)
    titles = {
        hit.passage.passage_id: f"{text(hit.recording.title, LONGEST_LABEL)}, {span(hit.passage.span)}"
        for hit in (*found.left.hits, *found.right.hits)
    }

    def place(own: Mapping[str, int], passage_id: str, engine: EngineCard) -> str:
        words = Search.RANK_IN if passage_id in own else Search.NOT_IN
        return words.format(rank=own.get(passage_id), engine=text(engine.title))

    return [f"{title}: {place(on_left, one, left)}, {place(on_right, one, right)}" for one, title in titles.items()]
