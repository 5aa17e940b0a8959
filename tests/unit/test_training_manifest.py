"""What the shipped model was trained on: a planted leak is found, and the committed manifest has none unexplained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speechsearch.training.adapter_data import TEXT_WEIGHTS
from speechsearch.training.corpus import Utterance
from speechsearch.training.manifest import (
    Reserved,
    ReservedTexts,
    shard_rows,
    speech_manifest,
    text_manifest,
    written,
)
from speechsearch.training.speech_corpus import RESERVED_READER
from speechsearch.training.train_encoder import SOURCE_WEIGHTS, source_of
from speechsearch.training.voices import RESERVED

MANIFEST = Path(__file__).parents[2] / "speechsearch/assets/mini/manifest.json"
TALE = "A fox went out on a chilly night and prayed for the moon to give him light for many a mile. So be it then."
PROMPT = "HE IS A BIG BOY"
KNOWN_LONG_OVERLAPS = {("espeak", "squad"): 1, ("flite", "squad"): 1, ("encyclopedia", "squad"): 2}
"""Two Wikipedia sentences that are among SQuAD's 6,652 too; two training utterances say the first of them."""


@pytest.fixture
def reserved() -> Reserved:
    return Reserved(ReservedTexts([("fairytale", [TALE]), ("speechocean-adults", [PROMPT])]), frozenset({"00026"}))


def write_shards(corpus: Path, **shards: list[tuple[str, str]]) -> Path:
    (corpus / "train").mkdir(parents=True)
    for name, rows in shards.items():
        lines = [json.dumps({"offset": 0, "samples": 57_600, "symbols": [1], "text": t, "voice": v}) for t, v in rows]
        (corpus / "train" / f"{name.replace('_', '-')}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return corpus


def test_clean_shards_are_counted_and_pass(tmp_path: Path, reserved: Reserved) -> None:
    espeak = [("A dog slept in the sun all day long.", "espeak:en-us+f1"), ("Good night.", "espeak:en-gb+m3")]
    corpus = write_shards(tmp_path, espeak_1=espeak, espeak_2=espeak, speechocean_adults=[("GOOD DAY", "human:00027")])
    found = speech_manifest(shard_rows(corpus), reserved)
    assert found["sources"] == {
        "espeak": {"hours": 0.0, "utterances": 4, "overlaps": {}},
        "speechocean-adults": {"hours": 0.0, "utterances": 1, "overlaps": {}},
    }
    assert found["voices"] == {
        "espeak accents": ["en-gb", "en-us"], "espeak variants": ["f1", "m3"], "human": ["00027"]
    }  # fmt: skip
    assert found["reserved_voices_found"] == found["reserved_speakers_found"] == []
    assert found["same_prompts"] == {}


def test_hours_are_those_of_the_samples(reserved: Reserved) -> None:
    rows = [Utterance(0, 16_000 * 1800, [], "x", "flite:slt")] * 3
    assert speech_manifest({"flite": rows}, reserved)["sources"]["flite"]["hours"] == 1.5


@pytest.mark.parametrize("voice", ["espeak:en-gb+klatt2", "flite:awb", "festival:ked_diphone"])
def test_a_planted_voice_is_found(voice: str, reserved: Reserved) -> None:
    found = speech_manifest({"flite": [Utterance(0, 1, [], "x", voice)]}, reserved)
    assert found["reserved_voices_found"] == [voice.split(":")[1].split("+")[-1]]


def test_a_planted_speaker_is_found(reserved: Reserved) -> None:
    found = speech_manifest({"speechocean-adults": [Utterance(0, 1, [], "x", "human:00026")]}, reserved)
    assert found["reserved_speakers_found"] == ["00026"]


@pytest.mark.parametrize(
    ("text", "longest", "long"),
    [
        ("then, OUT on a chilly night -- and prayed for", 8, 0),
        (f"He sang: {TALE}", 25, 1),
        ("so be it then", 4, 0),
    ],
)
def test_a_planted_text_is_found(text: str, longest: int, long: int, reserved: Reserved) -> None:
    rows = [Utterance(0, 1, [], text, "flite:slt"), Utterance(0, 1, [], "Nothing of it.", "flite:slt")]
    overlaps = speech_manifest({"flite": rows}, reserved)["sources"]["flite"]["overlaps"]
    expected = {"training_texts": 1, "reserved_texts": 1, "longest_words": longest, "training_texts_long": long}
    assert overlaps == {"fairytale": expected}
    assert text_manifest([text, "Nothing of it."], reserved.texts) == {"passages": 2, "overlaps": overlaps}


@pytest.mark.parametrize(
    "text", ["on a chilly night and prayed", "prayed for the sun to give him light for many miles"]
)
def test_a_shorter_run_is_no_overlap(text: str, reserved: Reserved) -> None:
    assert text_manifest([text], reserved.texts)["overlaps"] == {}


def test_the_same_prompt_of_another_speaker_is_counted_apart(reserved: Reserved) -> None:
    found = speech_manifest({"speechocean-adults": [Utterance(0, 1, [], PROMPT, "human:00027")]}, reserved)
    assert found["sources"]["speechocean-adults"]["overlaps"] == {}
    assert found["same_prompts"]["speechocean-adults"]["training_texts"] == 1
    other = speech_manifest({"espeak": [Utterance(0, 1, [], PROMPT, "espeak:en-us+f1")]}, reserved)
    assert other["sources"]["espeak"]["overlaps"] and not other["same_prompts"]


def test_a_shard_of_no_source_is_an_error() -> None:
    with pytest.raises(ValueError, match="'stranger' belongs to no source"):
        source_of("stranger")


def test_treebank_tokens_are_joined_before_they_are_compared() -> None:
    assert written("she did n't see dame 's fee -lrb- 5 -rrb-") == "she didn't see dame's fee   5  "


def test_the_committed_manifest_has_nothing_reserved_in_it() -> None:
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    assert MANIFEST.stat().st_size < 20_000
    assert set(manifest["sources"]) == set(SOURCE_WEIGHTS)
    assert set(manifest["adapter_texts"]) == {source.__name__ for source in TEXT_WEIGHTS}
    voices = {voice for kind, names in manifest["voices"].items() if kind != "human" for voice in names}
    speakers = set(manifest["voices"]["human"])
    assert voices and not voices & RESERVED
    assert RESERVED_READER in manifest["reserved_speakers"] and len(manifest["reserved_speakers"]) == 42
    assert speakers and not speakers & set(manifest["reserved_speakers"])
    assert manifest["reserved_voices_found"] == manifest["reserved_speakers_found"] == []


def test_the_committed_manifest_has_no_unexplained_text() -> None:
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    long: dict[tuple[str, str], int] = {}
    for source, described in {**manifest["sources"], **manifest["adapter_texts"]}.items():
        texts = described.get("utterances", described.get("passages"))
        for name, counts in described["overlaps"].items():
            assert counts["training_texts"] <= 0.01 * texts, f"{source}, {name}: more than formulas"
            if counts["training_texts_long"]:
                long[source, name] = counts["training_texts_long"]
    assert long == KNOWN_LONG_OVERLAPS
    assert sum(one["training_texts"] for one in manifest["same_prompts"].values()) <= 20
