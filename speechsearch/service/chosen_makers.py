"""The models that make a library searchable, as the settings name them."""

from __future__ import annotations

from speechsearch.domain.errors import ConfigurationError, NotFoundError
from speechsearch.library.makers import Makers
from speechsearch.models.base import SoundEmbedder, SpeakerEncoder
from speechsearch.models.baseline import Baseline
from speechsearch.models.load import ModelLoader
from speechsearch.models.transcripts import TranscriptEncoder
from speechsearch.service.settings import Settings


def makers_of(settings: Settings, loader: ModelLoader) -> Makers:
    """Return the models that the settings name.

    Raises:
        ConfigurationError: there is no model of such a name.
    """
    engines = settings.engines
    try:
        baselines: list[Baseline] = []
        if engines.recognizers:
            text_encoder = loader.text_encoder(engines.text_encoder)
            for name in engines.recognizers:
                baselines.append(Baseline(loader.recognizer(name), TranscriptEncoder(text_encoder, name)))
        return Makers(
            loader.speech_encoder(engines.encoder_name),
            tuple(baselines),
            speaker_encoder_of(settings, loader),
            sound_embedder_of(settings, loader),
            engines.finds_copies,
        )
    except NotFoundError as error:
        raise ConfigurationError(error.message, error.hint) from error


def speaker_encoder_of(settings: Settings, loader: ModelLoader) -> SpeakerEncoder | None:
    """Return what hears who speaks in the library; None where that is switched off.

    None, too, where its files are neither here nor to be had (on a Space, those of packages are not): a pass that
    cannot succeed would fail after every task. Raises NotFoundError.
    """
    name = settings.engines.speaker_encoder
    if not settings.engines.hears_speakers or not loader.is_within_reach("speaker encoder", name):
        return None
    return loader.speaker_encoder(name)


def sound_embedder_of(settings: Settings, loader: ModelLoader) -> SoundEmbedder | None:
    """Return what hears which sounds are alike; None where that is switched off, or its files are not to be had.

    Raises NotFoundError: the settings name one that there is not.
    """
    name = settings.engines.sound_embedder
    if not settings.engines.hears_likeness or not loader.is_within_reach("sound embedder", name):
        return None
    return loader.sound_embedder(name)
