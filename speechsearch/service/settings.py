"""The only reader of the environment and of ``.env``: nested, frozen, unknown keys refused.

Variables are named ``SPEECHSEARCH_<GROUP>__<NAME>``, for example ``SPEECHSEARCH_SERVER__PORT=8000``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from speechsearch.domain.captions import GIVEN
from speechsearch.domain.errors import ConfigurationError
from speechsearch.domain.limits import Group, Limits, Segmentation
from speechsearch.library.backup import checked_folder

PREFIX = "SPEECHSEARCH_"
ENDPOINT = "endpoint"
"""Stands for a language model's server where else a model of the catalog is named."""
TEST_VARIABLES = frozenset({"SPEECHSEARCH_TEST_QDRANT_URL", "SPEECHSEARCH_TEST_DATABASE_URL"})


class ServerSettings(Group):
    """Where the page is served, and what becomes of what visitors add.

    ``uploads``: "shared" (everybody finds it), "private" (only who added it, for a day) or "off"; "auto" is private on
    a Hugging Face Space and shared elsewhere. ``hosts``: the names under which a reverse proxy on this machine makes
    the page known. ``frames``: the sites, such as https://intranet.example.org, that may show
    the page in a frame. ``root_path``: the path below which it does, for example /speech.
    """

    host: str = "127.0.0.1"
    port: int = Field(7860, ge=0, le=65535)
    hosts: tuple[str, ...] = ()
    frames: tuple[Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.*-]+(:\d{1,5})?$")], ...] = ()
    root_path: str = Field("", pattern=r"^(/[A-Za-z0-9_.~/-]+)?$")
    uploads: Literal["auto", "shared", "private", "off"] = "auto"


class AuthSettings(Group):
    """Who may log in: name -> password hash, as ``python -m speechsearch password`` prints it; if empty, nobody has to.

    ``visitors``: what those may do who have not logged in: nothing ("none"), or search ("read").
    """

    users: dict[str, SecretStr] = Field(default_factory=dict)
    visitors: Literal["none", "read"] = "none"
    session_hours: float = Field(24 * 14, gt=0)


class LogSettings(Group):
    """What is written to the terminal: lines of text, or of JSON.

    ``requests``: a line for every request, too. ``texts``: also what was asked and what errors quote, such as
    questions, names and addresses; without it there is none of that in any line.
    """

    format: Literal["text", "json"] = "text"
    requests: bool = False
    texts: bool = False


class BackupSettings(Group):
    """A folder (a mounted bucket) that the data folder is saved to after every job and restored from; none if empty."""

    folder: str = ""


class WatchSettings(Group):
    """A folder that the page watches: what is put into it goes to a collection; none if empty.

    ``settle_s``: for so long a file must have stayed as it is.
    """

    folder: str = ""
    collection: str = "recordings"
    every_s: float = Field(10.0, gt=0)
    settle_s: float = Field(20.0, ge=0)


class NetworkSettings(Group):
    """Which other servers may be asked, for podcast feeds and by webhooks.

    ``hosts``: if there are some, feeds and their sound come from these only; ``*.example.org`` for all below a name.
    ``private_hosts``: may also have addresses of a private network.
    """

    hosts: tuple[str, ...] = ()
    private_hosts: tuple[str, ...] = ()


class WebhookSettings(Group):
    """Where it is told that a task has ended, and the secret by which such a message is signed; nowhere if empty."""

    url: str = ""
    secret: SecretStr = SecretStr("")


class IndexSettings(Group):
    """Where the vectors live: a folder (Qdrant Edge) unless a Qdrant server's URL is set.

    The others count when a collection is made there: ``on_disk`` leaves only int8 copies of the vectors in memory,
    ``shards`` and ``replicas`` spread it over a cluster, ``hnsw_m`` (16, say) makes a graph to search in place of all.
    """

    url: str = ""
    api_key: SecretStr = SecretStr("")
    name: str = "speechsearch"
    on_disk: bool = False
    shards: int = Field(1, ge=1)
    replicas: int = Field(1, ge=1)
    hnsw_m: int = Field(0, ge=0)


class StoreSettings(Group):
    """Where recordings and passages are kept: SQLite in the data folder unless a database URL is set."""

    url: SecretStr = SecretStr("")


class MediaSettings(Group):
    """Where sound files are kept: in the data folder unless another folder, or a bucket (s3://...), is named.

    ``kept_bytes``: how much of a bucket may lie in the data folder, so that what is listened to is fetched once.
    """

    url: str = ""
    kept_bytes: int = Field(10_000_000_000, gt=0)


class ClusterSettings(Group):
    """How ``ingest --on ray`` works.

    ``actors``: how many take in recordings at once, 0 for as many as the cluster has room for; ``cpus`` and ``gpus``
    that each has. ``lease_s``: for so long a recording is one actor's; another takes it when it is not renewed.
    """

    actors: int = Field(0, ge=0)
    cpus: int = Field(1, ge=1)
    gpus: float = Field(0.0, ge=0)
    lease_s: float = Field(60.0, gt=0)


class EngineSettings(Group):
    """Which models make the library searchable, by their names in the catalog (``speechsearch models``).

    ``encoder``: what hears; also the path of a speech adapter's folder that ``speechsearch train adapter`` made.
    ``recognizer``: the baseline's; several with commas between are kept side by side and compared, the first is the
    baseline; "none" for no transcripts at all. ``text_encoder``: the baseline's, for transcripts and questions to them;
    the adapter's own comes with the speech encoder. ``speaker_encoder``: hears who speaks; "none" keeps no voices.
    ``reader``: finds the words that answer a question. ``language_model``: joins quotes to sentences: "none", a model
    of the catalog, or a server ("endpoint"). ``understanding``: answers about speech that it hears, without a
    transcript; the name of a folder that ``training/train_understand.py`` made, experimental; "none" for nothing.
    ``sound_embedder``: finds what sounds alike, from the codes of the tokenizer that it needs. ``audio_tokenizer``: the
    one that ``tokenize`` takes unless another is named. ``finds_copies``: whether of recordings is kept by what their
    copies are found.
    """

    encoder: str = "mini"
    recognizer: str = "whisper-base"
    text_encoder: str = "all-MiniLM-L6-v2"
    speaker_encoder: str = "ge2e"
    reader: str = "mini-reader"
    language_model: str = "none"
    understanding: str = "none"
    sound_embedder: str = "similar-mini"
    audio_tokenizer: str = "rvq-mini"
    finds_copies: bool = True
    threads: int = Field(0, ge=0, description="CPU threads; 0 takes all")

    @property
    def encoder_name(self) -> str:
        """The name of what hears; a folder's where it is a path.

        >>> EngineSettings(encoder="runs/mine/adapter").encoder_name, EngineSettings().encoder_name
        ('adapter', 'mini')
        """
        return Path(self.encoder).expanduser().resolve().name if self.is_encoder_path else self.encoder

    @property
    def is_encoder_path(self) -> bool:
        """Whether what hears is named by the path of its folder."""
        return "/" in self.encoder or os.sep in self.encoder

    @property
    def own_language_model(self) -> str:
        """The language model of the catalog; "" where there is none, or it is a server's."""
        return "" if self.language_model in ("", "none", ENDPOINT) else self.language_model

    @property
    def hears_speakers(self) -> bool:
        """Whether it is heard who speaks."""
        return self.speaker_encoder not in ("", "none")

    @property
    def hears_likeness(self) -> bool:
        """Whether it is heard what sounds alike."""
        return self.sound_embedder not in ("", "none")

    @property
    def recognizers(self) -> tuple[str, ...]:
        """The names of the recognisers, the baseline first.

        >>> EngineSettings(recognizer="mini, pocketsphinx").recognizers, EngineSettings(recognizer="none").recognizers
        (('mini', 'pocketsphinx'), ())
        """
        names = (name.strip() for name in self.recognizer.split(","))
        return tuple(dict.fromkeys(name for name in names if name not in ("", "none")))


class LanguageModelSettings(Group):
    """What joins the quotes of an answer: a server with OpenAI's chat completions, if the engines name "endpoint".

    ``url``: up to and with its version, for example http://127.0.0.1:8080/v1. What is quoted is sent there.
    ``bits``: of a model of this machine on CUDA: 4 keeps its weights in so many (bitsandbytes). ``timeout_s``: after so
    long the quotes are the answer.
    """

    url: str = Field("", pattern=r"^(https?://\S+)?$")
    api_key: SecretStr = SecretStr("")
    model: str = ""
    bits: Literal[4, 16] = 16
    timeout_s: float = Field(10.0, gt=0)


class ModelSettings(Group):
    """Where the files of models are looked for, and where models compute.

    ``folder``: looked through first, as folder/<model>/<file>. ``may_download``: whether files that are neither
    installed nor in the hub's cache may be downloaded; not set, only on a Space. ``trusted_code``: the names of models
    in the folder that may run the code that lies beside their weights. ``text_encoder_bits``: 4 keeps the weights of a
    large text encoder on CUDA in so many (bitsandbytes).
    """

    folder: str = ""
    may_download: bool | None = None
    trusted_code: tuple[str, ...] = ()
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    text_encoder_bits: Literal[4, 16] = 16
    idle_minutes: float = Field(30.0, gt=0, description="models that nobody used for so long leave the memory")


class Settings(BaseSettings):
    """All settings."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_file=".env",
        extra="forbid",
        frozen=True,
    )

    data_dir: Path = Path("data")
    server: ServerSettings = ServerSettings()
    auth: AuthSettings = AuthSettings()
    log: LogSettings = LogSettings()
    backup: BackupSettings = BackupSettings()
    watch: WatchSettings = WatchSettings()
    network: NetworkSettings = NetworkSettings()
    webhooks: WebhookSettings = WebhookSettings()
    index: IndexSettings = IndexSettings()
    store: StoreSettings = StoreSettings()
    media: MediaSettings = MediaSettings()
    cluster: ClusterSettings = ClusterSettings()
    segmentation: Segmentation = Segmentation()
    limits: Limits = Limits()
    engines: EngineSettings = EngineSettings()
    models: ModelSettings = ModelSettings()
    language_model: LanguageModelSettings = LanguageModelSettings()


def is_on_space() -> bool:
    """Return whether this runs on a Hugging Face Space, where the page must be reachable from outside."""
    return "SPACE_ID" in os.environ


def is_on_zero_gpu() -> bool:
    """Return whether this runs on a Space whose hardware is ZeroGPU."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "true")


def known_variables() -> frozenset[str]:
    """Return the names of all variables, in capitals.

    >>> "SPEECHSEARCH_SERVER__PORT" in known_variables()
    True
    """
    names = set()
    for name, field in Settings.model_fields.items():
        names.add(PREFIX + name.upper())
        if isinstance(field.annotation, type) and issubclass(field.annotation, Group):
            names |= {f"{PREFIX}{name}__{inner}".upper() for inner in field.annotation.model_fields}
    return frozenset(names)


def read_settings() -> Settings:
    """Return the settings of the environment and of ``.env``.

    Raises:
        ConfigurationError: a variable is unknown or has a value that does not fit.
    """
    hint = "Correct it in the environment or in .env; README.md lists the settings."
    known = known_variables() | TEST_VARIABLES
    for name in os.environ:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            raise ConfigurationError(f"{name} is not a setting.", hint)
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = PREFIX + "__".join(str(part).upper() for part in first["loc"])
        raise ConfigurationError(f"{name}: {first['msg']}.", hint) from error
    except SettingsError as error:
        raise ConfigurationError(f"{error}.", hint) from error


def default_recognizer(chosen: EngineSettings) -> str:
    """Return the recogniser that writes files down where none is named: the first of the settings that is a model.

    >>> [default_recognizer(EngineSettings(recognizer=named)) for named in ("given,mini", "none")]
    ['mini', 'whisper-base']
    """
    named = [name for name in chosen.recognizers if name != GIVEN]
    return named[0] if named else str(EngineSettings.model_fields["recognizer"].default)


def backup_folder(settings: Settings) -> Path | None:
    """Return where the settings want the backup; None for nowhere. Raises ConfigurationError."""
    is_database_here = not settings.store.url.get_secret_value()
    return checked_folder(settings.backup.folder, settings.data_dir.expanduser().resolve(), is_database_here)
