"""The cards of Qwen3-ASR on the hub, and one for any checkpoint of transformers in a user's folder. Nothing heavy here.

Revisions and sha256 are those that several public programs pin and check; no file was at hand to check.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.card import ModelCard, ModelFile, OnHub
from speechsearch.models.files import sha256_of

VERSION = "2"
"""Of the decoding in ``transformers_asr.py`` and ``qwen3_asr.py``; raise it when that writes other words."""
FACTORY, QWEN3_FACTORY = "speechsearch.models.transformers_asr", "speechsearch.models.qwen3_asr:load"
SEQ2SEQ = frozenset(("whisper", "moonshine", "speech_to_text"))
"""Encoders with decoders that are known to work through ``AutoModelForSpeechSeq2Seq``."""
WEIGHTS = ".safetensors"
READ = frozenset((WEIGHTS, ".json", ".txt", ".model", ".jinja"))
"""The files of a folder that a checkpoint is read from. Never pickles, never code."""
QWEN3_LANGUAGES = tuple(
    "en zh yue ar de fr es pt id it ko ru th vi ja tr hi ms nl sv da fi pl cs fil fa el ro hu mk".split()
)


def factory_of(config: Mapping[str, Any]) -> str:
    """Return the factory of a checkpoint by its ``config.json``.

    Raises:
        ValueError: it is no recogniser that is known; the message says what it is.

    >>> factory_of({"model_type": "wav2vec2", "architectures": ["Wav2Vec2ForCTC"]})
    'speechsearch.models.transformers_asr:load_ctc'
    """
    kind = str(config.get("model_type", ""))
    network = str((list(config.get("architectures") or ()) or [""])[0])
    if kind == "qwen3_asr":
        if "thinker_config" in config:
            raise ValueError("it is Qwen3-ASR as its own package has it; take the repository whose name ends in -hf")
        return QWEN3_FACTORY
    if network.endswith("ForCTC"):
        return f"{FACTORY}:load_ctc"
    if network.endswith(("ForTDT", "ForRNNT")):
        return f"{FACTORY}:load_transducer"
    if kind in SEQ2SEQ:
        return f"{FACTORY}:load_seq2seq"
    raise ValueError(f"its config.json is of {network or kind or 'nothing known'}, which is no recogniser known here")


def is_recognizer(config: Path) -> bool:
    """Return whether a checkpoint's ``config.json`` is of a recogniser that is known; it may be missing."""
    try:
        return bool(factory_of(json.loads(config.read_text(encoding="utf-8"))))
    except (OSError, ValueError, TypeError, AttributeError):
        return False


def card_of_checkpoint(name: str, folder: Path, sha256: Callable[[Path], str] = sha256_of) -> ModelCard:
    """Return the card of a checkpoint of transformers that a user has as a folder; all its files are hashed now.

    ``folder`` is the one called ``name`` in the user's folder of models, where the files are looked for later.

    Raises:
        ModelUnavailableError: the folder has no checkpoint that is known, or none in safetensors.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("its config.json is no JSON object")
        factory = factory_of(config)
        files = checkpoint_files(folder)
        if not files:
            raise ValueError("it has no weights in safetensors; pickles (pytorch_model.bin) are never read")
        digests = tuple(ModelFile(path.name, sha256(path)) for path in files)
        size_mb = round(sum(path.stat().st_size for path in files) / 1e6)
    except (OSError, ValueError, TypeError) as error:
        raise ModelUnavailableError(f"{folder} has no recogniser of transformers: {error}.") from error
    is_qwen3 = factory == QWEN3_FACTORY
    return ModelCard(
        name=name,
        task="recognizer",
        factory=factory,
        summary=f"{config.get('model_type')} of transformers, of your folder",
        licence="unknown",
        languages=QWEN3_LANGUAGES if is_qwen3 else whisper_languages(folder),
        download_mb=size_mb,
        memory_mb=size_mb,
        files=digests,
        revision=VERSION,
        takes_hotwords=is_qwen3,
    )


def checkpoint_files(folder: Path) -> list[Path]:
    """Return the files of a folder that a checkpoint is read from, its weights first; none without any in safetensors.

    Raises:
        OSError: the folder cannot be read.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix in READ and path.is_file())
    files.sort(key=lambda path: path.suffix != WEIGHTS)
    return files if files and files[0].suffix == WEIGHTS else []


def whisper_languages(folder: Path) -> tuple[str, ...]:
    """Return the languages that a multilingual Whisper's ``generation_config.json`` lists; () where there are none.

    Raises:
        ValueError: the file is no JSON.
    """
    path = folder / "generation_config.json"
    if not path.is_file():
        return ()
    listed = json.loads(path.read_text(encoding="utf-8")).get("lang_to_id") or {}
    return tuple(code[2:-2] for code in listed)


def _qwen3(size: str, revision: str, sha256: Mapping[str, str], parameters_m: float, download_mb: float) -> ModelCard:
    same = {
        "tokenizer.json": "fe1fad59be22a41ee293363fcf95fdedbc7c93f3b49270b1d2e18bd1399a7a05",
        "tokenizer_config.json": "945e980986de2ca7768f3326bfdbb4fbea3406f972b8ae0be233089f2b253c11",
        "processor_config.json": "bc0b230081b44e629dd5b9045b78495615c1831b4b9f4cffe97bd37e82a6156a",
        "generation_config.json": "9939fc9388b79bd70757f938b87381e817173d6a6158f5af6506c0b73e775c3c",
        "chat_template.jinja": "f50e6b694fbf4a683206e37869990d68333fe95d285730f084c838a34b0d98c2",
    }
    repository = f"Qwen/Qwen3-ASR-{size}-hf"
    return ModelCard(
        name=f"qwen3-asr-{size.lower()}",
        task="recognizer",
        factory=QWEN3_FACTORY,
        summary=f"Qwen3-ASR {size}: 30 languages, with punctuation; no word times; wants a graphics card",
        licence="Apache-2.0",
        languages=QWEN3_LANGUAGES,
        parameters_m=parameters_m,
        memory_mb=download_mb,
        download_mb=download_mb,
        files=tuple(
            ModelFile(name, digest, (OnHub(repository, revision, name),)) for name, digest in {**sha256, **same}.items()
        ),
        revision=VERSION,
        takes_hotwords=True,
    )


QWEN3_ASR = (
    _qwen3(
        "0.6B",
        "7f1569a48a89f3e3f4dc3a5c9d28bddd903bc76c",
        {
            "model.safetensors": "d3f212dd20abecd315d830bc54ae3865e56ebfc3276484e57b771288ba27fd35",
            "config.json": "9eecf6f1b383e343889c2e6010e632590fa57d4bc678e151c7d6a160a0dfb04a",
        },
        780,
        1577,
    ),
    _qwen3(
        "1.7B",
        "bcd2b5b7f32b480ab5790554cfa8347f246a14f3",
        {
            "model.safetensors": "2db53c7d81bd9b8cbc6a074e89be2c968a0d373fb4ee68bb1b1e14f7042dfee1",
            "config.json": "117ac8e63e2af7cae3665e5a632d6eb03f5f384915519ceb6403c15ec6533f63",
        },
        2040,
        4088,
    ),
)
