"""Speech adapters as the command line names them, and the loader that they are trained with."""

from __future__ import annotations

from speechsearch.models.adapter_folder import from_pretrained
from speechsearch.models.load import ModelLoader
from speechsearch.service.open import kept_models, known_catalog, may_download, models_folder
from speechsearch.service.settings import Settings


def with_adapter(settings: Settings, adapter: str) -> Settings:
    """Return the settings with a speech adapter as what hears: of a folder, or of the hub ("owner/name@revision").

    Raises:
        ModelUnavailableError: there is none, or it is no adapter.
    """
    name, _, revision = adapter.partition("@")
    folder = from_pretrained(name, revision or None, kept_models(settings) / "adapters").resolve()
    engines = settings.engines.model_copy(update={"encoder": str(folder)})
    return settings.model_copy(update={"engines": engines})


def training_loader(settings: Settings, text_encoder_bits: int = 16) -> ModelLoader:
    """Return a loader whose networks have weights in single precision, as they are trained."""
    return ModelLoader(
        known_catalog(settings).catalog,
        models_folder(settings),
        may_download(settings),
        settings.models.device,
        "float32",
        kept_models(settings),
        text_encoder_bits=text_encoder_bits,
    )
