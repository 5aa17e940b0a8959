"""Whether this machine, the models of the settings and the data folder are as they must be, and what to do if not.

Nothing is changed, and nothing is sent but what ``reach`` is asked for.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from speechsearch import audio
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import DataFolderInUseError, SpeechSearchError
from speechsearch.library.backup import DATABASE
from speechsearch.models.device import choose_device
from speechsearch.service.known_models import used_models
from speechsearch.service.open import Service, may_download, model_files
from speechsearch.service.settings import ENDPOINT, Settings
from speechsearch.service.surroundings import warnings

BESIDES_MODELS_MB = 700
"""What the program itself takes: Python, PyTorch, index, page."""
CODECS = ("aac", "amrnb", "flac", "mp3", "opus", "vorbis", "wmav2")
CONNECT_S = 5.0


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at and found; ``advice``: what to do where it is not as it must be."""

    name: str
    state: Literal["ok", "warning", "failure"]
    found: str
    advice: str = ""


def checks(settings: Settings, *, reach: bool = False) -> Iterator[Check]:
    """Yield what is found, one by one. ``reach``: the model hub is asked whether it can be reached.

    Raises:
        NotFoundError: the settings name a model that there is not.
    """
    data_dir = settings.data_dir.expanduser().resolve()
    surroundings = warnings(data_dir)
    yield from (Check("safety", "warning", found) for found in surroundings)
    if not surroundings:
        yield Check("safety", "ok", "This Python is up to date, and nobody else reads the data folder.")
    yield _checked("device", lambda: _device(settings))
    yield _memory(settings)
    yield _checked("decoding", _decoding)
    yield from _models(settings)
    yield _disk(data_dir, settings.limits.free_disk_bytes)
    yield from _library(settings, data_dir)
    yield from _network(settings, reach)


def _checked(name: str, look: Callable[[], Check]) -> Check:
    """Return what a look finds; an error of ours is a failure with its hint."""
    try:
        return look()
    except SpeechSearchError as error:
        return Check(name, "failure", error.message, error.hint)


def _device(settings: Settings) -> Check:
    device = choose_device(settings.models.device, settings.models.dtype)
    return Check("device", "ok", f"{device.name} in {device.dtype}, {device.threads} threads")


def _memory(settings: Settings) -> Check:
    import psutil

    known = model_files(settings).catalog
    used = used_models(known, settings.engines)
    needed_mb = BESIDES_MODELS_MB + sum(card.memory_mb for card in known.cards if (card.task, card.name) in used)
    free_mb = psutil.virtual_memory().available / 1e6
    found = f"{free_mb:,.0f} MB are free; the program and its models take about {needed_mb:,.0f}."
    if free_mb < needed_mb:
        return Check("memory", "warning", found, "Close other programs, or choose smaller models.")
    return Check("memory", "ok", found)


def _decoding() -> Check:
    """Decode one of the shipped samples, in a child process as always, and ask for the codecs of common formats."""
    import av

    from speechsearch.domain.limits import Limits

    sample = next(iter(sorted((SAMPLES / "audio").glob("*.opus"))))
    length_s = audio.probe(sample, Limits()).duration_s
    missing = [codec for codec in CODECS if codec not in av.codecs_available]
    if missing:
        return Check("decoding", "warning", f"PyAV lacks the codecs {', '.join(missing)}.", "pip install --upgrade av")
    return Check("decoding", "ok", f"A sample of {length_s:.1f} s was read; codecs: {', '.join(CODECS)}")


def _models(settings: Settings) -> Iterator[Check]:
    files = model_files(settings)
    for task, name in sorted(used_models(files.catalog, settings.engines)):
        card = files.catalog.get(task, name)
        state, label = files.state(card), f"{task} {name}"
        wrong = [one for one in files.verified(card) if one.state == "wrong"] if state.is_installed else []
        if not state.is_installed:
            yield Check(label, "failure", "It is not here.", state.how)
        elif wrong:
            yield Check(label, "failure", wrong[0].message)
        else:
            yield Check(label, "ok", f"{len(card.files)} files, sha256 as named" if card.files else "installed")


def _disk(data_dir: Path, needed_bytes: int) -> Check:
    place = next(path for path in (data_dir, *data_dir.parents) if path.exists())
    free_bytes = shutil.disk_usage(place).free
    found = f"{free_bytes / 1e9:,.1f} GB are free at {place}."
    if free_bytes < needed_bytes:
        advice = f"Make room: no task starts with less than {needed_bytes / 1e9:,.1f} GB."
        return Check("disk", "failure", found, advice)
    return Check("disk", "ok", found)


def _library(settings: Settings, data_dir: Path) -> Iterator[Check]:
    """Open database and index, and compare them with the audio files."""
    if not settings.store.url.get_secret_value() and not (data_dir / DATABASE).exists():
        yield Check("data folder", "ok", f"{data_dir} has no recordings yet.")
        return
    try:
        with Service.open(settings, "check") as service:
            found = service.browse.differences()
            passages = service.store.passages.count()
    except DataFolderInUseError as error:
        yield Check("data folder", "warning", error.message, "Stop that to have database, index and audio compared.")
        return
    except SpeechSearchError as error:
        yield Check("data folder", "failure", error.message, error.hint)
        return
    advice = "python -m speechsearch rebuild makes the index anew; a backup has what is lost."
    yield from (Check("data folder", "failure", one, advice) for one in found)
    if not found:
        yield Check("data folder", "ok", f"Database, index and audio files agree: {passages:,} passages.")


def _network(settings: Settings, reach: bool) -> Iterator[Check]:
    """Say who would be asked for what, and with ``reach`` whether the model hub answers."""
    from huggingface_hub import constants

    asked = {
        constants.ENDPOINT: "models that are missing"
        if may_download(settings) and not constants.HF_HUB_OFFLINE
        else "",
        settings.index.url: "index",
        settings.store.url.get_secret_value(): "database",
        settings.webhooks.url: "webhooks",
        settings.language_model.url: "answers" if settings.engines.language_model == ENDPOINT else "",
    }
    hosts = [f"{host} ({what})" for url, what in asked.items() if what and (host := urlsplit(url).hostname)]
    mode = "The hub's offline mode is on. " if constants.HF_HUB_OFFLINE else ""
    by_itself = f"By itself the program asks {', '.join(hosts)}." if hosts else "By itself the program asks nobody."
    yield Check("network", "ok", f"{mode}{by_itself} Downloads, feeds and datasets are asked for when you say so.")
    if reach:
        yield _reached(constants.ENDPOINT)


def _reached(address: str) -> Check:
    import httpx

    try:
        answer = httpx.head(address, timeout=CONNECT_S, follow_redirects=True)
    except httpx.HTTPError as error:
        return Check("model hub", "warning", f"{address} cannot be reached: {error}.", "Only downloads need it.")
    return Check("model hub", "ok", f"{address} answers with {answer.status_code}.")
