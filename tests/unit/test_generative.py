"""Generative retrieval in closed form: pooling, codes, trie, beam search, the fused decoder, what training keeps."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from speechsearch import audio
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import InputError, ModelUnavailableError
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import Audio
from speechsearch.models.generative.beam import beam_search
from speechsearch.models.generative.code_trie import CodeTrie, TrieLogitsProcessor, tokens_of
from speechsearch.models.generative.document_codes import (
    AttentiveStatisticsPooling,
    DocumentRQVAE,
    padded,
    weighted_statistics,
)
from speechsearch.models.generative.generator import UnityGenerator
from speechsearch.models.generative.listener import Listener
from speechsearch.models.generative.unity import Example, UnityConfig, UnityModel
from speechsearch.models.generative_cards import (
    ADDRESSES,
    COLLECTION,
    MANIFEST,
    WEIGHTS,
    card_of_folder,
    folder_of,
    learnt_of,
    new_folder,
    remove_model,
    rename_model,
)
from speechsearch.training.generative_codes import addresses_of, sound_codes, sound_vectors, vector_codes
from speechsearch.training.generative_data import CropPlan, Item, Lessons, Material, Mix
from speechsearch.training.generative_recipe import Coder, Recipe
from speechsearch.training.train_generative import fit, found_first, mix_of

DIM = 12
SMALL = UnityConfig("pieces", DIM, DIM, (4, 4, 4), units=6, most_units=5, width=16, heads=2, retrieval_layers=1)


def noise(rows: int, seed: int = 1, dim: int = DIM) -> Tensor:
    return torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed))


def network(config: UnityConfig = SMALL, seed: int = 1) -> UnityModel:
    torch.manual_seed(seed)
    return UnityModel(config).eval()


class TestPooling:
    def test_equal_scores_give_mean_and_deviation(self) -> None:
        pooling = AttentiveStatisticsPooling(1)
        for one in pooling.parameters():
            torch.nn.init.zeros_(one)
        states, is_inside = padded([torch.tensor([[1.0], [3.0]]), torch.tensor([[5.0], [5.0], [8.0]])])
        states[0, 2] = 1000.0  # behind the end
        found = pooling(states, is_inside)
        torch.testing.assert_close(found, torch.tensor([[2.0, 1.0], [6.0, 2.0**0.5]]))

    def test_weights_are_the_softmax_of_the_scores(self) -> None:
        pooling = AttentiveStatisticsPooling(DIM)
        states = noise(5)
        weights = pooling.scores(states).softmax(0)
        expected = weighted_statistics(states[None], weights[None])
        torch.testing.assert_close(pooling(states[None], torch.ones(1, 5, dtype=torch.bool)), expected)


class TestCodes:
    def test_a_passage_alone_has_the_vector_that_it_has_in_a_batch(self) -> None:
        torch.manual_seed(1)
        vae = DocumentRQVAE(DIM, 2, 4, width=8, code_dim=4).eval()
        passages = [noise(size, size) for size in (3, 9, 1, 5)]
        together = vae.vectors(passages)
        alone = torch.cat([vae.vectors([one]) for one in passages])
        torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)

    def test_training_makes_codes_that_explain_more(self) -> None:
        kinds = [noise(1, kind) * 2 for kind in range(4)]
        passages = [kinds[number % 4] + 0.1 * noise(8, 50 + number) for number in range(32)]
        vae = sound_codes(passages, levels=2, size=4, steps=60, seed=1)
        codes = vae.quantizer.codes_of(sound_vectors(vae, passages))
        first = [tuple(codes[[place for place in range(32) if place % 4 == kind], 0].tolist()) for kind in range(4)]
        assert all(len(set(one)) == 1 for one in first) and len({one[0] for one in first}) == 4
        with torch.no_grad():
            made, wanted, _ = vae(passages)
        assert float((made - wanted).square().mean()) < 0.6 * float(wanted.square().mean())

    def test_codes_of_vectors_start_by_k_means(self) -> None:
        vectors = torch.tensor([[-10.0], [-8.0], [8.0], [10.0]]).repeat(4, 1)
        quantizer = vector_codes(vectors, 2, 2, seed=2)
        assert torch.equal(quantizer.vectors_of(quantizer.codes_of(vectors)), vectors)

    def test_too_many_passages_of_the_same_codes_are_refused(self) -> None:
        codes = torch.zeros(3, 2, dtype=torch.long)
        assert sorted(addresses_of("abc", codes, 3).values()) == [(0, 0, 0), (0, 0, 1), (0, 0, 2)]
        with pytest.raises(InputError, match="More than 2 passages have the same codes"):
            addresses_of("abc", codes, 2)


class TestTrie:
    def test_it_allows_what_brute_force_finds(self) -> None:
        rng = random.Random(1)
        whole = list(itertools.product(range(4), repeat=3))
        codes = {f"p{place}": one for place, one in enumerate(rng.sample(whole, 20))}
        trie = CodeTrie(codes)
        assert len(trie) == 20
        for length in range(4):
            for prefix in itertools.product(range(4), repeat=length):
                following = {one[length] for one in codes.values() if one[:length] == prefix and length < 3}
                assert set(trie.allowed(prefix)) == following
        assert {trie.passage(one) for one in whole} == {*codes, None}

    def test_two_passages_of_one_address_are_refused(self) -> None:
        with pytest.raises(ValueError, match="b and a have the same codes"):
            CodeTrie({"a": (1, 2), "b": (1, 2)})

    def test_the_processor_keeps_scores_of_what_may_follow(self) -> None:
        keep = TrieLogitsProcessor(CodeTrie({"a": (0, 2), "b": (1, 3)}))
        scores = torch.arange(8.0).view(2, 4)
        kept = keep(torch.tensor([[0], [1]]), scores)
        assert kept.isfinite().nonzero().tolist() == [[0, 2], [1, 3]] and kept[1, 3] == 7.0


class TestBeamSearch:
    LENGTH, VOCABULARY, ROWS = 3, 4, 2

    def following(self, tokens: Tensor) -> Tensor:
        """Scores that depend on the row and everything so far."""
        beams = len(tokens) // self.ROWS
        found = []
        for place, so_far in enumerate(tokens.tolist()):
            torch.manual_seed(hash((place // beams, *so_far)) % 10_000)
            found.append(torch.randn(self.VOCABULARY).log_softmax(-1))
        return torch.stack(found)

    def exhaustive(self, row: int, allowed: list[tuple[int, ...]]) -> list[tuple[float, tuple[int, ...]]]:
        found = []
        for one in allowed:
            total = 0.0
            for place, token in enumerate(one):
                tokens = torch.tensor([one[:place]] * self.ROWS).view(self.ROWS, place)
                total += float(self.following(tokens)[row, token])
            found.append((total, one))
        return sorted(found, reverse=True)

    @pytest.mark.parametrize("is_held", [False, True])
    def test_with_enough_beams_it_is_exhaustive(self, is_held: bool) -> None:
        whole = list(itertools.product(range(self.VOCABULARY), repeat=self.LENGTH))
        allowed = random.Random(3).sample(whole, 9) if is_held else whole
        keep = TrieLogitsProcessor(CodeTrie({str(one): one for one in allowed})) if is_held else None
        tokens, scores = beam_search(self.following, self.ROWS, self.LENGTH, len(whole), keep)
        for row in range(self.ROWS):
            expected = self.exhaustive(row, allowed)
            found = [(score, tuple(one)) for score, one in zip(scores[row].tolist(), tokens[row].tolist(), strict=True)
                     if score > -torch.inf]  # fmt: skip
            assert [one for _, one in found] == [one for _, one in expected]
            np.testing.assert_allclose([score for score, _ in found], [score for score, _ in expected], atol=1e-5)

    def test_one_beam_is_greedy(self) -> None:
        tokens, _ = beam_search(self.following, self.ROWS, self.LENGTH, 1)
        so_far = torch.zeros(self.ROWS, 0, dtype=torch.long)
        for _ in range(self.LENGTH):
            so_far = torch.cat([so_far, self.following(so_far).argmax(-1, keepdim=True)], dim=1)
        assert torch.equal(tokens[:, 0], so_far)


class TestUnity:
    ROWS = [noise(size, size) for size in (3, 7, 1)]

    @pytest.mark.parametrize("hears", ["pieces", "frames"])
    @pytest.mark.parametrize("bridge", ["fused", "aside", "none"])
    def test_a_question_alone_gives_what_it_gives_in_a_batch(self, hears, bridge) -> None:
        config = UnityConfig(hears, 20, DIM, (4, 4), 6, 5, bridge, stride=2, width=16, heads=2)
        model = network(config)
        rows = [noise(size, size, 20 if hears == "frames" else DIM) for size in (3, 7, 1)] + [noise(4, 9)]
        are_sound = [True, True, True, False]
        tokens = torch.tensor([[1], [2], [0], [3]])
        together = model.next_scores(tokens, model.remember(rows, are_sound))
        for place in range(4):
            alone = model.next_scores(tokens[place : place + 1], model.remember([rows[place]], [are_sound[place]]))
            torch.testing.assert_close(together[place], alone[0], atol=1e-5, rtol=1e-4)

    def test_what_is_remembered_is_what_was_trained(self) -> None:
        """The units that are written and then given as if known lead to the same memory."""
        model = network()
        memory = model.read([self.ROWS[1]], [True])
        units: list[int] = []
        while len(units) < SMALL.most_units:
            states = model.semantic.states(torch.tensor([units], dtype=torch.long).view(1, -1), memory)
            unit = int(model.semantic.head(states[0, -1]).argmax())
            if unit == model.end:
                break
            units.append(unit)
        given = torch.tensor([units], dtype=torch.long).view(1, -1)
        expected, _ = model.fused(memory, given, torch.ones(1, len(units) + 1, dtype=torch.bool))
        found = model.remember([self.ROWS[1]], [True])
        torch.testing.assert_close(found.states, expected.states)

    def test_of_the_fused_decoder_gradients_reach_encoder_and_first_decoder(self) -> None:
        examples = [Example(row, True, (1, 2), (0, 5, 9)) for row in self.ROWS]
        for bridge, is_reached in (("fused", True), ("aside", False)):
            model = network(UnityConfig("pieces", DIM, DIM, (4, 4, 4), 6, 5, bridge, width=16, heads=2))
            _, of_codes = model.losses(examples)
            of_codes.backward()
            semantic = [one.grad for name, one in model.semantic.named_parameters() if "head" not in name]
            assert all(grad is not None and grad.abs().sum() > 0 for grad in semantic) == is_reached
            assert is_reached or all(grad is None for grad in semantic)
            assert model.intakes["text"].fold.weight.grad.abs().sum() > 0

    def test_gradients_of_the_fused_decoder_are_those_of_finite_differences(self) -> None:
        model = network().double()
        rows = [row.double() for row in self.ROWS]
        examples = [Example(row, True, (1, 2), (0, 5, 9)) for row in rows]

        def loss() -> Tensor:
            of_units, of_codes = model.losses(examples)
            return of_units + of_codes

        loss().backward()
        for one in (model.semantic.embed.weight, model.intakes["text"].fold.bias, model.kinds.weight):
            place = int(one.grad.abs().argmax())
            flat, step = one.data.view(-1), 1e-5
            with torch.no_grad():
                flat[place] += step
                more = loss()
                flat[place] -= 2 * step
                less = loss()
                flat[place] += step
            assert float((more - less) / (2 * step)) == pytest.approx(float(one.grad.view(-1)[place]), rel=1e-3)


def small_world(passages: int, dim: int = 16, seed: int = 1) -> tuple[Material, dict[str, tuple[int, ...]]]:
    """Passages of random states; crops are parts of them; addresses are of three codes of eight."""
    names = [f"p{number:02d}" for number in range(passages)]
    whole = {name: noise(16, seed + place, dim).half() for place, name in enumerate(names)}
    crops = [Item(states[start : start + 6], True, (name,)) for name, states in whole.items() for start in (0, 5, 10)]
    material = Material({name: Item(states, True, (name,)) for name, states in whole.items()}, crops, [])
    rng = random.Random(seed)
    codes = rng.sample(list(itertools.product(range(8), repeat=3)), passages)
    return material, dict(zip(names, codes, strict=True))


def trained(material: Material, addresses: dict[str, tuple[int, ...]], recipe: Recipe, state: Path) -> UnityModel:
    dim = next(iter(material.passages.values())).states.shape[1]
    config = UnityConfig("pieces", dim, dim, (8, 8, 8), recipe.units, recipe.most_units, width=recipe.width, heads=2,
                         retrieval_layers=1, dropout=recipe.dropout, most_wrong=1.0)  # fmt: skip
    coder = Coder(recipe, dim, 4)
    coder.centres = noise(recipe.units, 99, dim)
    lessons = Lessons(material, tokens_of(addresses, config.code_sizes), coder.units, recipe.seed)
    model = network(config)
    fit(model, [(lessons, 1.0)], ((recipe.pretrain_steps, Mix(0.5, 0.5, 0.0)),), recipe, state)
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
        model = trained(material, addresses, recipe, tmp_path / "state.safetensors")
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


class TestListener:
    @pytest.fixture
    def sounds(self) -> list[Audio]:
        whole = audio.load(SAMPLES / "audio" / "s015.opus", Limits(), 120.0)
        return [Audio(whole.samples[:80_000]), Audio(whole.samples[:32_000]), Audio(np.zeros(16_000, np.float32))]

    @pytest.mark.parametrize("hears", ["pieces", "frames"])
    def test_a_sound_alone_has_the_states_that_it_has_beside_others(self, loader, sounds, hears) -> None:
        listener = Listener(loader.model("speech encoder", "mini"), hears)
        together = listener.of_sounds(sounds)
        assert together[0].shape[1] == listener.sound_dim and len(together[0]) > len(together[1]) > 3
        assert hears == "frames" or len(together[2]) == 0
        for sound, states in zip(sounds, together, strict=True):
            torch.testing.assert_close(listener.of_sounds([sound])[0], states, atol=5e-2, rtol=5e-2)

    def test_frames_are_what_phonemes_are_told_from(self, loader, sounds) -> None:
        model = loader.model("speech encoder", "mini").model
        (frames,) = model.frames(sounds[:1])
        (log_probs,) = model._log_probs(sounds[:1])
        told = model.encoder.head(frames.to(model.dtype)).float().log_softmax(-1)
        assert float((told.argmax(-1) == log_probs.argmax(-1)).float().mean()) > 0.99

    def test_typed_questions_have_the_states_of_the_text_encoder(self, loader) -> None:
        listener = Listener(loader.model("speech encoder", "mini"), "pieces")
        encoder = listener.encoder.text_encoder
        texts = ["Who built the bridge?", "", "rain"]
        found = listener.of_texts(texts)
        ids = [torch.tensor(encoder.tokenizer.encode(one).ids[1:-1], dtype=torch.long) for one in texts]
        assert [len(one) for one in found] == [len(one) for one in ids]
        expected = encoder.soft_states([encoder.word_embeddings[one] for one in ids])
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, atol=2e-3, rtol=2e-3)

    def test_another_encoder_is_refused(self) -> None:
        with pytest.raises(ModelUnavailableError, match="cannot feed a generative model"):
            Listener(object(), "pieces")


def test_a_generator_writes_only_what_is_asked_for(tmp_path: Path) -> None:
    material, addresses = small_world(6)
    config = UnityConfig("pieces", 16, 16, (8, 8, 8), 6, 4, width=16, heads=2)
    generator = UnityGenerator(network(config), None, addresses)
    states = [material.crops[0].states.float(), material.crops[4].states.float()]
    first, _ = generator.written(states, [True, True], 20, generator.trie)
    assert {name for name, _ in first} == set(addresses) and len(first) == 6
    assert [score for _, score in first] == sorted((score for _, score in first), reverse=True)
    assert generator.written(states[:1], [True], 20, generator.trie)[0][0][0] == first[0][0]
    assert {name for name, _ in generator.written(states, [True, True], 20, generator.trie_of(["p01", "no"]))[0]} == {
        "p01"
    }
    freely = generator.written(states, [True, True], 20, None)[1]
    assert len(freely) == 20 and any(name is None for name, _ in freely)


class TestFolder:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = new_folder(tmp_path, "@ann/My talks!")
        (folder / ADDRESSES).write_text('{"a": [1, 0]}')
        manifest = {
            "sha256": {WEIGHTS: "0" * 64, ADDRESSES: "1" * 64},
            "passages": 1,
            "config": {"code_sizes": [4, 4]},
            "speech_encoder": {"name": "mini", "fingerprint": "mini-1"},
        }
        (folder / MANIFEST).write_text(json.dumps(manifest))
        return folder

    def test_its_card_says_whose_it_is_and_what_its_files_must_hash_to(self, folder: Path) -> None:
        card = card_of_folder(folder)
        assert card.name.startswith("generative-my-talks-") and "1 passages of 'My talks!'" in card.summary
        assert [file.sha256 for file in card.files[:2]] == ["0" * 64, "1" * 64]
        assert learnt_of(folder).addresses == {"a": (1, 0)}

    def test_it_follows_its_collection(self, folder: Path, tmp_path: Path) -> None:
        rename_model(tmp_path, "@ann/My talks!", "others")
        assert folder_of(tmp_path, "others") == folder and folder_of(tmp_path, "@ann/My talks!") is None
        remove_model(tmp_path, "nothing")
        remove_model(tmp_path, "others")
        assert not folder.exists()

    @pytest.mark.parametrize("broken", ["{", "[]", '{"a": [1]}', '{"a": 3}'])
    def test_broken_addresses_are_refused(self, folder: Path, broken: str) -> None:
        (folder / ADDRESSES).write_text(broken)
        with pytest.raises(ModelUnavailableError, match="is no generative model"):
            learnt_of(folder)

    def test_a_broken_manifest_is_refused(self, folder: Path) -> None:
        (folder / MANIFEST).write_text("{}")
        with pytest.raises(ModelUnavailableError, match="is no generative model"):
            card_of_folder(folder)
        assert (folder / COLLECTION).read_text() == "@ann/My talks!"
