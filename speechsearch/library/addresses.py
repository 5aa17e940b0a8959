"""Files at addresses that fsspec knows: buckets such as ``s3://...``, and what else it has backends for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from speechsearch.domain.errors import ConfigurationError, MissingDependencyError, SpeechSearchError, StoreError


def is_address(text: str) -> bool:
    r"""Say whether a text is an address, not a path.

    >>> [is_address(one) for one in ("s3://talks/2019", "talks/2019", "C:\\talks", "/srv/a://b")]
    [True, False, False, False]
    """
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def files_at(url: str) -> tuple[Any, str]:
    """Return the file system of an address, and its path there. It remembers no lists of files: others change them.

    Raises:
        MissingDependencyError: what reaches such an address is not installed.
        ConfigurationError: there are no such addresses.
    """
    try:
        import fsspec
    except ImportError as error:
        raise MissingDependencyError("Addresses of files need fsspec.", "pip install fsspec") from error
    try:
        files, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        hint = "pip install -r requirements-server.txt has what s3:// needs."
        raise MissingDependencyError(f"{url!r:.200} cannot be reached: {error}", hint) from error
    except ValueError as error:
        hint = "Addresses are like s3://bucket/folder."
        raise ConfigurationError(f"{url!r:.200} is no address of files: {error}", hint) from error
    return files, path


@contextmanager
def address_errors(where: str) -> Iterator[None]:
    """Turn the errors of what reaches an address into StoreError; a file that is gone stays FileNotFoundError."""
    try:
        yield
    except (SpeechSearchError, FileNotFoundError):
        raise
    except _errors() as error:
        hint = "Is it there, and may this machine reach it?"
        raise StoreError(f"The files at {where!r:.200} cannot be reached: {error!s:.300}", hint) from error


def _errors() -> tuple[type[Exception], ...]:
    """Return what backends raise; that of S3 has errors of its own."""
    try:
        from botocore.exceptions import BotoCoreError
    except ImportError:
        return (OSError,)
    return OSError, BotoCoreError
