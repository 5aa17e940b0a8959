"""Networks of transformers out of a card's files: safetensors only, no code from the folder, no weight missing."""

from __future__ import annotations

from typing import Any

import transformers
from safetensors import SafetensorError

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.files import together
from speechsearch.models.load import Located
from speechsearch.models.transformers_asr import without_progress_bars

UNUSED = ("pooler.", "masked_spec_embed", "parametrizations.weight")
"""Weights that checkpoints lack and nothing here reads, or that are stored under an older name."""


def open_transformers(located: Located, auto: str, **how: Any) -> Any:
    """Return the network of a card's files, loaded by a class of transformers such as ``AutoModel``.

    Raises:
        ModelUnavailableError: the files do not fit each other or the class, or weights are missing.
    """
    top_files = {name: path for name, path in located.files.items() if "/" not in name}
    settings = {"dtype": located.device.torch_dtype, **how}
    with together(top_files) as folder, without_progress_bars():
        try:
            network, report = getattr(transformers, auto).from_pretrained(
                folder, use_safetensors=True, local_files_only=True, output_loading_info=True, **settings
            )
            missing = sorted(name for name in report["missing_keys"] if not any(one in name for one in UNUSED))
            if missing:
                raise ValueError(f"its weights lack {', '.join(missing[:3])}")
        except (OSError, ValueError, KeyError, RuntimeError, TypeError, ImportError, SafetensorError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelUnavailableError(
                f"The {located.card.task} '{located.card.name}' cannot be loaded: {reason}",
                f"It needs a checkpoint that transformers {transformers.__version__} reads, with model.safetensors.",
            ) from error
    return network
