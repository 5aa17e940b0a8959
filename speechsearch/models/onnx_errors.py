"""What onnxruntime says of a graph that it cannot open or run; its errors have no kind in common."""

from __future__ import annotations

from onnxruntime.capi import onnxruntime_pybind11_state as runtime

ONNX_ERRORS = (runtime.Fail, runtime.InvalidArgument, runtime.InvalidGraph, runtime.InvalidProtobuf,
               runtime.NoSuchFile, runtime.NotImplemented, runtime.RuntimeException)  # fmt: skip
