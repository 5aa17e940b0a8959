"""The whole error tree.

SpeechSearchError
├── ConfigurationError (ValueError)      settings that contradict each other or cannot be used
├── MissingDependencyError (ImportError) an optional package is absent; the hint names the pip command
├── InputError (ValueError)              what the user gave cannot be used
│   ├── DecodeError                      a file is not readable sound
│   ├── TooLongError                     a recording or passage is too long
│   ├── TooLargeError                    too many bytes, channels or samples a second
│   ├── SilentError                      no speech in it
│   ├── EmptyQueryError                  nothing to search for
│   └── ArchiveError                     an archive is damaged, hostile or too large
├── NotFoundError (LookupError)          no such recording, passage, collection or engine
├── DuplicateError (ValueError)          the thing exists already
├── NotAllowedError (PermissionError)    this visitor may not do that
├── TooManyError (RuntimeError)          too many requests or too much at once; later it goes
├── ModelUnavailableError (RuntimeError) weights are absent or do not fit the code
├── IndexUnavailableError (RuntimeError) the vector index cannot be opened or reached
│   └── FingerprintMismatchError         it was made with another model
├── DataFolderInUseError (RuntimeError)  another process works on the data folder
├── StoreError (RuntimeError)            the database, or where sound files lie, cannot be used
└── CapabilityError (NotImplementedError) this backend cannot do that
"""

from __future__ import annotations


class SpeechSearchError(Exception):
    """Every error that a user can cause or cure; ``code`` is stable, ``hint`` says what to do."""

    code = "error"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class ConfigurationError(SpeechSearchError, ValueError):
    """Settings that contradict each other or cannot be used."""

    code = "configuration"


class MissingDependencyError(SpeechSearchError, ImportError):
    """An optional package is absent; the hint names the pip command."""

    code = "missing_dependency"


class InputError(SpeechSearchError, ValueError):
    """What the user gave cannot be used."""

    code = "input"


class DecodeError(InputError):
    """A file is not readable sound."""

    code = "decode"


class TooLongError(InputError):
    """A recording or passage is longer than the settings allow."""

    code = "too_long"


class TooLargeError(InputError):
    """A file has more bytes, channels or samples a second than the settings allow."""

    code = "too_large"


class SilentError(InputError):
    """A recording holds no speech."""

    code = "silent"


class EmptyQueryError(InputError):
    """There is nothing to search for."""

    code = "empty_query"


class ArchiveError(InputError):
    """An archive is damaged, hostile or too large."""

    code = "archive"


class NotFoundError(SpeechSearchError, LookupError):
    """No such recording, passage, collection or engine."""

    code = "not_found"


class DuplicateError(SpeechSearchError, ValueError):
    """The thing exists already."""

    code = "duplicate"


class NotAllowedError(SpeechSearchError, PermissionError):
    """This visitor may not do that."""

    code = "not_allowed"


class TooManyError(SpeechSearchError, RuntimeError):
    """Too many requests, or too much at once; later it goes."""

    code = "too_many"


class ModelUnavailableError(SpeechSearchError, RuntimeError):
    """Weights are absent or do not fit the code."""

    code = "model_unavailable"


class IndexUnavailableError(SpeechSearchError, RuntimeError):
    """The vector index cannot be opened or reached."""

    code = "index_unavailable"


class FingerprintMismatchError(IndexUnavailableError):
    """The index was made with another model; the hint names the command that makes it anew."""

    code = "fingerprint_mismatch"


class DataFolderInUseError(SpeechSearchError, RuntimeError):
    """Another process works on the data folder; the message names it."""

    code = "in_use"


class StoreError(SpeechSearchError, RuntimeError):
    """The database, or where sound files lie, cannot be used."""

    code = "store"


class CapabilityError(SpeechSearchError, NotImplementedError):
    """This backend cannot do that."""

    code = "capability"
