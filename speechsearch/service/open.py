"""The composition root: settings become one open data folder with its models, index and database."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal

from speechsearch.domain.counters import Counters
from speechsearch.domain.errors import (
    ConfigurationError,
    FingerprintMismatchError,
    IndexUnavailableError,
    ModelUnavailableError,
    NotFoundError,
    SpeechSearchError,
    StoreError,
)
from speechsearch.domain.folder_lock import DataFolderLock
from speechsearch.domain.limits import Limits
from speechsearch.index import Layout, VectorIndex, open_index
from speechsearch.library.library import Library
from speechsearch.library.makers import Makers
from speechsearch.library.media import TOKENS
from speechsearch.library.media_files import media_files
from speechsearch.library.removal import recover
from speechsearch.models.adapter_cards import card_at
from speechsearch.models.base import LanguageModel, PassageGenerator, Reader, SpeechLanguageModel
from speechsearch.models.card import Task
from speechsearch.models.catalog import catalog
from speechsearch.models.chat_endpoint import ChatEndpoint
from speechsearch.models.device import on_gpu
from speechsearch.models.folders import FolderCatalog, with_folder
from speechsearch.models.generative_cards import with_generators
from speechsearch.models.load import ModelLoader, give_back_memory
from speechsearch.retrieval.calibration import read_calibrations
from speechsearch.retrieval.engine_cards import engine_cards
from speechsearch.retrieval.engines import build_engines
from speechsearch.retrieval.likeness_curves import read_curves
from speechsearch.service.ask import Ask
from speechsearch.service.browse import Browse
from speechsearch.service.chosen_makers import makers_of
from speechsearch.service.copies import Copies
from speechsearch.service.diarizer import ENCODER, Diarizer
from speechsearch.service.duplicates import Duplicates
from speechsearch.service.exports import Export
from speechsearch.service.feedback import Feedback
from speechsearch.service.found import FoundCounts
from speechsearch.service.manage import Manage
from speechsearch.service.model_files import ModelFiles
from speechsearch.service.my_names import MyNames
from speechsearch.service.names_heard import NamesHeard
from speechsearch.service.people import Speakers
from speechsearch.service.phrasing import Phraser
from speechsearch.service.search import BackgroundSample, Search
from speechsearch.service.settings import (
    ENDPOINT,
    Settings,
    default_recognizer,
    is_on_space,
    is_on_zero_gpu,
)
from speechsearch.service.similar import Similar
from speechsearch.service.sounds_alike import SoundsAlike
from speechsearch.service.tokens import Tokens
from speechsearch.service.transcription import Transcriber
from speechsearch.service.understanding import Understand
from speechsearch.store import Store

log = logging.getLogger(__name__)

Purpose = Literal["use", "share", "check", "rebuild"]
UNPACKED = "work"
"""The folder in the data folder for what is unpacked."""


class Service:
    """One open data folder. Use as a context manager.

    ``search`` finds passages, ``ask`` answers in sentences, ``understand`` does so about sound that is sent, ``browse``
    shows what there is, ``manage`` changes it, ``export`` takes it out, ``feedback`` keeps judgements, ``speakers``
    says who speaks, ``names`` keeps the list of names, ``names_heard`` says where they were heard, ``similar`` finds
    what is alike and ``duplicates`` what is there twice; ``transcriber`` writes down files that are not kept,
    ``diarizer`` says who speaks in them. ``counters`` count what happens.
    """

    def __init__(
        self, settings: Settings, lock: DataFolderLock, store: Store, library: Library, loader: ModelLoader
    ) -> None:
        self.settings, self.loader = settings, loader
        self.store, self.library = store, library
        self.counters = Counters()
        self._lock = lock
        engines = build_engines(
            engine_cards(),
            library.index,
            library.makers.speech_encoder,
            library.makers.baselines,
            read_calibrations(),
            BackgroundSample(library),
            store.passages.tracks,
            generators_of(loader),
        )
        self.transcriber = transcriber_of(settings, loader)
        hearing = settings.engines.speaker_encoder if settings.engines.hears_speakers else ENCODER
        self.diarizer = Diarizer(loader, settings.limits, hearing)
        self._found = FoundCounts(store)
        self.browse = Browse(settings, library, self._found)
        self.names = MyNames(library, self.browse)
        self.speakers = Speakers(library, self.browse)
        self.search = Search(library, engines, self.browse, self._found, self.names, self.speakers, self.counters)
        reader, phraser = reader_of(settings, loader), phraser_of(settings, loader)
        self.ask = Ask(library, self.search, self.browse, reader, self.counters, phraser)
        self.understand = understand_of(settings, loader, self.ask)
        self.names_heard = NamesHeard(library, self.names, engines, self.search.allowed)
        copies, sounds, curves = Copies(library), SoundsAlike(library), read_curves()
        self.similar = Similar(library, self.browse, self.search, copies, sounds, curves)
        self.duplicates = Duplicates(library, self.browse, copies, sounds, curves)
        self.export = Export(library, self.browse, self.speakers)
        self.manage = Manage(library, self.browse, kept_models(settings))
        self.feedback = Feedback(library, self.browse, engines.keys(), bool(settings.auth.users))

    @property
    def data_dir(self) -> Path:
        """The data folder."""
        return self.settings.data_dir.expanduser().resolve()

    def release_idle(self) -> None:
        """Let go of models that nobody has used for a while; used again, they load again."""
        self.loader.release_idle(self.settings.models.idle_minutes * 60)

    give_back_memory = staticmethod(give_back_memory)

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """Lend an empty folder for what is unpacked; what a killed process left in one goes at the next opening."""
        (self.data_dir / UNPACKED).mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.data_dir / UNPACKED) as folder:
            yield Path(folder)

    def failing(self) -> list[str]:
        """Return the parts that do not answer, of "database" and "index"; none when questions can be answered."""
        failed = []
        try:
            self.store.ping()
        except StoreError:
            failed.append("database")
        try:
            next(self.library.index.ids(), None)
        except IndexUnavailableError:
            failed.append("index")
        return failed

    @property
    def limits(self) -> Limits:
        """What a recording may be."""
        return self.settings.limits

    @classmethod
    def open(cls, settings: Settings, purpose: Purpose = "use", loader: ModelLoader | None = None) -> Service:
        """Open the data folder; to use it, finish also what a killed process left.

        To share database, index and sound files with other processes, what looks left is not finished: they may be at
        it. The data folder is then one of this process alone. To check it, nothing is changed; to rebuild it, the index
        is opened empty. ``loader``: one that has models already. What other models made is not searched until the
        second pass has made it anew.

        Raises:
            ConfigurationError: the settings name a model that there is not, or the folder cannot be used.
            DataFolderInUseError: another process works on it.
            FingerprintMismatchError: a server's index is for other channels, or an index is to be checked that is.
        """
        data_dir = settings.data_dir.expanduser().resolve()
        if settings.engines.threads:
            import torch

            torch.set_num_threads(settings.engines.threads)
        lock = DataFolderLock(data_dir)
        opened: list[Store | VectorIndex] = []
        try:
            store = Store(settings.store.url.get_secret_value() or f"sqlite:///{data_dir / 'speechsearch.db'}")
            opened.append(store)
            loader = loader or new_loader(settings)
            makers = makers_of(settings, loader)
            index = index_of(settings, data_dir, store, makers, purpose)
            opened.append(index)
            library = Library(
                data_dir,
                store,
                index,
                makers,
                settings.segmentation,
                settings.limits,
                heavy=lambda work: on_gpu(work, is_on_zero_gpu()),
                files=media_files(data_dir, settings.media.url, settings.media.kept_bytes),
            )
            if purpose in ("use", "share"):
                library.renew()
            if purpose == "use":
                recover(library)
                if (data_dir / UNPACKED).exists():
                    shutil.rmtree(data_dir / UNPACKED)
            return cls(settings, lock, store, library, loader)
        except BaseException as error:
            for resource in reversed(opened):
                resource.close()
            lock.release()
            if isinstance(error, OSError) and not isinstance(error, SpeechSearchError):
                hint = "Give the user that runs it all rights to what is in the folder, or set another data_dir."
                raise ConfigurationError(f"The data folder {data_dir} cannot be used: {error}", hint) from error
            raise

    def close(self) -> None:
        """Write everything and let go of the data folder, whatever of it fails."""
        with ExitStack() as last:
            last.callback(self._lock.release)
            last.callback(self.store.close)
            last.callback(self.library.index.close)
            self._found.write()

    def __enter__(self) -> Service:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def new_loader(settings: Settings) -> ModelLoader:
    """Return a loader of models as the settings want it."""
    chosen, folder = settings.models, models_folder(settings)
    known, kept = known_catalog(settings).catalog, kept_models(settings)
    return ModelLoader(
        known,
        folder,
        may_download(settings),
        chosen.device,
        chosen.dtype,
        kept,
        language_model_bits=settings.language_model.bits,
        text_encoder_bits=chosen.text_encoder_bits,
        threads=settings.engines.threads,
        trusted_code=chosen.trusted_code,
    )


def known_catalog(settings: Settings) -> FolderCatalog:
    """Return the built-in models, those of plug-ins, of the user's folder and trained here; folders that are none.

    A speech adapter that the settings name by its path is among them. Raises ModelUnavailableError: it is none.
    """
    folder = models_folder(settings)
    found = with_folder(catalog(), folder, kept_models(settings))
    whole, refused = with_generators(found.catalog, kept_models(settings))
    adapter = Path(settings.engines.encoder).expanduser().resolve()
    if settings.engines.is_encoder_path and (folder is None or adapter.parent != folder.resolve()):
        whole = whole.add(card_at(adapter))
    return FolderCatalog(whole, {**found.refused, **refused})


def generators_of(loader: ModelLoader) -> list[PassageGenerator]:
    """Return the models that were trained on collections; one that cannot be read is told in the log and left out."""
    found = []
    for card in loader.catalog.of("passage generator"):
        try:
            found.append(loader.passage_generator(card.name))
        except ModelUnavailableError as error:
            log.warning("%s is left out: %s", card.name, error)
    return found


def may_download(settings: Settings) -> bool:
    """Return whether files of models that are not on this machine are fetched when they are first needed."""
    return is_on_space() if settings.models.may_download is None else settings.models.may_download


def model_files(settings: Settings) -> ModelFiles:
    """Return what is known of the files of models on this machine."""
    known = known_catalog(settings)
    return ModelFiles(known.catalog, models_folder(settings), kept_models(settings), known.refused)


def models_folder(settings: Settings) -> Path | None:
    """Return the user's own folder of models."""
    return Path(settings.models.folder).expanduser() if settings.models.folder else None


def kept_models(settings: Settings) -> Path:
    """Return where files of models are kept that are fetched or put together."""
    return settings.data_dir.expanduser().resolve() / "models"


def transcriber_of(settings: Settings, loader: ModelLoader) -> Transcriber:
    """Return what writes down files, within the limits of the settings; it needs no open data folder."""
    return Transcriber(loader, settings.segmentation, settings.limits)


def tokens_of(settings: Settings, loader: ModelLoader) -> Tokens:
    """Return what turns files into codes and keeps these in the data folder, which need not be open."""
    return Tokens(loader, settings.limits, settings.data_dir.expanduser().resolve() / TOKENS)


def reader_of(settings: Settings, loader: ModelLoader) -> Reader:
    """Return the reader that the settings name. Raises ConfigurationError: there is none of such a name."""
    try:
        return loader.reader(settings.engines.reader)
    except NotFoundError as error:
        raise ConfigurationError(error.message, error.hint) from error


def understand_of(settings: Settings, loader: ModelLoader, ask: Ask) -> Understand:
    """Return what understands sound that is sent; by the first recogniser of the settings that hears.

    Raises:
        ConfigurationError: there is no speech language model of the settings' name.
    """
    engines = settings.engines
    models: list[tuple[Task, str]] = [
        ("recognizer", default_recognizer(engines)), ("speech encoder", engines.encoder_name),
        ("text encoder", engines.text_encoder), ("reader", engines.reader),
    ]  # fmt: skip
    speech_model = understanding_of(settings, loader)
    if speech_model is not None:
        models.append(("speech language model", speech_model.name))
    return Understand(loader, models, ask, settings.segmentation, settings.limits, speech_model)


def understanding_of(settings: Settings, loader: ModelLoader) -> SpeechLanguageModel | None:
    """Return what answers about speech that it hears; None for nothing. Raises ConfigurationError: there is no such."""
    name = settings.engines.understanding
    if name in ("", "none"):
        return None
    try:
        return loader.speech_language_model(name)
    except NotFoundError as error:
        raise ConfigurationError(error.message, error.hint) from error


def phraser_of(settings: Settings, loader: ModelLoader) -> Phraser | None:
    """Return what puts answers into words; None for nothing.

    Raises:
        ConfigurationError: there is no model of such a name, or an endpoint's address is missing.
    """
    model = language_model_of(settings, loader)
    return Phraser(model, settings.language_model.timeout_s) if model else None


def language_model_of(settings: Settings, loader: ModelLoader) -> LanguageModel | None:
    """Return the language model that the settings name; None for nothing. Raises ConfigurationError."""
    chosen, name = settings.language_model, settings.engines.own_language_model
    if name:
        try:
            return loader.language_model(name)
        except NotFoundError as error:
            raise ConfigurationError(error.message, f"{error.hint} Or none, or {ENDPOINT} for a server.") from error
    if settings.engines.language_model != ENDPOINT:
        return None
    if not chosen.url or not chosen.model:
        raise ConfigurationError(
            "The language model is an endpoint, but its address or its model's name is not set.",
            "Set SPEECHSEARCH_LANGUAGE_MODEL__URL and SPEECHSEARCH_LANGUAGE_MODEL__MODEL.",
        )
    return ChatEndpoint(chosen.url, chosen.api_key.get_secret_value(), chosen.model)


def index_of(settings: Settings, data_dir: Path, store: Store, makers: Makers, purpose: Purpose) -> VectorIndex:
    """Return the index for the makers' channels.

    The embedded one is made anew from the database where it was made for other channels; a server's may be somebody
    else's, so only a rebuild replaces it.
    """
    chosen = settings.index

    def opened(is_new: bool) -> VectorIndex:
        if is_new:
            store.journal.mark_done_as_stored()  # first: a process killed right after it loses nothing
        return open_index(
            makers.channels,
            path=data_dir / "index",
            url=chosen.url,
            api_key=chosen.api_key.get_secret_value(),
            name=chosen.name,
            is_new=is_new,
            layout=Layout(chosen.on_disk, chosen.shards, chosen.replicas, chosen.hnsw_m),
        )

    try:
        return opened(is_new=purpose == "rebuild")
    except FingerprintMismatchError:
        if chosen.url or purpose != "use":
            raise
        return opened(is_new=True)
