"""The recipe of a sound embedder: its recordings, views and pairs, its loss, what validation counts, a tiny run."""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from speechsearch.audio.degrade import Degradation
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from speechsearch.models.catalog import Catalog
from speechsearch.models.folders import with_folder
from speechsearch.models.load import ModelLoader
from speechsearch.models.rvq_mini import RvqTokenizer
from speechsearch.models.similar_mini import UNKNOWN, SimilarNetwork, Sizes
from speechsearch.training import similar_views, train_similar
from speechsearch.training.likeness_cases import of_copies, of_sounds
from speechsearch.training.music import Rendering
from speechsearch.training.similar_crops import Coded, Drawer
from speechsearch.training.similar_recordings import recordings
from speechsearch.training.similar_validation import validate
from speechsearch.training.similar_views import Change, changed, read_views
from speechsearch.training.train_similar import chosen_by, info_nce, start_from_codebooks
from tests.tiny import rvq
from tests.tiny.fakes import FakeSoundEmbedder

SETS = ("kathleen_arctic", "ljspeech_385", "librispeech_train_clean_4spk", "speechocean762_adults",
        "speechocean762_children")  # fmt: skip
TRAIN_PIECE, HELD_OUT_PIECE = "bach/bwv66.6", "bach/bwv11.6"


def tones(seed: int, seconds: float) -> np.ndarray:
    """Notes of a fifth of a second, always the same ones of a seed."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    pitches_hz = rng.uniform(200, 2000, len(times) // 3200 + 1)[np.arange(len(times)) // 3200]
    return (0.3 * np.sin(2 * np.pi * pitches_hz * times)).astype(np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six readers without a text, and empty sets of those with one."""
    folder = tmp_path_factory.mktemp("data")
    for name in SETS:
        (folder / "speech" / name / "audio").mkdir(parents=True)
        (folder / "speech" / name / "transcripts.tsv").write_text("")
    audio = folder / "speech" / "librispeech_train_clean_251_untranscribed" / "audio"
    audio.mkdir(parents=True)
    for reader in range(6):
        soundfile.write(audio / f"{reader}-1-0000.flac", tones(reader, 12.5), SAMPLE_RATE_HZ)
    return folder


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pieces, each twice."""
    folder = tmp_path_factory.mktemp("music")
    with (folder / "music.jsonl").open("w") as index:
        for number, piece in enumerate((TRAIN_PIECE, HELD_OUT_PIECE)):
            for turn in range(2):
                name = f"{number}-{turn}.flac"
                soundfile.write(folder / name, tones(100 + number, 24.0 / (turn + 1)), SAMPLE_RATE_HZ)
                part = "held out" if piece == HELD_OUT_PIECE else "train"
                row = Rendering(name, piece, part, (0,), 60.0 * (turn + 1), 0, 24.0)
                index.write(json.dumps(asdict(row)) + "\n")
    return folder


def test_readers_and_pieces_are_held_out(data: Path, music: Path) -> None:
    for kind, names in (("speech", 6), ("music", 4)):
        train, held_out = (recordings(data, music, kind, is_held_out=one) for one in (False, True))  # type: ignore[arg-type]
        assert len(train) + len(held_out) == names and len(train) > 0 < len(held_out)
        assert {one.piece for one in train}.isdisjoint(one.piece for one in held_out)
        assert all(len(one.samples()) / SAMPLE_RATE_HZ == one.duration_s() >= 12 for one in train)


def test_a_pitch_that_moves_alone_keeps_the_length_and_a_gain_only_the_level() -> None:
    sound = tones(1, 2.0)
    higher = changed(sound, Change(semitones=3))
    assert len(higher) == len(sound)
    middle_hz = [
        np.average(np.fft.rfftfreq(len(one)), weights=np.abs(np.fft.rfft(one)) ** 2) for one in (sound, higher)
    ]
    assert middle_hz[1] / middle_hz[0] == pytest.approx(2 ** (3 / 12), rel=0.03)
    np.testing.assert_allclose(changed(sound, Change(gain_db=-20)), sound / 10, atol=1e-6)
    assert str(Change(Degradation(mp3_kbps=32), semitones=1)) == "mp3_kbps 32, semitones 1"


def of_numbers(name: str, piece: str, tempo_bpm: float, frames: int, speed: float = 1.0) -> Coded:
    """A recording whose codes tell the time: frame number in each view, in the first view's frames."""
    views = tuple((np.arange(int(frames / rate))[None] * np.ones((3, 1))).astype(np.int16) for rate in (1.0, speed))
    return Coded(
        name, piece, "music" if tempo_bpm else "speech", tempo_bpm, views, (1.0, speed), ("as it is", "faster")
    )


def test_pairs_are_of_about_the_same_seconds_and_of_the_same_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("APART_S", 0.0),
        ("DROPPED_SHARE", 0.0),
        ("COARSE_SHARE", 0.0),
        ("OTHER_RENDERING_SHARE", 1.0),
    ):
        monkeypatch.setattr(f"speechsearch.training.similar_crops.{name}", value)
    slow, fast = of_numbers("slow", "tune", 60.0, 400), of_numbers("fast", "tune", 120.0, 200)
    alone = of_numbers("reader", "reader", 0.0, 300, speed=1.25)
    pairs = Drawer([slow, fast, alone], 10.0, random.Random(3)).pairs(40, (20, 40))
    assert pairs.first.shape == (40, 3, 20) and pairs.second.shape == (40, 3, 40)
    for number, piece in enumerate(pairs.pieces):
        first, second = int(pairs.first[number, 0, 0]), int(pairs.second[number, 0, 0])
        ratio = second / max(1, first)
        if piece == "tune":
            assert first < 5 or min(abs(ratio - 2), abs(ratio - 0.5)) < 0.15
        else:
            assert first < 5 or min(abs(ratio - 1.25), abs(ratio - 0.8)) < 0.15


def test_codes_are_forgotten_by_chance() -> None:
    one = of_numbers("reader", "reader", 0.0, 300, speed=1.1)
    tune = of_numbers("tune", "tune", 60.0, 300, speed=1.1)
    pairs = Drawer([one, tune], 10.0, random.Random(3)).pairs(64, (100, 100))
    share = float((pairs.first[:, 0] == UNKNOWN).float().mean())
    assert 0.05 < share < 0.2
    assert float((pairs.first[:, 2] == UNKNOWN).float().mean()) > share + 0.1


def test_of_the_same_piece_is_no_negative() -> None:
    first = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]), dim=1)
    none, same = torch.zeros(3, 3, dtype=torch.bool), torch.zeros(3, 3, dtype=torch.bool)
    same[0, 1] = same[1, 0] = True
    scale = torch.tensor(10.0)
    assert info_nce(first, first, same, scale) < 0.01 < 0.3 < info_nce(first, first, none, scale)


def test_validation_finds_what_is_there_and_not_what_is_not() -> None:
    rng = np.random.default_rng(4)
    sounds = [rng.integers(0, 9, (1, 64)).astype(np.int16) for _ in range(6)]
    names = ["speech"] * 2 + ["music"] * 4
    held_out = [
        Coded(str(place), f"piece {place // 2}", kind, 60.0, (codes, codes), (1.0, 1.0), ("", ""))  # type: ignore[arg-type]
        for place, (codes, kind) in enumerate(zip(sounds, names, strict=True))
    ]

    def spectrum(windows: np.ndarray) -> np.ndarray:
        """How often each code is there: the same for a window that is the same."""
        counts = np.stack([np.bincount(one.ravel(), minlength=9) for one in windows]).astype(np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)

    figures = validate(held_out, spectrum, 64, 10)
    assert figures["speech R@1"] == figures["music R@1"] == figures["music MRR"] == 1.0
    assert figures["other R@10"] == 1.0 and figures["other MRR"] < 1.0
    assert chosen_by(figures) == pytest.approx((2 + figures["other MRR"]) / 3)


def test_embeddings_begin_as_what_the_codes_stand_for(tmp_path: Path) -> None:
    loader = ModelLoader(Catalog([rvq.save(tmp_path / rvq.CARD.name)]), tmp_path, device="cpu")
    tokenizer = loader.model("audio tokenizer", rvq.CARD.name)
    assert isinstance(tokenizer, RvqTokenizer)
    codes = tokenizer.tokenize([Audio(tones(5, 20.0))])[0].codes
    heard = Coded("a", "a", "speech", 0.0, (codes,), (1.0,), ("",))
    network = SimilarNetwork(Sizes(width=32, layers=1))
    start_from_codebooks(network, tokenizer, [heard])
    sums = network.codes(torch.from_numpy(codes).long() + network.first_rows).sum(0)
    assert sums.mean(0).abs().max() < 0.3 and float(sums.detach().std()) == pytest.approx(1, abs=0.3)
    assert float(network.codes.weight[-1].detach().abs().sum()) == 0


def test_a_tiny_run_resumes_and_leaves_a_folder_that_is_a_model(data: Path, music: Path, tmp_path: Path) -> None:
    card = rvq.save(tmp_path / "models" / rvq.CARD.name)
    similar_views.main(data, music, tmp_path / "views", tiny=True)
    views = list(read_views(tmp_path / "views", "train", "music"))
    assert len(views) == 2 and views[0].how[0] == "as it is" and len(views[0].sounds) == similar_views.VIEWS
    made = sorted((tmp_path / "views").rglob("*.npz"))
    times = [path.stat().st_mtime_ns for path in made]
    similar_views.main(data, music, tmp_path / "views", tiny=True)
    assert [path.stat().st_mtime_ns for path in made] == times

    loader = ModelLoader(Catalog([card]), tmp_path / "models", device="cpu", dtype="float32")
    train_similar.train(tmp_path / "views", tmp_path / "run", loader, rvq.CARD.name, train_similar.TINY)
    log = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in log] == [3, 6]
    train_similar.train(tmp_path / "views", tmp_path / "run", loader, rvq.CARD.name, train_similar.TINY)
    assert len((tmp_path / "run" / "log.jsonl").read_text().splitlines()) == 2

    (tmp_path / "run" / "model").rename(tmp_path / "models" / "mine")
    known = with_folder(Catalog([card]), tmp_path / "models")
    own = ModelLoader(known.catalog, tmp_path / "models", device="cpu", dtype="float32").sound_embedder("mine")
    assert own.window_s == 10.24 and own.embed([Audio(tones(1, 3.0))]).shape == (1, own.dim)


def test_answers_have_right_and_wrong_ones_in_them(data: Path, music: Path) -> None:
    copies = of_copies(data, music, questions=24, others=10)
    assert 0 < copies.is_right.sum() < len(copies.is_right) == len(copies.signals) == len(copies.groups)
    right, wrong = (copies.signals[copies.is_right == one, 1] for one in (True, False))
    assert np.median(right) > np.median(wrong)
    alike = of_sounds(data, music, FakeSoundEmbedder())
    assert set(alike.is_right.tolist()) == {True, False} and np.abs(alike.signals[:, 1]).max() <= 1.0001
