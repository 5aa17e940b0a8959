"""The reader's recipe over a handful of questions: what it learns from, that it resumes, that what it writes loads."""

from __future__ import annotations

import gzip
import json
import random
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from speechsearch.models.mini.packed import unpacked
from speechsearch.models.reader import SpanNetwork, pairs_of
from speechsearch.training import frozen
from speechsearch.training.reader_data import (
    PAIRS,
    QUESTIONS,
    SECTIONS,
    Example,
    as_recognised,
    examples,
    fairytale_questions,
    sentence_questions,
    unanswered,
)
from speechsearch.training.train_reader import main, targets_of

STORY = (
    "Anna had golden hair. She lived in a hut by the sea. Her brother Bob caught fish every day. "
    "One day a storm came. The boat was lost. "
)


def write_data(folder: Path) -> Path:
    """Write two sections of a story and questions of it, and thirty pairs, in the files' own forms."""
    (folder / "qa").mkdir(parents=True)
    sections, questions = [], []
    for split in ("train", "val"):
        sections += [
            {"story": split, "split": split, "section": "1", "text": STORY * 3},
            {"story": split, "split": split, "section": "2", "text": "The king rode out. He met a dwarf in the wood."},
        ]
        questions += [
            {"story": split, "split": split, "cor_section": "1", "question": "What hair had Anna?", "answer": "golden"},
            {"story": split, "split": split, "cor_section": "2", "question": "Whom did he meet?", "answer": "a dwarf"},
            {"story": split, "split": split, "cor_section": "1,2", "question": "Why?", "answer": "of two sections"},
        ]
    pairs = [f"the sentence number {number} is here .\twhich number is {number} ?" for number in range(30)]
    for name, lines in (
        (SECTIONS, map(json.dumps, sections)),
        (QUESTIONS, map(json.dumps, questions)),
        (PAIRS, pairs),
    ):
        with gzip.open(folder / name, "wt", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


def test_questions_come_with_the_places_of_their_answers(data: Path) -> None:
    known, asked = fairytale_questions(data, "train")
    assert len(known.by_place) == 2 and len(asked) == 2  # one of two sections is left out
    hair, dwarf = asked
    assert {hair.section.text[start:end] for start, end in hair.spans} == {"golden"} and len(hair.spans) == 3
    assert [dwarf.section.text[start:end] for start, end in dwarf.spans] == ["dwarf"]
    paragraphs, pairs = sentence_questions(data)
    assert [len(one.text.split(".")) - 1 for one in paragraphs.by_place.values()] == [5] * 6
    assert pairs[1].section.text[slice(*pairs[1].spans[0])] == "the sentence number 1 is here." and pairs[1].is_sentence


def test_examples_have_their_answer_or_none_and_are_reproducible(data: Path) -> None:
    source = [(*fairytale_questions(data, "train"), 0.7), (*sentence_questions(data), 0.3)]
    drawn = list(islice(examples(source, 0.3, seed=5), 60))
    assert drawn == list(islice(examples(source, 0.3, seed=5), 60))
    assert {bool(one.spans) for one in drawn} == {True, False}
    for one in drawn:
        for start, end in one.spans:
            assert one.is_sentence or one.text[start:end].lower() in ("golden", "dwarf")
    assert any(one.text == one.text.lower() and "." not in one.text for one in drawn)


def test_what_does_not_answer_is_from_beside_the_answer_or_from_another_section(data: Path) -> None:
    known, asked = fairytale_questions(data, "train")
    (hair, _) = asked
    found = [unanswered(random.Random(seed), hair, known) for seed in range(40)]
    texts = {one.text for one in found if one is not None}
    assert all("golden" not in text for text in texts)
    assert any("storm" in text for text in texts) and any("king" in text for text in texts)


def test_paragraphs_that_do_not_answer_are_often_neighbours(tmp_path: Path) -> None:
    (tmp_path / "qa").mkdir()
    with gzip.open(tmp_path / PAIRS, "wt", encoding="utf-8") as file:
        for number in range(1500):
            file.write(f"the sentence number {number} is here .\twhich number is {number} ?\n")
    known, asked = sentence_questions(tmp_path)
    one, number = asked[500], 500 // 5
    drawn = [unanswered(random.Random(seed), one, known) for seed in range(60)]
    place_of = {section.text: int(section.number) for section in known.of_story["squad"]}
    apart = [
        abs(place - number) for example in drawn if example for text, place in place_of.items() if example.text in text
    ]
    assert sum(0 < far <= 8 for far in apart) > 10 and sum(far > 8 for far in apart) > 10


def test_numbers_that_are_asked_for_are_the_answer(tmp_path: Path) -> None:
    data = write_data(tmp_path)
    with gzip.open(data / PAIRS, "wt", encoding="utf-8") as file:
        file.write("it opened in 1886 .\twhen did it open ?\nthe old hall has 12 doors .\twhich hall ?\n")
    _, (when, which) = sentence_questions(data)
    assert [when.section.text[slice(*span)] for span in when.spans] == ["1886"] and not when.is_sentence
    assert when.answer == "1886" and which.is_sentence


def test_targets_are_the_pieces_of_the_span_or_no_answer() -> None:
    tokenizer = frozen.text_encoder().tokenizer
    text = "She had golden hair."
    for spans, is_sentence, starts, ends in (
        (((8, 19),), False, ["golden"], ["hair"]),
        (((0, 20),), True, ["golden"], ["golden"]),  # what the question has not
        ((), False, ["[CLS]"], ["[CLS]"]),
    ):
        (pair,) = pairs_of(tokenizer, "What hair?", text)
        targets = targets_of(pair, Example("What hair?", text, spans, is_sentence), len(pair.ids))
        found = [[tokenizer.id_to_token(pair.ids[place]) for place in np.flatnonzero(column)] for column in targets.T]
        assert found == [starts, ends]
    assert as_recognised(Example("?", "İ.")).text == "İ."  # whose small form is two letters


def test_the_recipe_resumes_and_what_it_writes_is_a_reader(data: Path, tmp_path: Path, capsys) -> None:
    main(data, tmp_path, tiny=True)
    first = load_file(tmp_path / "model.safetensors")
    assert "step 10 loss" in capsys.readouterr().out
    main(data, tmp_path, tiny=True)  # there is nothing left to do
    assert "step" not in capsys.readouterr().out
    assert {name: one.shape for name, one in load_file(tmp_path / "model.safetensors").items()} == {
        name: one.shape for name, one in first.items()
    }
    encoder = frozen.text_encoder()
    network = SpanNetwork(encoder.bert.config, layers=1)
    network.load_state_dict(unpacked(first))
    before = encoder.bert.encoder.layer[-1].output.dense.weight
    assert not torch.equal(network.layers[0].output.dense.weight, before)  # it has learnt something
