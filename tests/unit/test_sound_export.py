"""A sound embedder's network for other programs: it gives what PyTorch gives, and Triton can read how to run it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.text_format import ParseError
from typer.testing import CliRunner

from speechsearch.cli import app
from speechsearch.domain.errors import (
    CapabilityError,
    DuplicateError,
    InputError,
    MissingDependencyError,
    ModelUnavailableError,
    NotFoundError,
)
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from speechsearch.models import sound_export
from speechsearch.models.sound_export import FORMS, RUNNERS, TOLERANCE, Form, export
from speechsearch.models.triton import Port, Serving, config
from tests.tiny import rvq, similar
from tests.tiny.cards import tiny_loader
from tests.tiny.triton import parsed

pytestmark = pytest.mark.usefixtures("one_thread")
FILES = {"onnx": "model.onnx", "torchscript": "model.pt"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory):
    """The tiny embedder's card and its files."""
    folder = tmp_path_factory.mktemp("models") / similar.CARD.name
    card = similar.save(folder)
    return card, {file.name: folder / file.name for file in card.files}


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory):
    """The same, loaded with its tokenizer."""
    return tiny_loader(tmp_path_factory.mktemp("loaded")).model("sound embedder", similar.CARD.name)


@pytest.fixture(scope="module", params=FORMS)
def written(request: pytest.FixtureRequest, made, tmp_path_factory: pytest.TempPathFactory):
    """A form, its file, and what was said of it."""
    target = tmp_path_factory.mktemp("exported") / request.param
    found = export(*made, request.param, target)
    return request.param, target, found


def test_it_gives_the_vectors_of_sounds(written, embedder) -> None:
    form, target, found = written
    assert found.largest_difference <= TOLERANCE and found.compared == 23
    assert found.file == str(target / FILES[form]) and found.size_bytes == (target / FILES[form]).stat().st_size
    assert [one.batch for one in found.timings] == [1, 16] and all(one.exported_ms > 0 for one in found.timings)
    draw = np.random.default_rng(4)
    sound = Audio(draw.standard_normal(2 * SAMPLE_RATE_HZ).astype(np.float32) / 9)
    (tokens,) = embedder.tokenizer.tokenize([sound])
    codes = tokens.codes[None].astype(np.int64)
    missing = -codes.shape[2] % 4
    codes = np.pad(codes, ((0, 0), (0, 0), (0, missing)), constant_values=-1)
    vectors = RUNNERS[form](target / FILES[form], 1)(codes)
    np.testing.assert_allclose(vectors, embedder.embed([sound]), atol=TOLERANCE)


def test_it_says_what_it_takes(written) -> None:
    form, target, _ = written
    text = (target / "README.md").read_text(encoding="utf-8")
    assert "tiny-rvq" in text and "(sounds, 8, frames) int64" in text and "(sounds, 24) float32" in text
    assert sorted(path.name for path in target.iterdir()) == sorted(["README.md", FILES[form]])


@pytest.mark.parametrize("form", FORMS)
def test_triton_can_read_how_to_run_it(form: Form, made, tmp_path: Path) -> None:
    export(*made, form, tmp_path / "repository", Serving(batch=32, delay_ms=5, instances=3, on_gpu=True))
    inner = tmp_path / "repository" / "tiny-similar"
    assert (inner / "1" / FILES[form]).is_file() and [one.name for one in inner.parent.iterdir()] == ["tiny-similar"]
    read = parsed((inner / "config.pbtxt").read_text(encoding="utf-8"))
    assert (read.name, read.max_batch_size) == ("tiny-similar", 32)
    assert read.platform == {"onnx": "onnxruntime_onnx", "torchscript": "pytorch_libtorch"}[form]
    assert list(read.dynamic_batching.preferred_batch_size) == [8, 16, 32]
    assert read.dynamic_batching.max_queue_delay_microseconds == 5000
    (group,) = read.instance_group
    assert group.count == 3 and group.Kind.Name(group.kind) == "KIND_GPU"
    (given,), (result,) = read.input, read.output
    names = {"onnx": ("codes", "vectors"), "torchscript": ("INPUT__0", "OUTPUT__0")}[form]
    assert (given.name, result.name) == names
    assert (list(given.dims), list(result.dims)) == ([8, -1], [24])
    kinds = read.DESCRIPTOR.file.enum_types_by_name["DataType"].values_by_number
    assert (kinds[given.data_type].name, kinds[result.data_type].name) == ("TYPE_INT64", "TYPE_FP32")
    assert read.version_policy.latest.num_versions == 1
    if form == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(inner / "1" / "model.onnx", providers=["CPUExecutionProvider"])
        assert ([one.name for one in session.get_inputs()], [one.name for one in session.get_outputs()]) == (
            [given.name], [result.name],
        )  # fmt: skip
        assert isinstance(session.get_inputs()[0].shape[2], str)  # any length


def test_the_definition_refuses_what_triton_would_refuse() -> None:
    good = config("m", "onnxruntime_onnx", [Port("codes", "TYPE_INT64", [8, -1])], [], Serving())
    assert parsed(good).instance_group[0].count == 1
    for wrong in (good.replace("dims", "shape"), good.replace("TYPE_INT64", "INT64"), good + "batching: 3\n"):
        with pytest.raises(ParseError, match=r"no field named|no value for|has no"):
            parsed(wrong)
    assert parsed(config('a "b" \\', "onnxruntime_onnx", [], [], Serving())).name == 'a "b" \\'


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"batch": 1025}, {"instances": 0}, {"delay_ms": -1}])
def test_servings_that_cannot_be_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match=f"{next(iter(wrong))} is"):
        Serving(**wrong)


def test_other_vectors_than_pytorchs_are_not_kept(made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RUNNERS, "torchscript", lambda *_: lambda codes: np.full((len(codes), 24), 0.2, np.float32))
    with pytest.raises(ModelUnavailableError, match="differ from PyTorch's by"):
        export(*made, "torchscript", tmp_path / "out")
    monkeypatch.setitem(RUNNERS, "torchscript", lambda *_: lambda codes: np.full((len(codes), 24), np.nan, np.float32))
    with pytest.raises(ModelUnavailableError, match="differ from PyTorch's by"):
        export(*made, "torchscript", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported_is_said(made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card, files = made
    with pytest.raises(InputError, match="'tflite' is no form of a model"):
        export(card, files, "tflite", tmp_path / "out")
    with pytest.raises(DuplicateError, match="is there already"):
        export(card, files, "onnx", tmp_path)
    with pytest.raises(CapabilityError, match="of a kind that is not exported"):
        export(replace(card, factory="other:load"), files, "onnx", tmp_path / "out")
    (tmp_path / "broken.safetensors").write_bytes(b"x")
    with pytest.raises(ModelUnavailableError, match="'tiny-similar' cannot be read"):
        export(card, {**files, "model.safetensors": tmp_path / "broken.safetensors"}, "onnx", tmp_path / "out")
    (tmp_path / "broken.safetensors").unlink()
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(MissingDependencyError, match=r"requirements-export\.txt"):
        export(card, files, "onnx", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_measures_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    similar.save(tmp_path / "models" / similar.CARD.name)
    monkeypatch.setenv("SPEECHSEARCH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SPEECHSEARCH_MODELS__FOLDER", str(tmp_path / "models"))
    words = ["models", "export", similar.CARD.name, str(tmp_path / "out"), "--to", "torchscript"]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0 and "23 vectors agree with PyTorch's within" in done.stdout
    assert done.stdout.count("Batch of") == 2
    again = CliRunner().invoke(app, [*words[:3], str(tmp_path / "triton"), *words[4:], "--triton", "--json"])
    found = json.loads(again.stdout)
    assert found["file"].endswith("/triton/tiny-similar/1/model.pt") and found["tolerance"] == TOLERANCE
    with pytest.raises(NotFoundError, match="mini"):
        CliRunner().invoke(app, [*words[:2], "mini", str(tmp_path / "x")], catch_exceptions=False)
    assert sound_export.FILE_OF == FILES and rvq.CARD.name == "tiny-rvq"
