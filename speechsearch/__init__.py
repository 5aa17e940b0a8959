"""Find the moment in spoken recordings by meaning, without speech recognition."""

import os

__version__ = "0.1.0"

# ONNX Runtime would tell its makers what it is used for, and keep an id of the machine: nothing goes out unasked.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# For every length of sound PyTorch (ideep) and oneDNN below it keep what they made for it in bfloat16, two megabytes a
# passage, up to a thousand lengths each. Nothing was seen to become slower without that.
os.environ.setdefault("LRU_CACHE_CAPACITY", "16")
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")
