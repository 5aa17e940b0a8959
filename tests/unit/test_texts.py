"""The page's texts stand in one file, are plain, and explain their terms."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from speechsearch.retrieval.engine_cards import BUILT_IN
from speechsearch.ui import texts
from speechsearch.ui.compare_view import SHOWN_METRICS

UI = Path(__file__).parents[2] / "speechsearch" / "ui"
SOURCES = sorted(path for path in UI.glob("*.py") if path.name != "texts.py")
SCRIPTS = sorted((UI / "static").glob("*.js"))
TABS = {name: one for name, one in vars(texts).items() if isinstance(one, type)}
TERMS = (
    "passage",
    "likelihood",
    "engine",
    "adapter",
    "phonetic index",
    "baseline",
    "recogniser",
    "index",
    "recall",
    "MRR",
    "speaker",
    "voice",
)
"""What a newcomer may not know."""
SEEN_ATTRIBUTES = re.compile(r"(?:aria-label|aria-valuetext|title|placeholder|alt)=[\"']([^\"']*)[\"']")
UNITS = re.compile(r"\b(ms|s|min|h|UTC|B|kB|MB|GB|kbit)\b")
GAP = "\0"
"""Stands for what an f-string puts in."""
ALLOWED = {
    "colours.py": None,  # style sheets
    "icons.py": None,  # paths of pictures
    "page.py": ("system-ui, ", "ui-monospace, ", "const texts"),  # fonts, script
    "search_events.py": ("window.speechsearch",),  # script
    "about_tab.py": ("License",),  # a field of packages
    "serving.py": None,  # no page
    "comparison.py": ("WebVTT",),  # formats
    "compare_view.py": ("Markdown",),
    "recording_tab.py": ("Cache-Control",),
    "people_fold.py": ("Cache-Control", "private, no-store"),
    "similar_fold.py": ("Cache-Control", "private, no-store"),
}
"""What is no text though it looks like one: beginnings of strings; None: all of the file."""


def literals(source: str) -> Iterator[str]:
    """Yield every string that is no docstring and no message of an assertion; gaps of f-strings as GAP."""
    tree = ast.parse(source)
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(node.value)
        if isinstance(node, ast.Assert) and node.msg is not None:
            skipped.update(ast.walk(node.msg))
        if isinstance(node, ast.JoinedStr):
            skipped.update(part for part in node.values if isinstance(part, ast.Constant))
    for node in ast.walk(tree):
        if node not in skipped and isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif node not in skipped and isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)


def seen(literal: str) -> list[str]:
    """Return what of a string a visitor would read; units are the same in all languages."""
    literal = UNITS.sub("", literal)
    if "<" in literal or ">" in literal:
        outside = re.sub(r"<[^<>]*>?", "|", re.sub(r"^[^<>]*>", "|", literal))
        parts = [*SEEN_ATTRIBUTES.findall(literal), *outside.split("|")]
        return [part.strip() for part in parts if re.search(r"[A-Za-z]{2,}", part)]
    if all("-" in word or "=" in word or GAP in word for word in literal.split()):  # classes and attributes
        return []
    is_sentence = re.search(r"[A-Za-z]{2,}[,.:;?!]? [\0A-Za-z]", literal) or re.match(r"[A-Z][a-z]", literal)
    return [literal] if is_sentence else []


@pytest.mark.parametrize(
    ("literal", "expected"),
    [
        (f'<p class="a b">Hello {GAP}</p>', [f"Hello {GAP}"]),
        (f'<b title="Good day" aria-label="{GAP}">', ["Good day"]),
        (f'" aria-label="Play {GAP}">{GAP}</b>', [f"Play {GAP}"]),
        ("ss-button ss-primary", []),
        ("ss-hit", []),
        ("recording", []),
        (f"<b>{GAP} ms</b>", []),
        ("Search", ["Search"]),
        ("Add some", ["Add some"]),
        (f"{GAP} passages of {GAP}", [f"{GAP} passages of {GAP}"]),
    ],
)
def test_texts_are_told_from_names(literal: str, expected: list[str]) -> None:
    assert seen(literal) == expected


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_text_stands_outside_the_file_of_texts(path: Path) -> None:
    allowed = ALLOWED.get(path.name, ())
    if allowed is None:
        return
    found = [text for one in literals(path.read_text(encoding="utf-8")) for text in seen(one)]
    assert [text for text in found if not text.startswith(tuple(allowed))] == [], "it belongs to ui/texts.py"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_text_stands_in_a_script(path: Path) -> None:
    source = re.sub(r"^\s*//.*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    strings = re.findall(r'"([^"\n]*)"|`([^`]*)`', source)
    said = [one or other for one, other in strings if re.match(r"[A-Z][a-z]+( [a-z$]|\.|:|$)", one or other)]
    keys = {
        "Enter",
        "Escape",
        "Home",
        "End",
        "Files",
        "ArrowLeft",
        "ArrowRight",
        "ArrowUp",
        "ArrowDown",
        "AbortError",
        "Tab",
    }
    assert set(said) - keys == set(), "it belongs to SCRIPTS in ui/texts.py"


def test_scripts_say_what_there_is_and_nothing_is_left_over() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in SCRIPTS)
    used = set(re.findall(r"texts\.(\w+)\.(\w+)", source))
    for script, names in re.findall(r"const \{ ([\w, ]+) \} = texts\.(\w+);", source):
        used |= {(names, name) for name in script.split(", ")}
    known = {(script, name) for script, said in texts.SCRIPTS.items() for name in said if not name.startswith("field_")}
    assert used == known


def test_every_text_is_used() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in [*SOURCES, UI / "texts.py"])
    names = {f"{tab}.{name}" for tab, one in TABS.items() for name in vars(one) if name.isupper()}
    assert {name for name in names if not re.search(rf"\b{re.escape(name)}\b", source)} == set()


def said(value: object) -> Iterator[str]:
    """Yield the texts in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from said(one)
    elif isinstance(value, tuple):
        for one in value:
            yield from said(one)


EVERY = [text for tab in TABS.values() for name, one in vars(tab).items() if name.isupper() for text in said(one)]
EVERY += list(said(texts.SCRIPTS))


def test_texts_are_plain() -> None:
    assert [text for text in EVERY if any(sign in text for sign in '<>&"\n')] == []
    assert [text for text in EVERY if text != text.strip() or "  " in text] == []
    for text in EVERY:
        assert all(name.isidentifier() for _, name, _, _ in Formatter().parse(text) if name is not None), text


@pytest.mark.parametrize("term", TERMS)
def test_the_glossary_explains_what_the_texts_say(term: str) -> None:
    shown = " ".join([*EVERY, *SHOWN_METRICS.values(), *(f"{one.summary} {one.technical_title}" for one in BUILT_IN)])
    assert re.search(term, shown, re.IGNORECASE), f"nobody says {term!r}: drop it here and in the glossary"
    assert any(term.lower() in explained.lower() for explained in texts.About.TERMS)


def test_engines_have_plain_names_with_the_technical_one_behind() -> None:
    assert [card.title for card in BUILT_IN] == ["Everything", "Sound", "Meaning", "Pronunciation", "Transcript"]
    assert all(card.technical_title for card in BUILT_IN)
