"""Write texts of several kinds as the synthesisers take them and as people write them."""

from __future__ import annotations

import re
import unicodedata

TYPOGRAPHY = {"’": "'", "‘": "'", "“": '"', "”": '"', "—": ", ", "–": "-", "…": "...", "æ": "ae", "œ": "oe", "ø": "o",
              "ł": "l", "Ł": "L", "ß": "ss", "−": "minus ", "×": " times "}  # fmt: skip
BRACKETS = {"-lrb-": "(", "-rrb-": ")", "-lsb-": "(", "-rsb-": ")", "-lcb-": "(", "-rcb-": ")", "``": '"', "''": '"',
            "--": ","}  # fmt: skip


def plain(text: str) -> str:
    r"""Return a text as ASCII in one line, as the synthesisers take it: accents dropped, typography written plainly.

    >>> plain("“Café” — it’s\nhere")
    '"Cafe", it\'s here'
    """
    for written, said in TYPOGRAPHY.items():
        text = text.replace(written, said)
    words = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().split()
    return " ".join(words).replace(" ,", ",")


def detokenise(tokens: str) -> str:
    r"""Return a sentence of Penn Treebank tokens as it is written.

    >>> detokenise("she did n't pay $ 5 -lrb- notre dame 's ``fee '' -rrb- , or 3 % .")
    'she didn\'t pay $5 (notre dame\'s "fee"), or 3%.'
    """
    text = " ".join(BRACKETS.get(token, token) for token in tokens.replace("``", "`` ").split())
    text = re.sub(r" (n't|'(?:s|re|ve|ll|d|m)\b|'(?=\s|$))", r"\1", text)
    text = re.sub(r'" ([^"]*?) ?"', r'"\1"', text)
    return re.sub(r"(?<=[($£€]) | (?=[)%?.;:!,])", "", text)
