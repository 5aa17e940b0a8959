"""Train the variants and put questions to them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.generative.ranks import Ranks, rank_of
from benchmarks.generative.sets import GenerativeSet
from benchmarks.generative.variants import Learns, Variant
from speechsearch import audio
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import Audio
from speechsearch.models.base import Recognizer
from speechsearch.models.generative.generator import UnityGenerator, network_of
from speechsearch.models.generative.listener import Listener
from speechsearch.models.generative_cards import COLLECTION, WEIGHTS, learnt_of
from speechsearch.models.mini.encoder import MiniSpeechEncoder
from speechsearch.training.generative_codes import CodeReport, report_of, vector_codes
from speechsearch.training.generative_collection import QUESTIONS_EACH
from speechsearch.training.generative_data import CropPlan, Item, Material, asked, chunks, heard, pattern_questions
from speechsearch.training.generative_recipe import Recipe
from speechsearch.training.train_generative import Trained, found_first, remembered, save, train, update

BEAMS = (1, 5, 20)
TEST_CROPS = CropPlan(1, 3.0, seed=1001)
AT_ONCE, CROPPED = 16, 300
VECTORS = "vectors.safetensors"


class Bench:
    """Holds what all variants share: the set, the encoder, what is heard of the passages."""

    def __init__(self, whole: GenerativeSet, encoder: MiniSpeechEncoder, recognizer: Recognizer, kept: Path) -> None:
        self.whole, self.encoder, self.recognizer, self.kept = whole, encoder, recognizer, kept
        self.paths = {one.passage_id: one.audio for one in whole.collection.passages}

    def sound(self, passage_id: str) -> Audio:
        """Return the sound of a passage."""
        return audio.load(self.paths[passage_id], Limits(), 120.0)

    def ids(self, count: int) -> list[str]:
        """Return the first so many passages."""
        return list(self.paths)[:count]

    def folder(self, name: str) -> Path:
        """Return where a model and its training are kept."""
        return self.kept / "runs" / name

    def save(self, trained: Trained, recipe: Recipe, folder: Path) -> None:
        """Keep a model as one of a collection is kept."""
        save(trained, recipe, ("mini", self.encoder.fingerprint), folder)
        (folder / COLLECTION).write_text("set", encoding="utf-8")

    def vectors(self, ids: Sequence[str]) -> dict[str, Tensor]:
        """Return the adapter's vectors of passages, computed once."""
        file = self.kept / VECTORS
        known = load_file(file) if file.exists() else {}
        missing = [one for one in ids if one not in known]
        for first in range(0, len(missing), AT_ONCE):
            some = missing[first : first + AT_ONCE]
            made = self.encoder.encode_passages([self.sound(one) for one in some])
            for one, each in zip(some, made, strict=True):
                known[one] = torch.from_numpy(np.array(each.vectors[self.encoder.meaning.name]))
        if missing:
            self.kept.mkdir(parents=True, exist_ok=True)
            save_file(known, file)
        return {one: known[one] for one in ids}

    def material(self, listener: Listener, ids: Sequence[str], recipe: Recipe, learns: Learns) -> Material:
        """Return what a variant learns."""
        plan = CropPlan(recipe.crops, recipe.crop_s, recipe.seed)
        found = heard(
            listener, ids, lambda missing: ((one, self.sound(one)) for one in missing), plan, self.kept / "heard"
        )
        known = set(found.passages)
        pairs = [(text, right) for text, right in self.whole.to_learn if known.issuperset(right)]
        if learns == "crops":
            pairs = []
        if learns == "patterns":
            pairs = pattern_questions(self.written(list(found.passages)), QUESTIONS_EACH, recipe.seed)
        return Material(found.passages, found.crops, asked(listener, pairs))

    def written(self, ids: Sequence[str]) -> dict[str, str]:
        """Return what the encoder's own recogniser writes of passages."""
        return {one: self.recognizer.transcribe([self.sound(one)])[0].text for one in ids}

    def test_crops(self, listener: Listener, ids: Sequence[str]) -> list[Item]:
        """Return crops that were not learnt, one each of at most CROPPED passages."""
        some = ids[:: max(1, len(ids) // CROPPED)]
        crops = [TEST_CROPS.of(one, self.sound(one))[0] for one in some]
        states = states_of(listener, crops)
        return [Item(each, True, (one,)) for one, each in zip(some, states, strict=True) if len(each)]

    def test_questions(self, listener: Listener, ids: Sequence[str]) -> tuple[list[Item], list[bool]]:
        """Return the questions that are asked, and whether others about the same passage were learnt."""
        known = set(ids)
        relevance = self.whole.collection.relevance
        queries = [one for one in self.whole.collection.queries if known.issuperset(relevance[one.query_id])]
        learnt = {name for _, right in self.whole.to_learn for name in right}
        right = [tuple(relevance[one.query_id]) for one in queries]
        items = asked(listener, [(one.text, names) for one, names in zip(queries, right, strict=True)])
        return items, [bool(learnt.intersection(names)) for names in right]

    def run(self, variant: Variant) -> dict[str, Any]:
        """Train a variant and return its figures."""
        recipe = variant.recipe
        listener, ids = Listener(self.encoder, recipe.hears), self.ids(variant.passages)
        material = self.material(listener, ids, recipe, variant.learns)
        started = time.monotonic()
        trained = train(listener, material, self.vectors(ids), recipe, self.folder(variant.name))
        trained_s = time.monotonic() - started
        self.save(trained, recipe, self.folder(variant.name))
        items, are_learnt = self.test_questions(listener, ids)
        generator = trained.generator
        known = remembered(generator, material)
        figures: dict[str, Any] = {
            "title": variant.title,
            "passages": len(material.passages),
            "learnt_questions": len(material.questions),
            "asked": len(items),
            "steps": recipe.pretrain_steps + recipe.finetune_steps,
            "trained_s": trained_s,
            "parameters_m": sum(one.numel() for one in generator.network.parameters()) / 1e6,
            "trained_passages": known.passages,
            "trained_crops": known.crops,
            "trained_questions": known.questions,
            "other_crops": found_first(generator, self.test_crops(listener, ids)),
            "beams": {str(beams): ranks(generator, items, beams).figures() for beams in BEAMS},
            "codes": told(trained.report),
        }
        best = ranks(generator, items, max(BEAMS)).ranks
        for name, wanted in (("asked_before", True), ("never_asked", False)):
            some = [rank for rank, is_learnt in zip(best, are_learnt, strict=True) if is_learnt == wanted]
            figures[name] = {"n": len(some), **Ranks(some).figures()} if some else None
        return figures | self.freely(generator, items)

    def spoken(self, variant: Variant) -> dict[str, Any]:
        """Return the figures of a model that was trained, with its questions spoken."""
        generator, known = generator_of(self.folder(variant.name), self.encoder), set(self.ids(variant.passages))
        relevance = self.whole.spoken.relevance
        queries = [one for one in self.whole.spoken.queries if known.issuperset(relevance[one.query_id])]
        sounds = [audio.load(one.audio, Limits(), 30.0) for one in queries if one.audio is not None]
        states = states_of(generator.listener, sounds)
        items = [Item(heard, True, tuple(relevance[one.query_id])) for one, heard in zip(queries, states, strict=True)]
        found = ranks(generator, [one for one in items if len(one.states)], max(BEAMS)).ranks
        unheard = len(items) - len(found)
        return {"generative": Ranks(found + [0] * unheard).figures() | {"asked": len(items), "unheard": unheard}}

    def codes_of_vectors(self, count: int, levels: int, size: int) -> dict[str, Any]:
        """Return how good codes of the adapter's vectors are, without a model that writes them."""
        vectors = torch.stack(list(self.vectors(self.ids(count)).values()))
        quantizer = vector_codes(vectors, levels, size, seed=1)
        codes = quantizer.codes_of(vectors)
        return told(report_of(codes, size, vectors, quantizer.vectors_of(codes)))

    def continual(self, recipe: Recipe, count: int) -> dict[str, Any]:
        """Train on four fifths of the passages, learn the others with replay, and return what is remembered."""
        listener, ids = Listener(self.encoder, recipe.hears), self.ids(count)
        folder = self.folder("update")
        whole = self.material(listener, ids, recipe, "questions")
        first = whole.within(ids[: count * 4 // 5])
        vectors = self.vectors(ids)
        trained = train(listener, first, vectors, recipe, folder / "first")
        self.save(trained, recipe, folder)
        shorter = recipe.of_steps((recipe.pretrain_steps + recipe.finetune_steps) // 3)
        updated = update(listener, whole, vectors, shorter, folder, folder / "second")
        items, _ = self.test_questions(listener, ids)
        old = [one for one in items if first.passages.keys() >= set(one.passage_ids)]
        asked_first = ranks(trained.generator, old, max(BEAMS)).figures()["R@1"]
        return {
            **updated.said,
            "passages": f"{len(first.passages)} and {len(whole.passages) - len(first.passages)} new",
            "questions_before": asked_first,
            "questions_after": ranks(updated.generator, old, max(BEAMS)).figures()["R@1"],
            "questions_new": ranks(updated.generator, [one for one in items if one not in old], max(BEAMS)).figures()[
                "R@1"
            ],
        }

    @staticmethod
    def freely(generator: UnityGenerator, items: Sequence[Item]) -> dict[str, Any]:
        """Return what is found without a trie, and which share of all that is written is no address."""
        free, invalid, written = Ranks(), 0, 0
        for some in chunks(items, AT_ONCE):
            states, are_sound = [one.states.float() for one in some], [one.is_sound for one in some]
            for one, found in zip(some, generator.written(states, are_sound, max(BEAMS), None), strict=True):
                names = [name for name, _ in found]
                invalid, written = invalid + names.count(None), written + len(names)
                free.ranks.append(rank_of([name for name in names if name is not None], one.passage_ids))
        return {"without_trie": free.figures(), "invalid_share": invalid / max(1, written)}


def states_of(listener: Listener, sounds: Sequence[Audio]) -> list[Tensor]:
    """Return what is heard of sounds, some at a time."""
    groups = (sounds[first : first + AT_ONCE] for first in range(0, len(sounds), AT_ONCE))
    return [each for group in groups for each in listener.of_sounds(group)]


def told(report: CodeReport) -> dict[str, Any]:
    """Return what is told of codes."""
    return {
        "unique": report.unique, "different": report.different_codes, "largest_group": report.largest_group,
        "use": [used for used, _ in report.levels], "perplexity": [each for _, each in report.levels],
        "explained": report.explained,
    }  # fmt: skip


def generator_of(folder: Path, encoder: MiniSpeechEncoder) -> UnityGenerator:
    """Return the model that was trained and saved in a folder."""
    learnt = learnt_of(folder)
    network = network_of(learnt, folder / WEIGHTS)
    return UnityGenerator(network, Listener(encoder, network.config.hears), learnt.addresses)


def ranks(generator: UnityGenerator, items: Sequence[Item], beams: int) -> Ranks:
    """Return at which ranks a generator finds the right passages of questions."""
    found = Ranks()
    for some in chunks(items, AT_ONCE):
        states, are_sound = [one.states.float() for one in some], [one.is_sound for one in some]
        for one, each in zip(some, generator.written(states, are_sound, beams, generator.trie), strict=True):
            found.ranks.append(rank_of([name for name, _ in each], one.passage_ids))
    return found
