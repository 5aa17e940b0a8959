"""Which index is used: a folder, or a server when a URL is set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from speechsearch.domain.errors import ConfigurationError
from speechsearch.domain.values import Channel
from speechsearch.index.edge import EdgeIndex
from speechsearch.index.server import Layout, ServerIndex, connect
from speechsearch.index.vector_index import VectorIndex


def open_index(
    specs: Sequence[Channel],
    *,
    path: Path | None,
    url: str = "",
    api_key: str = "",
    name: str = "speechsearch",
    is_new: bool = False,
    layout: Layout = Layout(),
) -> VectorIndex:
    """Open the index in the folder ``path``, or the collection ``name`` on a Qdrant server when ``url`` is set.

    ``is_new`` drops what is there and starts with an empty one, whatever vectors it was made for. ``layout``: of a
    collection that is made on a server.

    Raises:
        FingerprintMismatchError: the index was made for other named vectors.
        DataFolderInUseError: another process uses the folder.
        IndexUnavailableError: folder or server cannot be used.
        ConfigurationError: neither a folder nor a URL.
    """
    if url:
        return ServerIndex(specs, connect(url, api_key), name, is_new=is_new, layout=layout)
    if path is None:
        raise ConfigurationError("The index has neither a folder nor a server.", "Set data_dir or index.url.")
    return EdgeIndex(specs, path, is_new=is_new)
