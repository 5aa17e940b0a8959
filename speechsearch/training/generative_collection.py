"""A generative model of a library's collection: what it learns is gathered while the library is open, then trained."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from speechsearch import audio
from speechsearch.domain.errors import NotFoundError
from speechsearch.domain.values import Audio
from speechsearch.domain.visitors import shown_name
from speechsearch.evaluation.questions import Names, read_questions
from speechsearch.models.generative.listener import Listener
from speechsearch.models.generative_cards import (
    COLLECTION,
    MANIFEST,
    TRAINING,
    folder_of,
    keep_states,
    new_folder,
    training_command,
)
from speechsearch.service.open import Service, kept_models
from speechsearch.training.generative_data import CropPlan, Material, asked, heard, pattern_questions
from speechsearch.training.generative_recipe import Recipe
from speechsearch.training.train_generative import recipe_of, remembered, save, train, update

QUESTIONS_EACH = 6
"""Questions by pattern of a passage, where none are given."""
RUN = "run-"
"""What the names of the folders of unfinished trainings begin with."""


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """What is learnt of a collection: the material, the adapter's vectors of its passages, how, and by which encoder.

    ``lacking``: passages that cannot be learnt, because nothing is heard in them.
    """

    recipe: Recipe
    listener: Listener
    encoder: tuple[str, str]
    material: Material
    vectors: Mapping[str, Tensor]
    folder: Path
    lacking: int


def gather(service: Service, collection: str, questions: Sequence[Path], recipe: Recipe, is_update: bool) -> Gathered:
    """Return what is to be learnt of a collection (by its name in the store); its passages are heard.

    ``questions``: files of them, as an evaluation takes them; without, they are made of transcripts by pattern.
    ``recipe``: of a new training; an update goes by that of the model.

    Raises:
        NotFoundError: there is no model to update.
        InputError: the questions cannot be used.
    """
    kept, name = kept_models(service.settings), service.settings.engines.encoder_name
    folder = folder_of(kept, collection)
    if is_update and (folder is None or not (folder / MANIFEST).is_file()):
        raise NotFoundError(
            f"No model of '{shown_name(collection)}' has been trained.", f"Run: {training_command(collection)}"
        )
    recipe = recipe_of(folder) if folder and is_update else recipe
    plan = CropPlan(recipe.crops, recipe.crop_s, recipe.seed)
    encoder = service.loader.model("speech encoder", name)
    listener = Listener(encoder, recipe.hears)
    folder = folder or new_folder(kept, collection)
    meaning = next(one.name for one in encoder.channels if one.kind == "dense")
    ids = [one.passage_id for one in service.store.passages.within(collection)]
    vectors = {
        one: torch.from_numpy(np.array(vector)) for one, vector in service.store.passages.vectors(meaning, ids).items()
    }
    material = heard(
        listener, sorted(vectors), lambda missing: sounds_of(service, collection, missing), plan, folder / TRAINING
    )
    keep_states(folder, {one.passage_id for one in service.store.passages.within(collection)}.__contains__)
    pairs = asked_about(service, collection, questions, list(material.passages), recipe.seed)
    material = Material(material.passages, material.crops, asked(listener, pairs))
    found = {one: vectors[one] for one in material.passages}
    lacking = len(ids) - len(material.passages)
    return Gathered(recipe, listener, (name, encoder.fingerprint), material, found, folder, lacking)


def sounds_of(service: Service, collection: str, passage_ids: Sequence[str]) -> Iterator[tuple[str, Audio]]:
    """Yield (passage id, sound) of some passages of a collection; every recording is read once."""
    library, wanted = service.library, set(passage_ids)
    of_recording = defaultdict(list)
    for one in library.store.passages.within(collection):
        if one.passage_id in wanted:
            of_recording[one.recording_id].append(one)
    for recording_id, passages in of_recording.items():
        spans = [one.span for one in passages]
        file_name = library.store.recordings.get(recording_id).file_name
        sounds = audio.sounds_at(library.media(recording_id), spans, library.limits, file_name)
        for one, sound in zip(passages, sounds, strict=True):
            yield one.passage_id, sound


def asked_about(
    service: Service, collection: str, files: Sequence[Path], passage_ids: Sequence[str], seed: int
) -> list[tuple[str, tuple[str, ...]]]:
    """Return questions, each with the passages that answer it: those of files, or made of transcripts by pattern."""
    store = service.store
    if not files:
        recognizers = [one.name for one in service.library.makers.baselines]
        texts = store.transcripts.texts(list(passage_ids), recognizers[0]) if recognizers else {}
        return pattern_questions(texts, QUESTIONS_EACH, seed)
    passages, known = store.passages.within(collection), set(passage_ids)
    given = read_questions(files, Names(store.recordings.find(collection), passages))
    of_recording = defaultdict(list)
    for one in passages:
        if one.passage_id in known:
            of_recording[one.recording_id].append(one.passage_id)
    found = []
    for query in given.queries:
        right = given.relevance.get(query.query_id, {})
        ids = tuple(passage_id for recording in sorted(right) for passage_id in of_recording[recording])
        if ids:
            found.append((query.text, ids))
    return found


def learn(gathered: Gathered, steps: int, is_update: bool) -> list[str]:
    """Train, or have a model learn what is new, and write it; return what is to be told.

    ``steps``: of training; 0: as many as the recipe says.

    Raises:
        InputError: there is too little, or nothing new, to learn.
        NotFoundError: the collection was deleted meanwhile.
    """
    folder, material, listener = gathered.folder, gathered.material, gathered.listener
    recipe = gathered.recipe.of_steps(steps) if steps else gathered.recipe
    run = folder / TRAINING / f"{RUN}{digest_of(gathered, recipe)}"
    if is_update:
        trained = update(listener, material, gathered.vectors, recipe, folder, run)
    else:
        trained = train(listener, material, gathered.vectors, recipe, run)
    if not (folder / COLLECTION).is_file():
        raise NotFoundError("The collection was deleted while it was learnt.", "Nothing of it is kept.")
    save(trained, recipe, gathered.encoder, folder)
    for older in (folder / TRAINING).glob(f"{RUN}*"):
        shutil.rmtree(older)
    total = len(material.passages) + gathered.lacking
    lines = [str(trained.report), f"trained on {len(trained.addresses)} of {total} passages"]
    if is_update:
        return [*lines, *(f"{name}: {said}" for name, said in trained.said.items())]
    return [*lines, str(remembered(trained.generator, material))]


def digest_of(gathered: Gathered, recipe: Recipe) -> str:
    """Return a short text that changes with what is learnt and how."""
    listed = [sorted(gathered.material.passages), len(gathered.material.questions), asdict(recipe), gathered.encoder]
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:12]
