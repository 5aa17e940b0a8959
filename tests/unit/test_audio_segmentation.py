"""The promises of ``cut``, for any speech."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechsearch.audio.segmentation import cut, passage_spans
from speechsearch.domain.errors import ConfigurationError
from speechsearch.domain.values import Span

TINY = 1e-6


@st.composite
def speeches(draw: st.DrawFn) -> tuple[list[Span], float]:
    """Return spans of speech with pauses between them, and the length of the recording."""
    steps = draw(st.lists(st.tuples(st.floats(0.0, 40.0), st.floats(0.05, 90.0)), max_size=30))
    spans, time_s = [], 0.0
    for pause_s, speech_s in steps:
        spans.append(Span(time_s + pause_s, time_s + pause_s + speech_s))
        time_s += pause_s + speech_s
    return spans, time_s + draw(st.floats(0.0, 10.0))


lengths = st.tuples(st.floats(0.5, 10.0), st.floats(1.1, 3.0)).map(lambda pair: (pair[0], pair[0] * pair[1] + 1.0))


@settings(deadline=None, max_examples=50)
@given(speeches(), lengths)
def test_passages_are_apart_and_none_is_too_long(speech: tuple[list[Span], float], size: tuple[float, float]) -> None:
    spans, duration_s = speech
    passages = cut(spans, duration_s, *size)
    assert all(0 <= passage.start_s < passage.end_s <= duration_s for passage in passages)
    assert all(passage.duration_s <= size[1] + TINY for passage in passages)
    assert all(left.end_s <= right.start_s + TINY for left, right in pairwise(passages))


@settings(deadline=None, max_examples=50)
@given(speeches(), lengths)
def test_no_speech_is_lost(speech: tuple[list[Span], float], size: tuple[float, float]) -> None:
    spans, duration_s = speech
    passages = cut(spans, duration_s, *size)
    for span in spans:
        covered_s = sum(max(0.0, min(span.end_s, p.end_s) - max(span.start_s, p.start_s)) for p in passages)
        assert covered_s == pytest.approx(span.duration_s, abs=TINY)


@settings(deadline=None, max_examples=50)
@given(speeches(), lengths)
def test_a_short_passage_has_no_neighbour_that_it_fits(
    speech: tuple[list[Span], float], size: tuple[float, float]
) -> None:
    spans, duration_s = speech
    passages = cut(spans, duration_s, *size)
    for left, right in pairwise(passages):
        if min(left.duration_s, right.duration_s) < size[0] - TINY:
            assert right.end_s - left.start_s > size[1] - 4 * 0.2 - TINY


@settings(deadline=None, max_examples=50)
@given(speeches(), lengths)
def test_passages_come_while_speech_comes_in(speech: tuple[list[Span], float], size: tuple[float, float]) -> None:
    spans, _ = speech
    taken: list[Span] = []

    def counted():
        for span in spans:
            taken.append(span)
            yield span

    passages = list(passage_spans(spans, *size))
    for number, passage in enumerate(passage_spans(counted(), *size)):
        assert passage == passages[number]
        assert number + 3 >= len(passages) or taken[-1].start_s <= passages[number + 3].end_s


def test_the_cut_is_at_the_longest_pause() -> None:
    speech = [Span(0, 8), Span(8.3, 14), Span(15.2, 22), Span(22.3, 31)]
    passages = cut(speech, 40.0, shortest_s=5.0, longest_s=30.0)
    assert passages == [Span(0.0, 14.2), Span(15.0, 31.2)]


def test_a_long_pause_ends_a_passage_even_if_more_would_fit() -> None:
    assert cut([Span(1, 7), Span(10, 17)], 20.0, 5.0, 30.0) == [Span(0.8, 7.2), Span(9.8, 17.2)]


def test_a_short_leftover_joins_its_neighbour() -> None:
    assert cut([Span(1, 7), Span(10, 11)], 20.0, 5.0, 30.0) == [Span(0.8, 11.2)]


def test_speech_without_a_pause_is_cut_into_equal_parts() -> None:
    passages = cut([Span(10, 70)], 80.0, 5.0, 30.0)
    assert [round(p.start_s, 6) for p in passages] == [9.8, 30.0, 50.0]
    assert [round(p.end_s, 6) for p in passages] == [30.0, 50.0, 70.2]


def test_no_speech_gives_no_passage() -> None:
    assert cut([], 10.0, 5.0, 30.0) == []


def test_contradicting_lengths_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="exceeds the longest"):
        cut([Span(0, 1)], 1.0, shortest_s=10.0, longest_s=5.0)
