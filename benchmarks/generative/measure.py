"""Train the variants and put the same questions to them and to the engines that look passages up."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.generative.sets import GenerativeSet
from benchmarks.generative.variants import Learns, Variant
from speechsearch import audio
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import Audio, Query
from speechsearch.evaluation.encoding import encode_collection
from speechsearch.evaluation.measure import with_passages
from speechsearch.evaluation.metrics import bootstrap_intervals
from speechsearch.evaluation.runner import run_engine
from speechsearch.library.makers import Makers
from speechsearch.models.base import Recognizer, TextEncoder
from speechsearch.models.generative.generator import UnityGenerator
from speechsearch.models.generative.listener import Listener
from speechsearch.models.generative_cards import COLLECTION
from speechsearch.models.mini.encoder import MiniSpeechEncoder
from speechsearch.retrieval.calibration import read_calibrations
from speechsearch.retrieval.engine_cards import engine_cards, engine_named
from speechsearch.training.generative_collection import QUESTIONS_EACH
from speechsearch.training.generative_data import CropPlan, Item, Material, asked, chunks, heard, pattern_questions
from speechsearch.training.generative_recipe import Recipe
from speechsearch.training.train_generative import Trained, found_first, remembered, save, train, update

DEPTHS = (1, 5, 20)
BEAMS = (1, 5, 20)
TIMED = 50
TEST_CROPS = CropPlan(1, 3.0, seed=1001)
AT_ONCE, CROPPED = 16, 300


@dataclass(slots=True)
class Ranks:
    """At which rank the right passage is, of every question: 0 where it is not among those found."""

    ranks: list[int] = field(default_factory=list)

    def figures(self, seed: int = 1) -> dict[str, list[float]]:
        """Return recall at DEPTHS and MRR at 20, each with the ends of its 95 % interval.

        >>> [round(one, 2) for one in Ranks([1, 0, 4, 1]).figures()["R@1"]][:1]
        [0.5]
        """
        ranks = np.array(self.ranks)
        is_found = (ranks > 0) & (ranks <= max(DEPTHS))
        values = {f"R@{depth}": ((ranks > 0) & (ranks <= depth)).astype(float) for depth in DEPTHS}
        values["MRR"] = np.where(is_found, 1 / np.maximum(ranks, 1), 0.0)
        found = bootstrap_intervals(values, seed=seed, resamples=2000)
        return {name: [one.mean, one.low, one.high] for name, one in found.items()}


def rank_of(found: Sequence[str | None], right: Sequence[str]) -> int:
    """Return the rank of the first right passage, 0 for none.

    >>> rank_of(["a", None, "b"], ["b"]), rank_of(["a"], ["b"])
    (3, 0)
    """
    return next((rank for rank, one in enumerate(found, 1) if one in right), 0)


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

    def vectors(self, ids: Sequence[str]) -> dict[str, Tensor]:
        """Return the adapter's vectors of passages, computed once."""
        file = self.kept / "vectors.safetensors"
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
        pairs = [(text, right) for text, right in self.whole.to_learn if learns != "crops" and known.issuperset(right)]
        if learns == "patterns":
            pairs += pattern_questions(self.written(list(found.passages)), QUESTIONS_EACH, recipe.seed)
        return Material(found.passages, found.crops, asked(listener, pairs))

    def written(self, ids: Sequence[str]) -> dict[str, str]:
        """Return what the encoder's own recogniser writes of passages."""
        return {one: self.recognizer.transcribe([self.sound(one)])[0].text for one in ids}

    def test_crops(self, listener: Listener, ids: Sequence[str]) -> list[Item]:
        """Return crops that were not learnt, one each of at most CROPPED passages."""
        some = ids[:: max(1, len(ids) // CROPPED)]
        crops = [TEST_CROPS.of(one, self.sound(one))[0] for one in some]
        groups = (crops[first : first + AT_ONCE] for first in range(0, len(crops), AT_ONCE))
        states = [each for group in groups for each in listener.of_sounds(group)]
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
        trained = train(listener, material, self.vectors(ids), recipe, self.kept / "runs" / variant.name)
        trained_s = time.monotonic() - started
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
            "codes": self.codes(trained),
        }
        best = ranks(generator, items, max(BEAMS)).ranks
        for name, wanted in (("asked_before", True), ("never_asked", False)):
            some = [rank for rank, is_learnt in zip(best, are_learnt, strict=True) if is_learnt == wanted]
            figures[name] = {"n": len(some), **Ranks(some).figures()} if some else None
        return figures | self.freely(generator, items) | self.timed(generator, items)

    def continual(self, recipe: Recipe, count: int) -> dict[str, Any]:
        """Train on four fifths of the passages, learn the others with replay, and return what is remembered."""
        listener, ids = Listener(self.encoder, recipe.hears), self.ids(count)
        folder = self.kept / "runs" / "update"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / COLLECTION).write_text("set", encoding="utf-8")
        whole = self.material(listener, ids, recipe, "questions")
        first = whole.within(ids[: count * 4 // 5])
        vectors = self.vectors(ids)
        encoder = ("mini", self.encoder.fingerprint)
        trained = train(listener, first, vectors, recipe, folder / "first")
        save(trained, recipe, encoder, folder)
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
    def codes(trained: Trained) -> dict[str, Any]:
        """Return what is told of the codes."""
        report = trained.report
        return {
            "unique": report.unique, "different": report.different_codes, "largest_group": report.largest_group,
            "use": [used for used, _ in report.levels], "perplexity": [each for _, each in report.levels],
            "explained": report.explained, "addresses": len(set(trained.addresses.values())),
        }  # fmt: skip

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

    @staticmethod
    def timed(generator: UnityGenerator, items: Sequence[Item]) -> dict[str, Any]:
        """Return how long one question takes by itself, after it was read, in milliseconds."""
        spent_ms = []
        for one in items[:TIMED]:
            started = time.perf_counter()
            generator.written([one.states.float()], [one.is_sound], max(BEAMS), generator.trie)
            spent_ms.append((time.perf_counter() - started) * 1000)
        return {"question_ms": float(np.median(spent_ms))}


def ranks(generator: UnityGenerator, items: Sequence[Item], beams: int) -> Ranks:
    """Return at which ranks a generator finds the right passages of questions."""
    found = Ranks()
    for some in chunks(items, AT_ONCE):
        states, are_sound = [one.states.float() for one in some], [one.is_sound for one in some]
        for one, each in zip(some, generator.written(states, are_sound, beams, generator.trie), strict=True):
            found.ranks.append(rank_of([name for name, _ in each], one.passage_ids))
    return found


def engines(
    whole: GenerativeSet, count: int, names: Sequence[str], makers: Makers, text_encoder: TextEncoder
) -> dict[str, Any]:
    """Return the figures of engines that look passages up, on the first so many passages and the same questions."""
    collection = with_passages(whole.collection, whole.collection.passages[:count])
    has_sound = any(engine_named(name, engine_cards()).searches != "transcript" for name in names)
    encoded = encode_collection(collection, makers, text_encoder, has_sound=has_sound, has_gold=False)
    found = encoded.engines(read_calibrations())
    figures: dict[str, Any] = {}
    for name in names:
        run = run_engine(
            name, found[name].retriever, collection,
            load_sound=lambda path: audio.load(path, Limits(), 30.0), passage_names=encoded.names,
        )  # fmt: skip
        right: Mapping[str, Mapping[str, int]] = collection.relevance
        each = Ranks([rank_of(run.rankings[one.query_id], list(right[one.query_id])) for one in collection.queries])
        figures[name] = each.figures() | {"question_ms": float(np.median(run.latencies_ms)), "asked": len(each.ranks)}
    return figures


def by_vectors(bench: Bench, count: int) -> dict[str, Any]:
    """Return the figures of the engine ``adapter``, from the vectors of the first so many passages."""
    ids = bench.ids(count)
    vectors, known = torch.stack(list(bench.vectors(ids).values())), set(ids)
    relevance = bench.whole.collection.relevance
    found, spent_ms = Ranks(), []
    for query in bench.whole.collection.queries:
        right = [name for name in relevance[query.query_id] if name in known]
        if right:
            started = time.perf_counter()
            asked_for = torch.from_numpy(bench.encoder.encode_query(Query(query.text), bench.encoder.meaning.name))
            nearest = (vectors @ asked_for).argsort(descending=True)[: max(DEPTHS)].tolist()
            spent_ms.append((time.perf_counter() - started) * 1000)
            found.ranks.append(rank_of([ids[place] for place in nearest], right))
    return {"adapter": found.figures() | {"question_ms": float(np.median(spent_ms)), "asked": len(found.ranks)}}


def crop_engines(bench: Bench, count: int) -> float:
    """Return for which share of crops the speech adapter finds their passage first, of the first so many passages."""
    ids = bench.ids(count)
    vectors = torch.stack(list(bench.vectors(ids).values()))
    crops = [TEST_CROPS.of(one, bench.sound(one))[0] for one in ids]
    right = 0
    for first in range(0, len(ids), AT_ONCE):
        made = bench.encoder.encode_passages(crops[first : first + AT_ONCE])
        asked_for = torch.stack([torch.from_numpy(np.array(one.vectors[bench.encoder.meaning.name])) for one in made])
        nearest = (asked_for @ vectors.T).argmax(1).tolist()
        right += sum(place == first + number for number, place in enumerate(nearest))
    return right / len(ids)
