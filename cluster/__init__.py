"""Ingest of whole archives on Ray: a thin layer over ``ingest`` and ``speechsearch``.

The driver lists what is to be taken in and hands it out; each actor has the whole service and does with one recording
at a time what the single process does. They share the database, a Qdrant server and the place of the sound files.
"""

from cluster.run import ingest_on_ray
from cluster.tasks import How

__all__ = ["How", "ingest_on_ray"]
