"""Files that lie in installed packages, found by the packages' metadata: their code is never imported."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from speechsearch.domain.errors import MissingDependencyError


def packaged_file(package: str, path: str, pip_line: str) -> Path:
    """Return where a file of an installed package lies; ``path`` is as the package's list of files writes it.

    Raises:
        MissingDependencyError: the package is not installed, or lacks the file; the hint is ``pip_line``.
    """
    try:
        found = Path(str(metadata.distribution(package).locate_file(path)))
    except metadata.PackageNotFoundError as error:
        raise MissingDependencyError(f"The package {package} is not installed.", f"Run: {pip_line}") from error
    if not found.is_file():
        raise MissingDependencyError(f"The package {package} has no file {path}.", f"Run: {pip_line}")
    return found


def package_version(package: str, pip_line: str) -> str:
    """Return the version of an installed package.

    Raises:
        MissingDependencyError: it is not installed; the hint is ``pip_line``.
    """
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError as error:
        raise MissingDependencyError(f"The package {package} is not installed.", f"Run: {pip_line}") from error
