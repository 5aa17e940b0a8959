"""Training a generative model: interrupted, memorised, in stages; what it is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from speechsearch.domain.values import Audio
from speechsearch.models.generative.code_trie import tokens_of
from speechsearch.models.generative.generator import UnityGenerator
from speechsearch.models.generative.unity import Example, UnityConfig, UnityModel
from speechsearch.training.generative_data import CropPlan, Item, Lessons, Material, Mix
from speechsearch.training.generative_recipe import Coder, Recipe
from speechsearch.training.train_generative import fit, found_first, mix_of
from tests.tiny.generative import network, noise, small_world


def trained(material: Material, addresses: dict[str, tuple[int, ...]], recipe: Recipe, folder: Path) -> UnityModel:
    dim = next(iter(material.passages.values())).states.shape[1]
    config = UnityConfig("pieces", dim, dim, (8, 8, 8), recipe.units, recipe.most_units, width=recipe.width, heads=2,
                         retrieval_layers=1, dropout=recipe.dropout, most_wrong=1.0)  # fmt: skip
    coder = Coder(recipe, dim, 4)
    coder.centres = noise(recipe.units, 99, dim)
    lessons = Lessons(material, tokens_of(addresses, config.code_sizes), coder.units, recipe.seed)
    model = network(config)
    fit(model, [(lessons, 1.0)], ((recipe.pretrain_steps, Mix(0.5, 0.5, 0.0)),), recipe, folder)
    return model


class TestTraining:
    RECIPE = Recipe(units=6, most_units=4, width=32, pretrain_steps=8, finetune_steps=0, size=8, warmup=2, save_every=4)

    def test_an_interrupted_training_ends_as_one_that_was_not(self, tmp_path: Path, monkeypatch) -> None:
        material, addresses = small_world(6)
        whole = trained(material, addresses, self.RECIPE, tmp_path / "whole.safetensors")
        draw, drawn = Lessons.batch, []

        def interrupted(self: Lessons, step: int, size: int, mix: Mix) -> list[Example]:
            drawn.append(step)
            if step == 6:
                raise KeyboardInterrupt
            return draw(self, step, size, mix)

        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(Lessons, "batch", interrupted)
            trained(material, addresses, self.RECIPE, tmp_path / "part.safetensors")
        assert drawn == list(range(7))
        resumed = trained(material, addresses, self.RECIPE, tmp_path / "part.safetensors")
        for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
            assert torch.equal(one, other)

    @pytest.mark.slow
    def test_a_collection_of_64_passages_is_memorised(self, tmp_path: Path) -> None:
        material, addresses = small_world(64)
        recipe = Recipe(units=16, most_units=8, width=64, dropout=0.0, pretrain_steps=500, finetune_steps=0, rate=3e-3)
        model = trained(material, addresses, recipe, tmp_path)
        generator = UnityGenerator(model, None, addresses)
        assert found_first(generator, material.crops) == 1.0
        assert found_first(generator, list(material.passages.values())) == 1.0

    def test_a_batch_is_of_its_step_and_mixed(self) -> None:
        material, addresses = small_world(6)
        lessons = Lessons(material, addresses, lambda states, is_sound: (), seed=1)
        first, again, other = (lessons.batch(step, 40, Mix(0.5, 0.5, 0.5)) for step in (1, 1, 2))
        assert [one.tokens for one in first] == [one.tokens for one in again] != [one.tokens for one in other]
        lengths = [len(one.states) for one in first]
        assert set(lengths) == {16, 6} and 8 < lengths.count(16) < 32
        assert {len(one.states) for one in lessons.batch(1, 20, Mix(1.0, 0.0, 1.0))} == {16}

    def test_stages_follow_each_other_and_the_last_stays(self) -> None:
        stages = ((2, Mix(1, 0, 0)), (2, Mix(0, 1, 0)))
        assert [mix_of(step, stages).crops for step in range(6)] == [0, 0, 1, 1, 1, 1]

    def test_material_within_passages_keeps_their_questions(self) -> None:
        material, _ = small_world(3)
        asks = Item(noise(2).half(), False, ("p00", "p02"))
        kept = Material(material.passages, material.crops, [asks]).within(["p02", "p99"])
        assert list(kept.passages) == ["p02"] and {one.passage_ids for one in kept.crops} == {("p02",)}
        assert [one.passage_ids for one in kept.questions] == [("p02",)]

    def test_crops_are_as_long_as_planned_and_a_short_passage_is_its_own(self) -> None:
        sound = Audio(np.arange(100_000, dtype=np.float32))
        crops = CropPlan(3, 2.0).of("a", sound)
        assert [one.duration_s for one in crops] == [2.0] * 3
        assert [one.samples[0] for one in crops] == [one.samples[0] for one in CropPlan(3, 2.0).of("a", sound)]
        assert [one.samples[0] for one in crops] != [one.samples[0] for one in CropPlan(3, 2.0, seed=2).of("a", sound)]
        short = Audio(np.zeros(9000, np.float32))
        assert CropPlan(3, 2.0).of("a", short) == [short]
