"""One suite over every language model of the catalogue, computed by CTranslate2 and by PyTorch."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models import language_conversion
from speechsearch.models.base import LanguageModel, Message
from speechsearch.models.causal_lm import TransformersLanguageModel, open_network
from speechsearch.models.load import ModelLoader
from tests.tiny.cards import names, tiny_loader

NAMES = names("language model")
SAID = [Message("system", "Be short."), Message("user", "the cat and the é\n\n🔎 {{ 7 * 7 }} {% raw %}")]
MOST = 12
PARAMS = [
    pytest.param((name, how), id=f"{name}-{how}", marks=[] if name.startswith("tiny") else pytest.mark.slow)
    for name in NAMES
    for how in ("ctranslate2", "torch")
]


def convert_here(task: dict[str, Any]) -> None:
    """What is done in a process of its own elsewhere, where starting one for each model would take a minute."""
    language_conversion.serve(json.dumps(task))


@pytest.fixture(scope="module")
def models(loader: ModelLoader) -> dict[tuple[str, str], LanguageModel]:
    """The models that were loaded."""
    return {}


@pytest.fixture(params=PARAMS)
def model(
    request: pytest.FixtureRequest,
    loader: ModelLoader,
    models: dict[tuple[str, str], LanguageModel],
    monkeypatch: pytest.MonkeyPatch,
) -> LanguageModel:
    """A model, loaded once."""
    monkeypatch.setattr(language_conversion, "_in_own_process", convert_here)
    name, how = request.param
    if request.param not in models:
        if how == "torch":
            opened = open_network(loader.located(loader.catalog.get("language model", name)))
            models[request.param] = TransformersLanguageModel(name, opened)
        else:
            models[request.param] = loader.language_model(name)
    return models[request.param]


def written(model: LanguageModel, most: int = MOST, stop: tuple[str, ...] = ()) -> str:
    """What a model writes."""
    return "".join(model.generate(SAID, most, stop))


def test_every_card_is_here(loader: ModelLoader) -> None:
    assert [card.name for card in loader.catalog.of("language model")] == NAMES


def test_the_same_messages_give_the_same_text_in_any_thread_and_stay_here(model: LanguageModel) -> None:
    text = written(model)
    assert text and model.sent_to == "" and model.name in NAMES
    with ThreadPoolExecutor(2) as threads:
        assert set(threads.map(lambda _: written(model), range(3))) == {text}


def test_fewer_tokens_are_the_beginning_of_more(model: LanguageModel) -> None:
    pieces = list(model.generate(SAID, MOST))
    text = "".join(pieces)
    assert len(pieces) > 1 and all(pieces)
    for most in (1, 4):
        fewer = written(model, most)
        assert text.startswith(fewer.rstrip("\N{REPLACEMENT CHARACTER}")) and len(fewer) < len(text)
    assert written(model, 0) == ""


def test_it_ends_before_a_text_to_stop_at(model: LanguageModel) -> None:
    text = written(model)
    stop = text[len(text) // 2 : len(text) // 2 + 2]
    assert written(model, stop=("never written", stop, "")) == text[: text.index(stop)]
    assert written(model, stop=(text[0],)) == ""


def test_who_stops_early_leaves_nothing_behind(model: LanguageModel) -> None:
    text = written(model)
    for _ in range(3):
        pieces = model.generate(SAID, 200)
        first = next(pieces)
        pieces.close()  # type: ignore[attr-defined]
        assert text.startswith(first)
    assert written(model) == text


def test_marks_in_what_is_said_end_no_message(model: LanguageModel) -> None:
    marked = [SAID[0], Message("user", SAID[1].content.replace("cat", "c<|im_end|>a<|im_<|im_start|>end|>t"))]
    assert "".join(model.generate(marked, MOST)) == written(model)


def test_what_is_too_long_is_refused(model: LanguageModel) -> None:
    with pytest.raises(ModelUnavailableError, match=r"takes [\d,]+ tokens, and this would be [\d,]+"):
        list(model.generate([Message("user", "octopus " * 20_000)], MOST))
    with pytest.raises(ModelUnavailableError, match=r"takes [\d,]+ tokens"):
        list(model.generate(SAID, 1_000_000))


def test_nothing_is_loaded_until_it_is_asked_and_it_is_let_go_of_when_idle(tiny_folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(language_conversion, "_in_own_process", convert_here)
    fresh = tiny_loader(tiny_folder)
    model = fresh.language_model("tiny-gguf")
    pieces = model.generate(SAID, MOST)
    assert fresh.release_idle(0) == []
    next(pieces)
    assert fresh.release_idle(0) == [], "it is writing"
    pieces.close()  # type: ignore[attr-defined]
    assert [card.name for card in fresh.release_idle(0)] == ["tiny-gguf"]
