"""Vector indexes: an embedded one in a folder, one on a server, and the reference that both are tested against."""

from speechsearch.index.edge import EdgeIndex
from speechsearch.index.exact import ExactIndex
from speechsearch.index.opening import open_index
from speechsearch.index.server import Layout, ServerIndex
from speechsearch.index.vector_index import Point, VectorIndex

__all__ = ["EdgeIndex", "ExactIndex", "Layout", "Point", "ServerIndex", "VectorIndex", "open_index"]
