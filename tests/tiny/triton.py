"""Triton's own message definition of a model's configuration, out of the package ``tritonclient``, without gRPC."""

from __future__ import annotations

import warnings
from importlib.metadata import distribution
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any


def parsed(text: str) -> Any:
    """Return a ``config.pbtxt`` as a message; raises ParseError for an unknown field or a wrong value."""
    from google.protobuf import text_format

    return text_format.Parse(text, _definitions().ModelConfig())


def _definitions() -> Any:
    path = distribution("tritonclient").locate_file("tritonclient/grpc/model_config_pb2.py")
    spec = spec_from_file_location("model_config_pb2", str(path))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it was made by an earlier version of Protocol Buffers
        spec.loader.exec_module(module)
    return module
