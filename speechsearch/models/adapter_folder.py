"""A trained speech adapter as a folder: weights, what it stands between, and a model card; to disk, to the hub, back.

``model.safetensors`` holds the adapter ("adapter.*") and those layers of the speech encoder that were trained with it
("encoder.*", by their places). ``config.json`` names both encoders with the sha256 of their weights, so that no other
is put in their place. Nothing heavy is imported to read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.adapter_sizes import AdapterSizes

if TYPE_CHECKING:
    from torch import Tensor

MODEL_TYPE = "speechsearch-adapter"
CONFIG, WEIGHTS, README = "config.json", "model.safetensors", "README.md"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Between:
    """A model that an adapter stands beside: its name in the catalog, its weights' sha256, and where it is public."""

    name: str
    sha256: str
    repository: str = ""
    revision: str = ""


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """What a folder's ``config.json`` says.

    Args:
        name: of the training, the model card's title.
        speech_encoder, text_encoder: what it was trained between.
        sizes: of the adapter.
        dim: how many numbers of the text encoder's vectors are kept (Matryoshka); all where it is their own number.
        trained_layers: how many of the speech encoder's last layers are in the weights.
        languages: what it was trained to hear, as ISO 639 writes it.
        training: what the recipe says of the training, for the model card.
    """

    name: str
    speech_encoder: Between
    text_encoder: Between
    sizes: AdapterSizes
    dim: int
    trained_layers: int = 0
    languages: tuple[str, ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict)


def save_adapter(folder: Path, config: AdapterConfig, tensors: Mapping[str, Tensor], licence: str) -> None:
    """Write an adapter's weights, configuration and model card into a folder; each appears whole or not at all."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{WEIGHTS}"
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, unfinished)
    unfinished.replace(folder / WEIGHTS)
    written = {"model_type": MODEL_TYPE, "version": VERSION, **asdict(config)}
    (folder / CONFIG).write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    (folder / README).write_text(model_card(config, licence), encoding="utf-8")


def is_adapter(config: Path) -> bool:
    """Return whether a ``config.json`` is an adapter's; False where it cannot be read."""
    try:
        read = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(read, dict) and read.get("model_type") == MODEL_TYPE


def read_config(path: Path) -> AdapterConfig:
    """Return what a ``config.json`` says.

    Raises:
        ModelUnavailableError: it is no adapter's, or of another version.
    """
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        if read.pop("model_type") != MODEL_TYPE or read.pop("version") != VERSION:
            raise ValueError(f"it is not of the kind {MODEL_TYPE}, version {VERSION}")
        return AdapterConfig(
            str(read.pop("name")),
            Between(**read.pop("speech_encoder")),
            Between(**read.pop("text_encoder")),
            AdapterSizes(**read.pop("sizes")),
            int(read.pop("dim")),
            int(read.pop("trained_layers")),
            tuple(map(str, read.pop("languages"))),
            dict(read.pop("training")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelUnavailableError(f"{path} is no speech adapter's: {error}.", "Train it again.") from error


def model_card(config: AdapterConfig, licence: str) -> str:
    """Return the README of a folder, as the hub shows it."""
    said = json.dumps(dict(config.training), indent=1)
    languages = f"language: [{', '.join(config.languages)}]\n" if config.languages else ""

    def public(one: Between) -> str:
        where = f" (`{one.repository}` at `{one.revision}`)" if one.repository else ""
        return f"`{one.name}`{where}, weights' sha256 `{one.sha256}`"

    trained = f"and its last {config.trained_layers} layers were trained, too" if config.trained_layers else "frozen"
    return f"""---
license: {licence}
{languages}tags: [speech-retrieval, speech-adapter, speechsearch]
library_name: speechsearch
---

# {config.name}

A speech adapter of speechsearch: the states of a speech encoder become input embeddings of a frozen text encoder, so
that spoken passages and typed questions lie in one space (Min et al., 2024, SpeechRAG, arXiv 2412.16500).

- Speech encoder: {public(config.speech_encoder)}; {trained}.
- Text encoder, frozen: {public(config.text_encoder)}.
- Adapter: {config.sizes.kind}, {config.sizes.pool} states become one; vectors of {config.dim} numbers.

Use it: `speechsearch ingest --adapter FOLDER talks/`, `speechsearch search --adapter FOLDER "..."`.

## Training

Written by the recipe (`speechsearch train adapter`):

```json
{said}
```
"""


def push_to_hub(folder: Path, repository: str, is_private: bool = True) -> str:
    """Send an adapter's folder to the hub, with the token of the hub's own login, and return the commit's address.

    Raises:
        ModelUnavailableError: the folder is no adapter's, or the hub refuses.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    read_config(folder / CONFIG)
    try:
        api = HfApi()
        api.create_repo(repository, private=is_private, exist_ok=True)
        sent = api.upload_folder(repo_id=repository, folder_path=folder, allow_patterns=[CONFIG, WEIGHTS, README])
    except (OSError, ValueError, HfHubHTTPError) as error:
        raise ModelUnavailableError(f"{repository} cannot be written: {error}", "Run: hf auth login") from error
    return str(sent.commit_url)


def from_pretrained(name_or_path: str, revision: str | None = None, kept: Path | None = None) -> Path:
    """Return the folder of an adapter: a folder itself, or what the hub has under a name.

    ``revision``: of the hub's repository; what it has now if None. ``kept``: where what is fetched is kept; the hub's
    own cache if None.

    Raises:
        ModelUnavailableError: it is neither, or no adapter's.
    """
    folder = Path(name_or_path).expanduser()
    if not folder.is_dir():
        folder = _fetched(name_or_path, revision or "main", kept)
    read_config(folder / CONFIG)
    return folder


def _fetched(repository: str, revision: str, kept: Path | None) -> Path:
    import httpx
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HFValidationError, RepositoryNotFoundError

    where = None if kept is None else kept / f"{repository.split('/')[-1]}-{revision[:12]}"
    try:
        for file in (README, WEIGHTS, CONFIG):
            found = Path(hf_hub_download(repository, file, revision=revision, local_dir=where))
    except (OSError, httpx.HTTPError, EntryNotFoundError, RepositoryNotFoundError, HFValidationError) as error:
        raise ModelUnavailableError(
            f"'{repository}' is neither a folder nor an adapter of the hub that can be fetched: {error}"
        ) from error
    return found.parent
