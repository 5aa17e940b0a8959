"""The same of faiss (package ``faiss-cpu``), the field's yardstick: used for measuring, nothing else needs it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from speechsearch.domain.errors import MissingDependencyError
from speechsearch.domain.values import FloatMatrix
from speechsearch.evaluation.index_edge import CANDIDATES_WHILE_BUILT, LINKS
from speechsearch.evaluation.index_tradeoff import NEIGHBOURS, PARTS, Built, Method, Parts

ENGINE = "faiss"
INDEX_FILE, PARTS_FILE = "index.faiss", "parts.npy"
VECTORS_A_CELL, MOST_A_CELL_TRAINED = 39, 64
"""k-means of faiss warns below the first, and sees no more than the second."""
CODE_BITS = 8
LEAST_TRAINED = VECTORS_A_CELL * 2**CODE_BITS
"""With fewer vectors there is no product quantisation."""
AGAIN = 8
"""So many times NEIGHBOURS are compared again with whole vectors."""


def _faiss() -> Any:
    """Return the package, untyped: what it says of its types lacks the half of it. Raises ImportError."""
    return import_module("faiss")


def cells_of(points: int) -> int:
    """Return into how many cells vectors are sorted: four times the root, and enough vectors in each.

    >>> cells_of(10_000), cells_of(1_000_000), cells_of(20)
    (256, 4000, 1)
    """
    return max(1, min(4 * math.isqrt(points), points // VECTORS_A_CELL))


def code_bytes(dim: int) -> int:
    """Return how many bytes a vector becomes by product quantisation: one for about eight numbers.

    >>> code_bytes(384), code_bytes(256), code_bytes(10)
    (48, 32, 1)
    """
    return max(count for count in range(1, max(1, dim // 8) + 1) if dim % count == 0)


def faiss_methods(points: int) -> dict[str, Method]:
    """Return short name -> method for so many vectors.

    Raises:
        MissingDependencyError: faiss is not installed.
    """
    try:
        _faiss()
    except ImportError as error:
        hint = "python -m pip install -r requirements-faiss.txt"
        raise MissingDependencyError("faiss is not installed.", hint) from error
    cells = cells_of(points)
    probed = {f"{cells} cells, {count} looked into": {"probes": count} for count in (1, 4, 16, 64) if count <= cells}
    again = {f"{name}, {AGAIN}x compared again": {**one, "again": AGAIN} for name, one in probed.items()}
    candidates = {f"ef {ef}": {"ef": ef} for ef in (32, 64, 128, 256)}
    found = {
        "faiss-flat": Method(ENGINE, "flat", {"all compared": {}}, _builder("flat"), BuiltFaiss),
        "faiss-ivf": Method(ENGINE, "IVF", probed, _builder("ivf"), BuiltFaiss),
        "faiss-hnsw": Method(ENGINE, f"HNSW, m {LINKS}", candidates, _builder("hnsw"), BuiltFaiss),
    }
    if points >= LEAST_TRAINED:
        found["faiss-ivf-pq"] = Method(ENGINE, "IVF-PQ", {**probed, **again}, _builder("ivf-pq"), BuiltFaiss)
    return found


def _builder(kind: str) -> Callable[[FloatMatrix, Parts, Path], Built]:
    def build(vectors: FloatMatrix, parts: Parts, folder: Path) -> Built:
        faiss, index = _faiss(), trained(kind, vectors)
        index.add(vectors)
        faiss.write_index(index, str(folder / INDEX_FILE))
        np.save(folder / PARTS_FILE, parts, allow_pickle=False)
        return BuiltFaiss(folder)

    return build


def trained(kind: str, vectors: FloatMatrix) -> Any:
    """Return an empty index of faiss that has learnt from vectors (n, dim) what it needs."""
    faiss = _faiss()
    points, dim = vectors.shape
    if kind == "flat":
        return faiss.IndexFlatIP(dim)
    if kind == "hnsw":
        index = faiss.IndexHNSWFlat(dim, LINKS, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = CANDIDATES_WHILE_BUILT
        return index
    nearest, cells = faiss.IndexFlatIP(dim), cells_of(points)
    if kind == "ivf":
        inner = faiss.IndexIVFFlat(nearest, dim, cells, faiss.METRIC_INNER_PRODUCT)
    else:
        inner = faiss.IndexIVFPQ(nearest, dim, cells, code_bytes(dim), CODE_BITS, faiss.METRIC_INNER_PRODUCT)
    inner.cp.max_points_per_centroid = MOST_A_CELL_TRAINED
    index = inner if kind == "ivf" else faiss.IndexRefineFlat(inner)
    index.train(vectors)
    return index


class BuiltFaiss:
    """An index of faiss in memory, read from its file; each search computes in the thread that asks."""

    def __init__(self, folder: Path) -> None:
        faiss = _faiss()
        faiss.omp_set_num_threads(1)
        self._index = faiss.read_index(str(folder / INDEX_FILE))
        self._is_refined = isinstance(self._index, faiss.IndexRefineFlat)
        self._inner = faiss.downcast_index(self._index.base_index) if self._is_refined else self._index
        self.kept_bytes = (folder / INDEX_FILE).stat().st_size
        whole_bytes = self._index.ntotal * self._index.d * 4
        self.compared_bytes = self.kept_bytes - whole_bytes if self._is_refined else self.kept_bytes
        parts = np.load(folder / PARTS_FILE, allow_pickle=False)
        maps = [np.packbits(parts == part, bitorder="little") for part in range(PARTS)]
        self._allowed = [faiss.IDSelectorBitmap(one) for one in maps]
        self._maps = maps  # the selectors point into them

    def search(self, query: FloatMatrix, setting: Mapping[str, int], part: int | None) -> Sequence[int]:
        """Return the rows of the best vectors; ``ef``, ``probes`` and ``again`` of the setting say how."""
        params = self._params(setting, part)
        if self._is_refined and "again" not in setting:
            found = self._inner.search(query[None], NEIGHBOURS, params=params)[1]
        else:
            found = self._index.search(query[None], NEIGHBOURS, params=params)[1]
        return [int(row) for row in found[0] if row >= 0]

    def _params(self, setting: Mapping[str, int], part: int | None) -> Any:
        faiss = _faiss()
        allowed: dict[str, Any] = {} if part is None else {"sel": self._allowed[part]}
        if "ef" in setting:
            return faiss.SearchParametersHNSW(efSearch=setting["ef"], **allowed)
        if "probes" not in setting:
            return faiss.SearchParameters(**allowed)
        kind = faiss.IVFPQSearchParameters if self._is_refined else faiss.SearchParametersIVF
        params = kind(nprobe=setting["probes"], **allowed)
        if "again" not in setting:
            return params
        return faiss.IndexRefineSearchParameters(k_factor=float(setting["again"]), base_index_params=params)

    def close(self) -> None:
        """Do nothing: it is memory only."""
