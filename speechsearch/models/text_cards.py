"""The card of a text encoder that a user has as a folder of sentence-transformers. Nothing heavy is imported here.

How its states become a vector, what stands before questions and passages and how many numbers are kept, the folder's
own files say: ``modules.json``, its ``*_Pooling/config.json``, ``config_sentence_transformers.json`` ("prompts", and
"truncate_dim" for a Matryoshka size). Where a model's prompts are said on its page only, they stand in KNOWN, by the
name of the folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.card import ModelCard, ModelFile, Pooling
from speechsearch.models.files import sha256_of
from speechsearch.models.public_models import KNOWN
from speechsearch.models.transformers_cards import checkpoint_files

VERSION = "1"
"""Of what is computed of texts in ``transformers_text.py``; raise it when the vectors change."""
MODULES, PROMPTS, LENGTHS = "modules.json", "config_sentence_transformers.json", "sentence_bert_config.json"
QUERY_NAMES, PASSAGE_NAMES = (
    ("query", "web_search_query", "Retrieval-query"),
    ("document", "passage", "Retrieval-document"),
)
"""What sentence-transformers calls the prompts of questions and of passages, the first that there is counts."""
POOLING: dict[str, Pooling] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last",
}
PLAIN_BERT = "bert"


def card_of_folder(name: str, folder: Path, sha256: Callable[[Path], str] = sha256_of) -> ModelCard:
    """Return the card of a folder; all its files are hashed now.

    ``folder`` is the one called ``name`` in the user's folder of models, where the files are looked for later.

    Raises:
        ModelUnavailableError: it is none, pools in a way that is not known, or has no weights in safetensors.
    """
    try:
        config = _json(folder / "config.json")
        modules = [(one["path"], str(one["type"]).rsplit(".", 1)[-1]) for one in _list(folder / MODULES)]
        pooling = _pooling(folder, modules)
        dense = [path for path, kind in modules if kind == "Dense"]
        files = checkpoint_files(folder)
        if not files:
            raise ValueError("it has no weights in safetensors; pickles (pytorch_model.bin) are never read")
        files += [folder / path / file for path in dense for file in ("model.safetensors", "config.json")]
        dim = int(_json(folder / dense[-1] / "config.json")["out_features"] if dense else config["hidden_size"])
        said = _json(folder / PROMPTS)
        kept = said.get("truncate_dim")
        digests = tuple(ModelFile(path.relative_to(folder).as_posix(), sha256(path)) for path in files)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailableError(f"{folder} has no text encoder that is known: {error}.") from error
    known = KNOWN.get(name)
    is_bert = config.get("model_type") == PLAIN_BERT and not dense and pooling != "last" and not kept
    size_mb = round(sum(path.stat().st_size for path in files) / 1e6)
    prompts: Mapping[str, str] = said.get("prompts") or {}
    return ModelCard(
        name=name,
        task="text encoder",
        factory=f"speechsearch.models.{'bert' if is_bert else 'transformers_text'}:load",
        summary=f"{config.get('model_type')} of sentence-transformers, of your folder",
        licence="unknown",
        download_mb=size_mb,
        memory_mb=size_mb,
        files=digests,
        revision="" if is_bert else VERSION,
        dim=min(dim, int(kept)) if kept else dim,
        query_prompt=_prompt(prompts, QUERY_NAMES) or (known.query_prompt if known else ""),
        passage_prompt=_prompt(prompts, PASSAGE_NAMES) or (known.passage_prompt if known else ""),
        pooling=pooling,
    )


def _pooling(folder: Path, modules: list[tuple[str, str]]) -> Pooling:
    """Return how states become one vector. Raises ValueError: in none of the known ways."""
    unknown = [kind for _, kind in modules if kind not in ("Transformer", "Pooling", "Normalize", "Dense")]
    if unknown:
        raise ValueError(f"its module {unknown[0]} is not known")
    path = next((path for path, kind in modules if kind == "Pooling"), None)
    if path is None:
        raise ValueError("it has no pooling")
    said = _json(folder / path / "config.json")
    named = said.get("pooling_mode")  # newer files name it, older ones have a switch for every way
    switched = [way for key, way in POOLING.items() if said.get(key)]
    ways = {"mean": "mean", "cls": "cls", "lasttoken": "last"}
    found: list[Any] = [ways[named]] if isinstance(named, str) and named in ways else switched
    if len(found) != 1:
        raise ValueError("it pools in a way that is not known")
    way: Pooling = found[0]
    return way


def _prompt(prompts: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((str(prompts[name]) for name in names if prompts.get(name)), "")


def _json(path: Path) -> dict[str, Any]:
    """Return an object of a file; empty where there is none. Raises ValueError: it is no object."""
    if not path.is_file():
        return {}
    read = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(read, dict):
        raise ValueError(f"{path.name} is no JSON object")
    return read


def _list(path: Path) -> list[Any]:
    read = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(read, list):
        raise ValueError(f"{path.name} is no JSON list")
    return read
