"""The cards of models that onnx-asr decodes, one for a user's folder, and of which kind files are. Nothing heavy here.

Revisions and sha256 are those that several public programs pin and check; no file was at hand to check.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.card import ModelCard, ModelFile, OnHub
from speechsearch.models.files import sha256_of

PACKAGE, PINNED_VERSION = "onnx-asr", "0.12.0"
FACTORY = "speechsearch.models.onnx_asr:load"
VERSION = "2"
"""Of the decoding in ``onnx_asr.py``; raise it when that writes other words."""
CONFIG, INT8 = "config.json", ".int8.onnx"
_PARAKEET = ("encoder-model*.onnx", "decoder_joint-model*.onnx", "vocab.txt")
KINDS: dict[str, tuple[str, ...]] = {
    "gigaam-v3-e2e-ctc": ("v3_e2e_ctc*.onnx", "v3_e2e_ctc_vocab.txt"),
    "gigaam-v3-e2e-rnnt": ("v3_e2e_rnnt_encoder*.onnx", "v3_e2e_rnnt_decoder*.onnx", "v3_e2e_rnnt_joint*.onnx",
                           "v3_e2e_rnnt_vocab.txt"),
    "gigaam-v3-ctc": ("v3_ctc*.onnx", "v3_vocab.txt"),
    "gigaam-v3-rnnt": ("v3_rnnt_encoder*.onnx", "v3_rnnt_decoder*.onnx", "v3_rnnt_joint*.onnx", "v3_vocab.txt"),
    "nemo-conformer-tdt": _PARAKEET,
    "nemo-conformer-rnnt": _PARAKEET,
    "nemo-conformer-aed": ("encoder-model*.onnx", "decoder-model*.onnx", "vocab.txt"),
    "nemo-conformer-ctc": ("model*.onnx", "vocab.txt"),
}  # fmt: skip
"""Kind as onnx-asr names it -> what its files are called; ``config.json`` comes with all of them."""
TRANSLATING = "nemo-conformer-aed"
EUROPEAN = tuple("en bg hr cs da nl et fi fr de el hu it lv lt mt pl pt ro sk sl es sv ru uk".split())
"""The 25 languages of Parakeet v3 and Canary v2."""


def kind_of(names: Collection[str], hints: Iterable[str] = ()) -> str:
    """Return of which kind files are. Where they could be of several, the first hint that names one decides.

    Raises:
        ValueError: they are of none.

    >>> kind_of(["v3_ctc.int8.onnx", "v3_e2e_ctc.onnx", "v3_vocab.txt", "v3_e2e_ctc_vocab.txt"], ["gigaam-v3-ctc-mine"])
    'gigaam-v3-ctc'
    """
    found = [kind for kind, wanted in KINDS.items() if all(any(fnmatch(name, one) for name in names) for one in wanted)]
    if not found:
        raise ValueError(f"it has not all files of any of: {', '.join(KINDS)}")
    return next((kind for hint in hints for kind in found if hint.startswith(kind)), found[0])


def files_of(kind: str, names: Collection[str], is_int8: bool) -> list[str]:
    """Return the files of a kind, graphs first, in int8 where that is wanted or nothing else is there.

    >>> names = ["config.json", "vocab.txt", "model.onnx", "model.onnx.data", "model.int8.onnx"]
    >>> files_of("nemo-conformer-ctc", names, is_int8=False)
    ['model.onnx', 'model.onnx.data', 'vocab.txt', 'config.json']
    """
    found: list[str] = []
    for pattern in KINDS[kind]:
        fitting = [name for name in sorted(names) if fnmatch(name, pattern)]
        int8 = [name for name in fitting if name.endswith(INT8)]
        full = [name for name in fitting if name not in int8]
        for name in (int8 or full)[:1] if is_int8 else (full or int8)[:1]:
            found += [name, *(one for one in sorted(names) if one in (f"{name}.data", f"{name}_data"))]
    return [*found, CONFIG]


def model_type(config: Path) -> str:
    """Return the kind that a ``config.json`` names; "" where it names none. Raises ValueError: it is no JSON object."""
    read = json.loads(config.read_text(encoding="utf-8"))
    if not isinstance(read, dict):
        raise ValueError(f"{CONFIG} is no JSON object")
    return str(read.get("model_type", ""))


def card_of_folder(name: str, folder: Path, sha256: Callable[[Path], str] = sha256_of) -> ModelCard:
    """Return the card of graphs that a user has as a folder; the files that are read are hashed now.

    ``folder`` is the one called ``name`` in the user's folder of models, where the files are looked for later. A name
    that ends in -int8 prefers the graphs in int8; one that begins with a kind says which of several is meant.

    Raises:
        ModelUnavailableError: the folder has no graphs that onnx-asr decodes.
    """
    try:
        names = [path.name for path in folder.iterdir()]
        if CONFIG not in names:
            raise FileNotFoundError(f"it has no {CONFIG}")
        kind = kind_of(names, [name, model_type(folder / CONFIG)])
        files = [folder / file for file in files_of(kind, names, name.endswith("-int8"))]
        digests = tuple(ModelFile(path.name, sha256(path)) for path in files)
        size_mb = round(sum(path.stat().st_size for path in files) / 1e6)
    except (OSError, ValueError) as error:
        raise ModelUnavailableError(f"{folder} has no graphs that onnx-asr decodes: {error}.") from error
    return ModelCard(
        name=name,
        task="recognizer",
        factory=FACTORY,
        summary=f"{kind} of onnx-asr, of your folder",
        licence="unknown",
        languages=("ru",) if kind.startswith("gigaam") else (),
        download_mb=size_mb,
        memory_mb=size_mb,
        files=digests,
        package=PACKAGE,
        pinned_version=PINNED_VERSION,
        revision=VERSION,
        translates=kind == TRANSLATING,
    )


def hub_card(
    name: str,
    hub: tuple[str, str],
    sha256: Mapping[str, str],
    parameters_m: float,
    download_mb: float,
    summary: str,
    languages: tuple[str, ...],
    licence: str,
) -> ModelCard:
    """Return the card of a model on the hub; ``hub`` is a repository and its revision, ``sha256`` of all files."""
    return ModelCard(
        name=name,
        task="recognizer",
        factory=FACTORY,
        summary=summary,
        licence=licence,
        languages=languages,
        parameters_m=parameters_m,
        memory_mb=download_mb,
        download_mb=download_mb,
        files=tuple(ModelFile(file, digest, (OnHub(*hub, file),)) for file, digest in sha256.items()),
        package=PACKAGE,
        pinned_version=PINNED_VERSION,
        revision=VERSION,
        translates=kind_of(sha256) == TRANSLATING,
    )


_GIGAAM = ("istupakov/gigaam-v3-onnx", "322c3b29492673eb7d0b434bfa9dfb8653e34d02")
_GIGAAM_CONFIG = {CONFIG: "0641fcf73f4af791c73f05083e38a658ff5dcbee3534a0c61396c10f4b97f0fe"}
_PARAKEET_CONFIG = {CONFIG: "666903c76b9798caf2c210afd4f6cd60b08a8dbf9800ec8d7a3bc0d2148ac466"}
ONNX_ASR = (
    hub_card(
        "parakeet-tdt-0.6b-v3",
        ("istupakov/parakeet-tdt-0.6b-v3-onnx", "8f23f0c03c8761650bdb5b40aaf3e40d2c15f1ce"),
        {
            "encoder-model.int8.onnx": "6139d2fa7e1b086097b277c7149725edbab89cc7c7ae64b23c741be4055aff09",
            "decoder_joint-model.int8.onnx": "eea7483ee3d1a30375daedc8ed83e3960c91b098812127a0d99d1c8977667a70",
            "vocab.txt": "d58544679ea4bc6ac563d1f545eb7d474bd6cfa467f0a6e2c1dc1c7d37e3c35d",
            **_PARAKEET_CONFIG,
        },
        600,
        671,
        "NVIDIA's Parakeet TDT 0.6B v3 in int8: 25 European languages, with punctuation",
        EUROPEAN,
        "CC-BY-4.0",
    ),
    hub_card(
        "parakeet-tdt-0.6b-v2",
        ("istupakov/parakeet-tdt-0.6b-v2-onnx", "0bbb45a3365852604aef28b538a8f066f4ccaa85"),
        {
            "encoder-model.int8.onnx": "3e0581fda6ab843888b51e56d7ee78b6d5bc3237ec113af1f732d1d5286aa155",
            "decoder_joint-model.int8.onnx": "a449f49acd68979d418651dd2dcb737cc0f1bf0225e009e29ee326354edbf7d3",
            "vocab.txt": "ec182b70dd42113aff6c5372c75cac58c952443eb22322f57bbd7f53977d497d",
            **_PARAKEET_CONFIG,
        },
        600,
        661,
        "NVIDIA's Parakeet TDT 0.6B v2 in int8: English, with punctuation",
        ("en",),
        "CC-BY-4.0",
    ),
    hub_card(
        "canary-1b-v2",
        ("istupakov/canary-1b-v2-onnx", "5ebc1520cef7b6b318b3526ad17adbfe00bc1bfc"),
        {
            "encoder-model.int8.onnx": "6d96e9945898e5ace48f4efecd459ca1df81859730be27b8af6b197639403ee1",
            "decoder-model.int8.onnx": "52d83aa7aad41fbbe4f9dfcd341d784735a6eb4c6eb0d3290fc27a0d8ac39abf",
            "vocab.txt": "2c9efe6104fd29522ea27ce0e3aef5d37c690af4e5a4232e643e23ca403ffea3",
            CONFIG: "f90ace8e35326dcd47c7330b230644fa0835083ed1e89e2f59aa08ba10d74f54",
        },
        978,
        1030,
        "NVIDIA's Canary 1B v2 in int8: 25 European languages; English unless told, no word times; translates",
        EUROPEAN,
        "CC-BY-4.0",
    ),
    hub_card(
        "gigaam-v3-ctc",
        _GIGAAM,
        {
            "v3_ctc.int8.onnx": "ceb61454e2e1a2dec5872cbac1de0fe0a4271d1148f6b26b5bda53ff30a12acd",
            "v3_vocab.txt": "a9143c30844d3c0bee3e9e927e4084774eb1b9eeaafc473b2c4521e4911a7c07",
            **_GIGAAM_CONFIG,
        },
        220,
        225,
        "Sber's GigaAM v3, CTC, in int8: Russian, lower case without punctuation, fast",
        ("ru",),
        "MIT",
    ),
    hub_card(
        "gigaam-v3-rnnt",
        _GIGAAM,
        {
            "v3_rnnt_encoder.onnx": "7ae7509c3f1128369564df0b00e2ee4950adf539de2392ac5c800a5bc04c7132",
            "v3_rnnt_decoder.onnx": "443c3b7bd42b453611618135d6b1e7d9467e5dd97c8a68501da4aa355750c0da",
            "v3_rnnt_joint.onnx": "fd1d02f45c2ad3d6b67cc149811ad794ab4b020ed49a0a9e2790a8619d1cddd8",
            "v3_vocab.txt": "a9143c30844d3c0bee3e9e927e4084774eb1b9eeaafc473b2c4521e4911a7c07",
            **_GIGAAM_CONFIG,
        },
        220,
        890,
        "Sber's GigaAM v3, RNN-T, in float32: Russian, lower case without punctuation",
        ("ru",),
        "MIT",
    ),
    hub_card(
        "gigaam-v3-e2e-ctc",
        _GIGAAM,
        {
            "v3_e2e_ctc.int8.onnx": "2e3fcb7a7b66030336fd10c2fcfb033bd1dc7e1bf238fe5cfd83b1d0cfc9d28e",
            "v3_e2e_ctc_vocab.txt": "142de7570b3de5b3035ce111a89c228e80e6085273731d944093ddf24fa539cd",
            **_GIGAAM_CONFIG,
        },
        220,
        225,
        "Sber's GigaAM v3, end to end, CTC, in int8: Russian, with punctuation and numbers",
        ("ru",),
        "MIT",
    ),
    hub_card(
        "gigaam-v3-e2e-rnnt",
        _GIGAAM,
        {
            "v3_e2e_rnnt_encoder.int8.onnx": "4e0e076a6076cd110277e529b8ac8f32cd5297f7fbebad5341ae8ddb7d00817b",
            "v3_e2e_rnnt_decoder.int8.onnx": "89014e134865615b91e037157e46e389b1271e6072460efc010ea08e61e23146",
            "v3_e2e_rnnt_joint.int8.onnx": "ade116563dbf66e503b0994efab6b5861412743e52bf31c39fc3fffa3783d5d1",
            "v3_e2e_rnnt_vocab.txt": "39abae20e692998290c574e606f11a9edef2902a1995463fcff63d1490cf22b7",
            **_GIGAAM_CONFIG,
        },
        220,
        226,
        "Sber's GigaAM v3, end to end, RNN-T, in int8: Russian, with punctuation and numbers, its best",
        ("ru",),
        "MIT",
    ),
)
