"""One thread at a time imports the large packages."""

from __future__ import annotations

import threading

IMPORTING = threading.RLock()
"""Held while a module that imports PyTorch or transformers is imported.

Their modules import each other in circles: Python lets two threads that begin at different ends see modules that are
half there, and one of them fails ("cannot import name").
"""
