"""Language models made into what CTranslate2 reads, in int8: once for a model, and kept.

It is done in a process of its own, because it takes several times the memory that the made model takes. What is made
stands under a name that changes with the model's files and with the version of the converter.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from speechsearch.domain.errors import ModelUnavailableError, SpeechSearchError
from speechsearch.domain.packages import package_version
from speechsearch.models.device import Device
from speechsearch.models.files import make_private, sha256_of
from speechsearch.models.load import Located

VERSION = "1"
"""Of what is made; raise it when that changes."""
LOADERS = {"llama": "LlamaConfig", "mistral": "MistralConfig", "qwen2": "Qwen2Config", "qwen3": "Qwen3Config"}
"""The kinds of networks that are converted, and CTranslate2's names of what reads them."""
OF_ANY_HEAD_SIZE = ("mistral", "qwen3")
"""What is read of these may have heads that do not share the network's width out between them."""
NUMBERS = "int8"
LARGE_BYTES = 1_000_000_000
"""What has larger files is read in bfloat16, as it was published; in float32 it would take twice the memory."""
MADE, UNFINISHED, ABOUT = "ctranslate2-", ".converting-", "about.json"
BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from speechsearch.models.language_conversion import serve; serve(sys.argv[2])"
)
TAIL_LETTERS = 300


@dataclass(frozen=True, slots=True)
class Converted:
    """A model that was made: its folder, the tokens that end what it writes, and how many tokens it was made for."""

    folder: Path
    ends: tuple[int, ...]
    longest: int


def is_convertible(files: Mapping[str, Path]) -> bool:
    """Return whether CTranslate2 computes a model of such files as it was trained.

    Not one whose rotary positions are scaled, as Llama 3.1's and 3.2's are: CTranslate2 4.8.5 reads the scale and does
    not use it. Nor a Llama or Qwen2 with a head size of its own, which it takes for the usual one.

    Raises:
        ModelUnavailableError: a file cannot be read.
    """
    if "config.json" not in files:
        from speechsearch.models.gguf_file import architecture_of, has_own_head_size, has_scaled_positions

        path = next(iter(files.values()))
        is_usual = architecture_of(path) in OF_ANY_HEAD_SIZE or not has_own_head_size(path)
        return is_usual and not has_scaled_positions(path)
    try:
        config = json.loads(files["config.json"].read_text(encoding="utf-8"))
        model_type, head_dim = config.get("model_type"), config.get("head_dim")
        if model_type not in LOADERS or "quantization_config" in config:
            return False
        positions = config.get("rope_parameters") or config.get("rope_scaling") or {}
        kind = positions.get("rope_type") or positions.get("type") or "default"
        is_usual = head_dim is None or head_dim * config["num_attention_heads"] == config["hidden_size"]
        return kind == "default" and (is_usual or model_type in OF_ANY_HEAD_SIZE)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelUnavailableError(f"{files['config.json']} cannot be read: {error}.", "Install it again.") from error


def converted(located: Located, home: Path) -> Converted:
    """Return the model that was made of a language model's files in a folder, made now if it is not whole there.

    Raises:
        ModelUnavailableError: the files cannot be read or converted, or there is no room.
    """
    folder = home / f"{MADE}{_version_of(located)}"
    found = _read(folder)
    if found is None:
        try:
            _make(located, home, folder)
        except OSError as error:
            raise ModelUnavailableError(
                f"The language model '{located.card.name}' cannot be made in {home}: {error}.", "Make room there."
            ) from error
        found = _read(folder)
    if found is None:
        raise ModelUnavailableError(f"What was made in {folder} is not whole.", "Try again.")
    return found


def _version_of(located: Located) -> str:
    parts = [file.sha256 for file in sorted(located.card.files, key=lambda file: file.name)]
    parts += [package_version("ctranslate2", "python -m pip install ctranslate2"), VERSION]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def _read(folder: Path) -> Converted | None:
    """Return the model in a folder if all its files are as they were made."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        if any(sha256_of(folder / name) != digest for name, digest in about["files"].items()):
            return None
        return Converted(folder, tuple(map(int, about["ends"])), int(about["longest"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ModelUnavailableError):
        return None  # it is made anew


def _make(located: Located, home: Path, folder: Path) -> None:
    """Have a process make the model; its folder appears at once or not at all, and replaces those of before."""
    make_private(home)
    for left in [*home.glob(f"{MADE}*"), *home.glob(f"{UNFINISHED}*")]:
        shutil.rmtree(left, ignore_errors=True)
    with TemporaryDirectory(prefix=UNFINISHED, dir=home) as work:
        made = Path(work) / "made"
        files = {name: str(path.resolve()) for name, path in located.files.items()}
        _in_own_process({"name": located.card.name, "files": files, "target": str(made)})
        made.rename(folder)


def _in_own_process(task: dict[str, Any]) -> None:
    """Have a process do a task. Raises ModelUnavailableError with the reason that it gives."""
    command = [sys.executable, "-c", BOOT, json.dumps(sys.path), json.dumps(task)]
    ended = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if ended.returncode:
        reason = ended.stdout.strip() or ended.stderr.strip()[-TAIL_LETTERS:] or f"it ended with {ended.returncode}"
        raise ModelUnavailableError(
            f"The language model '{task['name']}' cannot be converted for CTranslate2: {reason}",
            "Converting takes about five times the memory of its files.",
        )


def serve(task: str) -> None:
    """Do a task, as the process that is there for it: exit with 1 and the reason on standard output if that fails."""
    asked = json.loads(task)
    try:
        convert(asked["name"], {name: Path(path) for name, path in asked["files"].items()}, Path(asked["target"]))
    except SpeechSearchError as error:
        print(error.message)
        sys.exit(1)


def convert(name: str, files: Mapping[str, Path], target: Path, numbers: str = NUMBERS) -> None:
    """Write the model and its tokeniser to a new folder.

    Raises:
        ModelUnavailableError: the files cannot be read, or are of no network that CTranslate2 computes.
    """
    from ctranslate2.converters.converter import Converter
    from ctranslate2.converters.transformers import _MODEL_LOADERS as KNOWN

    from speechsearch.models.causal_lm import open_files

    is_large = sum(path.stat().st_size for path in files.values()) > LARGE_BYTES
    opened = open_files(name, files, Device("cpu", "bfloat16" if is_large else "float32"))
    kind = opened.network.config.model_type

    class Network(Converter):  # type: ignore[misc]
        def _load(self) -> Any:
            loader = KNOWN[LOADERS[kind]]
            spec = loader.get_model_spec(opened.network)
            loader.set_config(spec.config, opened.network, opened.tokenizer)
            loader.set_vocabulary(spec, loader.get_vocabulary(opened.network, opened.tokenizer))
            return spec

    about: dict[str, Any] = {"ends": opened.ends, "longest": opened.longest}
    try:
        Network().convert(str(target), quantization=numbers)
        opened.tokenizer.save_pretrained(target)
    except (NotImplementedError, RuntimeError, ValueError, KeyError, AttributeError) as error:
        raise ModelUnavailableError(f"a network of the kind '{kind}' is not converted: {error}") from error
    about["files"] = {path.name: sha256_of(path) for path in sorted(target.iterdir())}
    (target / ABOUT).write_text(json.dumps(about), encoding="utf-8")
