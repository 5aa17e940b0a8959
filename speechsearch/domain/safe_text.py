"""Text of others: read from their files, and written to ours as names of files, lines and cells of tables."""

from __future__ import annotations

import codecs
import unicodedata

LONGEST_NAME = 100
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_NOT_IN_NAMES = frozenset('<>:"/\\|?*')


def decoded(content: bytes) -> str:
    r"""Return the text of a file: UTF-8, UTF-16 where it begins with its mark, else Western European.

    >>> decoded("Žofie".encode()), decoded("Žofie".encode("utf-16")), decoded("Zoë".encode("cp1252"))
    ('Žofie', 'Žofie', 'Zoë')
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def safe_name(name: str, suffix: str = "") -> str:
    r"""Return a name under which every system can save a file.

    >>> safe_name("../<b>Why?</b> 1:02", ".wav"), safe_name("a\u202egnp.exe", ".wav"), safe_name("..", ".mp3")
    ('b Why b 1 02.wav', 'agnp.exe.wav', 'recording.mp3')
    """
    parts = (" " if one in _NOT_IN_NAMES else one for one in name if unicodedata.category(one)[0] != "C")
    return (" ".join("".join(parts).split())[:LONGEST_NAME].strip(" .") or "recording") + suffix


def one_line(text: str) -> str:
    r"""Return text without line breaks, tabs and other characters that cannot be seen.

    >>> one_line("a\n\nb\u2028c\x00 d\u202e")
    'a b c d'
    """
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def cell(text: str) -> str:
    """Return text that a spreadsheet takes for text: what would begin a formula gets an apostrophe before it.

    >>> cell("=1+1"), cell("Bridges"), cell("  @SUM(A1)")
    ("'=1+1", 'Bridges', "'  @SUM(A1)")
    """
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def text_of_cell(written: str) -> str:
    """Return the text that ``cell`` has written.

    >>> [text_of_cell(cell(text)) for text in ("=1+1", "Bridges", "'tis")]
    ['=1+1', 'Bridges', "'tis"]
    """
    return written[1:] if written.startswith("'") and written[1:].lstrip(" ").startswith(FORMULA) else written
