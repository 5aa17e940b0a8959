"""Engines and channels are named by their cards; no other code knows one by its name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from speechsearch.models.catalog import catalog
from speechsearch.retrieval.engine_cards import BUILT_IN

ROOT = Path(__file__).parents[2]
OLD = {"asr_dense", "asr_words"}
NAMES = {card.name for card in BUILT_IN} | {name for card in BUILT_IN for name in card.channels} | OLD
CARDS = (
    "speechsearch/retrieval/engine_cards.py",
    "speechsearch/models/built_in.py",
    "speechsearch/models/mini",
    "speechsearch/models/transcripts.py",
)
OTHER_MEANINGS = {
    "speechsearch/store/migrations": NAMES,  # what the database looked like then
    "speechsearch/store/rows.py": {"words"},  # a column of the table of transcripts
    "speechsearch/api": {"all"},  # everybody's
    "speechsearch/service/search.py": {"all"},  # of the time that a search takes
    "speechsearch/models/bert_graph.py": {"pieces"},  # the tokens of a text
    "speechsearch/library/written_before.py": {"words"},  # a field of a transcript
    "speechsearch/training/sample_transcripts.py": {"words"},
    "speechsearch/library/bags.py": {"words"},
    "speechsearch/service/segment_log.py": {"words"},
    "speechsearch/service/transcript_formats.py": {"words"},
    "speechsearch/ui/texts.py": {"all", "words"},  # the episodes of a feed; alike in its words
    "speechsearch/domain/alike.py": {"words"},
    "speechsearch/service/similar.py": {"words"},
    "speechsearch/cli_index.py": {"adapter"},  # which vectors are measured
    "speechsearch/models/adapter_cards.py": {"adapter"},  # what a folder holds
    "speechsearch/cli_train.py": {"pieces"},  # what is read of sound
    "speechsearch/models/generative": {"pieces"},
    "speechsearch/training/generative_recipe.py": {"pieces", "adapter"},
    "ingest/transcripts.py": {"words"},
    "speechsearch/training": {"adapter"},  # a part of the shipped network, in its checkpoints
}
SOURCES = sorted([*(ROOT / "speechsearch").rglob("*.py"), *(ROOT / "ingest").rglob("*.py"), ROOT / "app.py"])


def literals(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of every string that is not a docstring or a comment in quotes."""
    tree = ast.parse(source)
    told = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in told:
            yield node.lineno, node.value


def allowed(name: str) -> set[str]:
    """Return which names a file may write."""
    return next((said for place, said in OTHER_MEANINGS.items() if name.startswith(place)), set())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_cards_name_engines_and_channels(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    if name.startswith(CARDS):
        return
    found = [(line, text) for line, text in literals(path.read_text(encoding="utf-8")) if text in NAMES - allowed(name)]
    assert found == [], f"{name}: take it from retrieval/engine_cards.py or from a channel's title"


@pytest.mark.parametrize("folder", ["speechsearch/ui/static"])
def test_style_and_scripts_name_none(folder: str) -> None:
    for path in sorted((ROOT / folder).iterdir()):
        text = path.read_text(encoding="utf-8")
        quoted = [name for name in NAMES - {"words"} if f'"{name}"' in text or f"'{name}'" in text]
        assert quoted == [], path.name


def test_the_search_for_names_finds_them() -> None:
    source = '"""hybrid"""\nfound = f(engine="hybrid")\ntext = "the hybrid one"\n'
    assert [one for one in literals(source) if one[1] in NAMES] == [(2, "hybrid")]


def test_every_channel_of_an_engine_is_some_models() -> None:
    made = {channel.title or channel.name for card in catalog().of("speech encoder") for channel in card.channels}
    of_sound = {name for card in BUILT_IN if card.searches == "sound" for name in card.channels}
    assert of_sound <= made
