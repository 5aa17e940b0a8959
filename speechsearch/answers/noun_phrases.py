"""What a short question names and is about, told from its words by rules: roughly, without a tagger."""

from __future__ import annotations

import re

from speechsearch.text.words import STOP_WORDS

BE = frozenset("is are was were".split())
AUXILIARIES = BE | frozenset(
    "am be been do does did has have had can could will would shall should may might must".split()
)
DETERMINERS = frozenset("the a an this that these those my your his her its our their".split())
ATTACHED = frozenset("of from in at on over near".split())
"""What a noun phrase goes on with."""
PLACED = frozenset("in at from of over near to on through across".split())
"""A name after one of these is rather a place than a person."""
WORD = re.compile(r"[\w'’-]+")
NAME = re.compile(r"[A-Z][\w'’-]*(?: [A-Z][\w'’-]*)*")
NOT_NAMES = STOP_WORDS | {"list", "name", "give", "show", "describe", "find", "please", "i"}
OWNER = re.compile(r"['’]s$")


def names(text: str, *, is_person: bool = False) -> list[str]:
    """Return the runs of words with a capital, in order; ``is_person``: not those that stand after in, from and so on.

    >>> names("What did Ann Baker of Leeds say?"), names("What did Ann Baker of Leeds say?", is_person=True)
    (['Ann Baker', 'Leeds'], ['Ann Baker'])
    """
    found = []
    for one in NAME.finditer(text):
        words = one.group().split()
        while words and words[0].lower() in NOT_NAMES:
            words = words[1:]
        before = text[: one.start()].split()
        if words and not (is_person and before and before[-1].lower() in PLACED):
            found.append(OWNER.sub("", " ".join(words)))
    return found


def subject(question: str) -> str:
    """Return what stands after the first auxiliary of a question; empty where none does.

    >>> subject("How many pipes has the maker from Ciche made?"), subject("When did the old ferry stop?")
    ('the maker from Ciche', 'the old ferry')
    >>> subject("Where is the chain ferry?"), subject("Who built the bridge?")
    ('the chain ferry', '')
    """
    words = list(WORD.finditer(question))
    said = [one.group().lower() for one in words]
    at = next((place for place, word in enumerate(said[:6]) if word in AUXILIARIES), None)
    if at is None:
        return ""
    has_verb = said[at] not in BE or said[0] in ("why", "how") or at == 0
    return _phrase(question, words, at + 1, has_verb=has_verb)


def phrases(question: str) -> list[str]:
    """Return what begins with "the" and the like, in order.

    >>> phrases("Who built the bridge over the Forth, and his boat?"), phrases("Who built it?")
    (['the bridge over the Forth', 'his boat'], [])
    """
    words, end = list(WORD.finditer(question)), 0
    found = []
    for place, word in enumerate(words):
        if word.group().lower() in DETERMINERS and word.start() >= end:
            phrase = _phrase(question, words, place, has_verb=False)
            found += [phrase] if phrase else []
            end = word.start() + len(phrase)
    return found


def last_words(question: str) -> str:
    """Return the last run of words that say something; empty where none do.

    >>> last_words("Who talks about silver eels?"), last_words("Who is it?")
    ('silver eels', '')
    """
    words, end, last = list(WORD.finditer(question)), 0, ""
    for place, word in enumerate(words):
        if word.start() >= end and (phrase := _phrase(question, words, place, has_verb=False)):
            end, last = word.start() + len(phrase), phrase
    return last


def _phrase(question: str, words: list[re.Match[str]], start: int, *, has_verb: bool) -> str:
    """Return the noun phrase that begins with a word; ``has_verb``: a verb may follow at once, and is left out."""
    said = [one.group() for one in words]

    def run(place: int) -> int:
        """Return where the words that say something end."""
        end, is_name = place, place < len(said) and said[place][0].isupper()
        while end < len(said) and said[end].lower() not in NOT_NAMES and said[end][0].isupper() >= is_name:
            is_apart = end > place and question[words[end - 1].end() : words[end].start()].strip()
            if is_apart or (end > place and said[end].endswith(("ed", "ing"))):
                break
            end += 1
        is_verb_next = has_verb and not is_name and (end == len(said) or said[end].lower() not in AUXILIARIES)
        return end - 1 if is_verb_next and end - place > 1 and not said[end - 1].endswith(("ed", "ing")) else end

    place = start
    if place < len(said) and said[place].lower() in DETERMINERS:
        place += 1
    end = run(place)
    if end == place:
        return ""
    if end < len(said) and said[end].lower() in ATTACHED:
        further = end + 1 + (end + 1 < len(said) and said[end + 1].lower() in DETERMINERS)
        end = max(end, run(further)) if run(further) > further else end
    return question[words[start].start() : words[end - 1].end()]
