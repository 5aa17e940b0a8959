"""The models that write addresses of passages: each belongs to a collection and lies in the data folder. Nothing heavy.

``generative.json`` says how one was made and names the sha256 of the weights and of ``addresses.json``, passage id ->
codes. ``collection.txt`` has the name of the collection, which may change. In ``training`` lie the states that were
heard: of a passage by its id, of its crops by id:number.
"""

from __future__ import annotations

import json
import re
import secrets
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechsearch.domain.errors import ModelUnavailableError, SpeechSearchError
from speechsearch.domain.visitors import shown_name
from speechsearch.models.card import ModelCard, ModelFile
from speechsearch.models.catalog import Catalog
from speechsearch.models.files import sha256_of

WEIGHTS, ADDRESSES, MANIFEST, COLLECTION = "model.safetensors", "addresses.json", "generative.json", "collection.txt"
TRAINING, HEARD = "training", "[0-9]*.safetensors"
PREFIX = "generative-"


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """What a model has learnt: a collection's passages, by which codes it writes them, and how it was made.

    ``config``: of the network. ``encoder_fingerprint``: of the speech encoder that it was trained with.
    """

    collection: str
    addresses: dict[str, tuple[int, ...]]
    config: dict[str, Any]
    encoder_fingerprint: str

    @property
    def command(self) -> str:
        """The command that trains it anew."""
        return training_command(self.collection)


def training_command(collection: str) -> str:
    """Return the command that trains a model of a collection, by its name in the store.

    >>> training_command("my talks")
    "python -m speechsearch train generative 'my talks'"
    """
    return f"python -m speechsearch train generative {shlex.quote(shown_name(collection))}"


def folders_in(kept: Path) -> Iterator[Path]:
    """Yield the folders of trained models, by name."""
    for folder in sorted(kept.glob(f"{PREFIX}*")) if kept.is_dir() else []:
        if (folder / COLLECTION).is_file():
            yield folder


def folder_of(kept: Path, collection: str) -> Path | None:
    """Return where the model of a collection lies; None where there is none. Raises OSError."""
    return next((one for one in folders_in(kept) if collection_of(one) == collection), None)


def new_folder(kept: Path, collection: str) -> Path:
    """Return a folder for the model of a collection, made now."""
    plain = re.sub("[^a-z0-9]+", "-", shown_name(collection).lower()).strip("-")[:40] or "collection"
    folder = kept / f"{PREFIX}{plain}-{secrets.token_hex(4)}"
    folder.mkdir(parents=True, mode=0o700)
    (folder / COLLECTION).write_text(collection, encoding="utf-8")
    return folder


def collection_of(folder: Path) -> str:
    """Return the name in the store of the collection that a model belongs to. Raises OSError."""
    return (folder / COLLECTION).read_text(encoding="utf-8")


def rename_model(kept: Path, collection: str, new_name: str) -> None:
    """Have the model of a collection, if there is one, belong to its new name."""
    if folder := folder_of(kept, collection):
        unfinished = folder / f"{COLLECTION}.unfinished"
        unfinished.write_text(new_name, encoding="utf-8")
        unfinished.replace(folder / COLLECTION)


def remove_model(kept: Path, collection: str) -> None:
    """Remove the model of a collection, if there is one, with all that was kept of its training."""
    if folder := folder_of(kept, collection):
        shutil.rmtree(folder)


def keep_states(folder: Path, is_wanted: Callable[[str], bool]) -> None:
    """Remove what was heard of passages that are not wanted any more (by their ids) from what a model keeps.

    What the weights have learnt of them stays until the next training. A file that cannot be read goes whole: what was
    in it is heard again by the next training. Raises OSError.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.numpy import save_file

    for file in sorted((folder / TRAINING).glob(f"*/{HEARD}")):
        try:
            with safe_open(file, "np") as states:
                names = list(states.keys())
                wanted = [name for name in names if is_wanted(name.partition(":")[0])]
                left = {name: states.get_tensor(name) for name in wanted} if len(wanted) < len(names) else {}
        except SafetensorError:
            wanted, left = [], {}
        if not wanted:
            file.unlink()
        elif left:
            unfinished = file.with_suffix(".unfinished")
            save_file(left, unfinished)
            unfinished.replace(file)


def learnt_of(folder: Path) -> Learnt:
    """Return what the files of a model say that it has learnt.

    Raises:
        ModelUnavailableError: they cannot be used.
    """
    try:
        said = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        config = dict(said["config"])
        config["code_sizes"] = sizes = tuple(int(size) for size in config["code_sizes"])
        read = json.loads((folder / ADDRESSES).read_text(encoding="utf-8"))
        codes = {str(name): tuple(map(int, one)) for name, one in read.items()}
        if any(len(one) != len(sizes) for one in codes.values()):
            raise ValueError("an address has not a code for every level")
        return Learnt(collection_of(folder), codes, config, str(said["speech_encoder"]["fingerprint"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelUnavailableError(f"{folder} is no generative model: {error}.", "Train it again.") from error


def card_of_folder(folder: Path) -> ModelCard:
    """Return the card of a folder that a training wrote; what its files must hash to, its manifest says.

    Raises:
        ModelUnavailableError: it holds no such model.
    """
    try:
        said = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        own = tuple(ModelFile(name, str(said["sha256"][name])) for name in (WEIGHTS, ADDRESSES))
        encoder, passages = str(said["speech_encoder"]["name"]), int(said["passages"])
        collection = shown_name(collection_of(folder))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailableError(f"{folder} is no generative model: {error}.", "Train it again.") from error
    return ModelCard(
        name=folder.name,
        task="passage generator",
        factory="speechsearch.models.generative.generator:load",
        summary=f"experimental: writes which of {passages} passages of '{collection}' answers",
        licence="that of your recordings",
        languages=("en",),
        files=(*own, ModelFile(MANIFEST, sha256_of(folder / MANIFEST))),
        needs=(("speech encoder", encoder),),
    )


def with_generators(catalog: Catalog, kept: Path) -> tuple[Catalog, dict[str, str]]:
    """Return a catalog that has the models in a folder too, and the names of those that cannot be used -> why."""
    refused: dict[str, str] = {}
    for folder in folders_in(kept):
        if (folder / MANIFEST).is_file():  # else its training has not ended
            try:
                catalog = catalog.add(card_of_folder(folder))
            except SpeechSearchError as error:
                refused[folder.name] = error.message
    return catalog, refused
