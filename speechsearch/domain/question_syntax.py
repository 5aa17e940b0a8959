"""What a typed question asks for: words, phrases in quotation marks, and what a minus sign leaves out.

It is read once, by the search, and every door says it in the same words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SYNTAX = 'Words in "quotation marks" must be said together; -word leaves out passages in which it is said.'
"""The whole syntax in one line, as the page and the descriptions of the doors say it."""
QUOTES = str.maketrans(dict.fromkeys("“”„‟«»＂", '"'))
QUOTED = re.compile(r'(?<![^\s(\[])(?P<minus>[-−]?)"(?P<phrase>[^"]*)"')
"""A quotation mark opens a phrase only where a word may begin, so that 6" stays what it is."""
MINUS = re.compile(r"(?<!\S)[-−](?P<word>\w\S*)")
LONE = re.compile(r'(?<!\d)"')
SIGNS = re.compile(r'["“”„‟«»＂]|(?<!\w)[-−]')


@dataclass(frozen=True, slots=True)
class Question:
    """A question without its signs, and what they said.

    Args:
        text: the words to look for, those of phrases among them; empty when there are only words to leave out.
        phrases: words that must be said next to each other, in this order.
        excluded: words and phrases; passages in which they are said are left out.
        has_lone_quote: a quotation mark had no partner, and was left aside.
    """

    text: str = ""
    phrases: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    has_lone_quote: bool = False

    @property
    def has_demands(self) -> bool:
        """Whether it says more than what to look for."""
        return bool(self.phrases or self.excluded)


def read_question(typed: str) -> Question:
    """Return what a visitor typed as a question.

    >>> read_question('who sat on the "model bridge" -octopus')
    Question(text='who sat on the model bridge', phrases=('model bridge',), excluded=('octopus',), has_lone_quote=False)
    >>> read_question('the "model bridge'), read_question('a 6" gun - and a well-known -"red sun"')
    (Question(text='the model bridge', phrases=(), excluded=(), has_lone_quote=True), \
Question(text='a 6" gun - and a well-known', phrases=(), excluded=('red sun',), has_lone_quote=False))
    """
    phrases: list[str] = []
    excluded: list[str] = []

    def quoted(found: re.Match[str]) -> str:
        phrase = " ".join(found["phrase"].split())
        if phrase:
            (excluded if found["minus"] else phrases).append(phrase)
        return " " if found["minus"] else f" {phrase} "

    def left_out(found: re.Match[str]) -> str:
        excluded.append(re.sub(r"\W+$", "", found["word"]))
        return " "

    text = MINUS.sub(left_out, QUOTED.sub(quoted, typed.translate(QUOTES)))
    without = LONE.sub(" ", text)
    return Question(
        " ".join(without.split()), tuple(dict.fromkeys(phrases)), tuple(dict.fromkeys(excluded)), without != text
    )


def without_signs(text: str) -> str:
    """Return a text that was not typed as a question, without what would say there how to search.

    >>> without_signs('The “red-sun” - a tale -of "Ann"')
    'The red-sun a tale of Ann'
    """
    return " ".join(SIGNS.sub(" ", text).split())


def demanded(question: Question) -> tuple[str, ...]:
    """Return what was demanded of answers, as sentences; none where nothing was.

    >>> demanded(read_question('who sat on the "model bridge" -octopus'))
    ('Only passages with “model bridge”.', 'Without “octopus”.')
    """
    said = []
    for before, phrases in (("Only passages with", question.phrases), ("Without", question.excluded)):
        if phrases:
            said.append(f"{before} {', '.join(f'“{one}”' for one in phrases)}.")
    if question.has_lone_quote:
        said.append("A quotation mark has no partner and was left aside.")
    return tuple(said)
