"""Find the moment in spoken recordings by meaning, without speech recognition."""

import os

__version__ = "0.1.0"

# ONNX Runtime would tell its makers what it is used for, and keep an id of the machine: nothing goes out unasked.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# oneDNN keeps what it has compiled for a length of sound, half a megabyte a time: a thousand of them without this.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")
