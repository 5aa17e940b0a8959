from __future__ import annotations

import numpy as np
import pytest

from speechsearch.library.maps import even_sample, principal_plane


def test_places_are_the_principal_components_up_to_scale() -> None:
    random = np.random.default_rng(5)
    vectors = (random.standard_normal((200, 12)) * np.arange(12, 0, -1)).astype(np.float32)
    places, share = principal_plane(vectors)
    centred = vectors - vectors.mean(axis=0)
    _, lengths, axes = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
    expected = centred @ axes[:2].T
    for axis in range(2):
        assert abs(np.corrcoef(places[:, axis], expected[:, axis])[0, 1]) == pytest.approx(1.0, abs=1e-6)
    assert share == pytest.approx((lengths[:2] ** 2).sum() / (lengths**2).sum(), rel=1e-5)
    assert np.abs(places).max() == pytest.approx(1.0)


def test_the_picture_is_the_same_every_time_and_hardly_another_when_a_passage_is_added() -> None:
    spread = np.arange(8, 0, -1, dtype=np.float32)
    vectors = np.random.default_rng(1).standard_normal((50, 8)).astype(np.float32) * spread
    places = principal_plane(vectors)[0]
    assert np.array_equal(principal_plane(vectors.copy())[0], places)
    again = principal_plane(np.concatenate([vectors, vectors[:1] * 0.99]))[0][:50]
    for axis in range(2):
        assert abs(np.corrcoef(places[:, axis], again[:, axis])[0, 1]) > 0.99


@pytest.mark.parametrize("count", [1, 3])
def test_passages_that_are_all_alike_lie_in_the_middle(count: int) -> None:
    places, share = principal_plane(np.full((count, 4), 0.5, np.float32))
    assert places.tolist() == [[0.0, 0.0]] * count
    assert share == 0.0


def test_two_passages_lie_on_a_line() -> None:
    places, share = principal_plane(np.array([[1, 0, 0], [0, 1, 0]], np.float32))
    assert sorted(places[:, 0].round(6).tolist()) == [-1.0, 1.0]
    assert np.abs(places[:, 1]).max() < 1e-6
    assert share == pytest.approx(1.0)


def test_a_sample_is_even_and_never_repeats() -> None:
    chosen = even_sample(100_000, 3_000)
    assert len(set(chosen)) == 3_000
    assert set(np.diff(chosen)) <= {33, 34}
    assert even_sample(0, 3) == []
