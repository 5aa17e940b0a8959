"""A question that follows others becomes one that stands alone: by rules, from the questions and answers before it.

"And when?" takes over what was asked, "what about the bridge?" puts the bridge in the place of what was asked about,
"who was he?" and "the second one" get the name. What stands alone already stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from speechsearch.answers.noun_phrases import AUXILIARIES, BE, WORD, last_words, names, phrases, subject
from speechsearch.domain.answers import Earlier
from speechsearch.domain.question_syntax import without_signs
from speechsearch.text.words import STOP_WORDS

LONGEST, LONGEST_FOLLOW_UP = 1000, 200
"""Characters; a question that would get longer stays as it is, and so does one that is too long to be a follow-up."""
LEAD = re.compile(r"^(?:(?:and|but|so|also|ok|okay|then|well)\b[\s,]*)+", re.IGNORECASE)
WH = r"(?:(?:by|in|at|on|from|since|until|for|to|of|with) )?(?:who|whom|whose|what|which|when|where|why|how)"
MEASURES = r"(?: (?:many|much|long|far|often|old|big|else|year|day|time|place|exactly))*"
ONLY_WH = re.compile(
    rf"(?P<wh>{WH}{MEASURES})"
    r"(?: (?:did|does|was|is) (?:(?:that|this)(?: (?:happen|so|take place))?|it happen)| then)?\W*",
    re.IGNORECASE,
)
ABOUT = re.compile(r"(?:what|how) about (?P<what>.+?)\W*", re.IGNORECASE)
OPENING = re.compile(rf"(?P<wh>{WH})\b(?P<measure> (?:many|much|long|far|often|old|big)\b)?(?P<rest>.*)", re.IGNORECASE)
TELLS_WHEN_OR_WHERE = {"year", "day", "time", "date", "month", "place", "town", "country", "way", "reason", "kind"}
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
KIND_OF_ONE = "(?:one|recording|talk|episode|interview|story)"
THE_ONE = re.compile(
    rf"\bthe (?P<which>{'|'.join(ORDINALS)}|last) {KIND_OF_ONE}\b"
    rf"|\b(?:this|that|the same) {KIND_OF_ONE}\b",
    re.IGNORECASE,
)
PRONOUNS = re.compile(
    r"\b(?P<person>he|him|she)\b|\b(?P<hers>his|her|hers)\b|\b(?P<its>its|their)\b|\b(?P<thing>it|they|them)\b"
    r"|\b(?P<there>there)(?=\W*$)",
    re.IGNORECASE,
)
SAYS_NOTHING = re.compile(
    r"\b(?:is|was) it (?:true|possible|known|likely|right|that)\b|\bit (?:is|was) (?:true|possible|known|said)\b"
    r"|\b(?:day|time|late) (?:is|was) it\b|\bit (?:rain|snow|seem)|\bit that\b",
    re.IGNORECASE,
)
"""The "it" that stands for nothing."""


def stands_alone(question: str, thread: Sequence[Earlier]) -> str:
    """Return a question as it can be put without those before it, of which the last counts most.

    >>> before = [Earlier("When was the chain ferry closed?", titles=("On ferries", "The bridge"))]
    >>> stands_alone("And why?", before), stands_alone("Who ran it?", before)
    ('Why was the chain ferry closed?', 'Who ran the chain ferry?')
    >>> stands_alone("What about the bridge?", before), stands_alone("And the second one?", before)
    ('When was the bridge closed?', 'When was the chain ferry closed in The bridge?')
    >>> stands_alone("Why is blood blue?", before), stands_alone("Who ran it?", [])
    ('Why is blood blue?', 'Who ran it?')
    """
    whole: list[Earlier] = []
    for one in thread:  # those before may be follow-ups themselves
        alone = after(whole, one.question)
        if WORD.search(alone):
            whole.append(replace(one, question=alone))
    return after(whole, question)


def after(thread: Sequence[Earlier], question: str) -> str:
    """Return what ``stands_alone`` does, after questions that stand alone."""
    if not thread or len(question) > LONGEST_FOLLOW_UP:
        return question
    found = rewritten(question, thread)
    return found if len(found) <= LONGEST else question


def rewritten(question: str, thread: Sequence[Earlier]) -> str:
    """Return a question as it can be put without those before it, of which there is one at least."""
    asked, before = LEAD.sub("", " ".join(question.split())), thread[-1]
    if found := ONLY_WH.fullmatch(asked):
        return asked_again(before.question, found["wh"])
    named = with_names(asked, thread)
    if what := about(named, has_lead=asked != question):
        is_cited = the_one(about(asked, has_lead=True), before.titles) == what
        return f"{before.question.rstrip(' ?.!')} in {what}?" if is_cited else exchanged(before.question, what)
    return question if named == asked else named[:1].upper() + named[1:]


def about(asked: str, *, has_lead: bool) -> str:
    """Return what is asked about without saying what; empty where it is said. ``has_lead``: an "and" stood before.

    >>> about("What about the bridge?", has_lead=False), about("the bridge?", has_lead=True)
    ('the bridge', 'the bridge')
    >>> about("the bridge?", has_lead=False), about("who built it", has_lead=True)
    ('', '')
    """
    found = ABOUT.fullmatch(asked)
    what = found["what"] if found else asked.rstrip(" ?.!") if has_lead and not OPENING.match(asked) else ""
    return "" if set(what.lower().split()) & AUXILIARIES else what


def asked_again(question: str, wh: str) -> str:
    """Return a question with another question word.

    >>> asked_again("How many pipes has the maker made?", "when"), asked_again("Who built it?", "why")
    ('When has the maker made pipes?', 'Why was it that they built it?')
    >>> asked_again("Did the ferry stop?", "where"), asked_again("Who talks about eels?", "who else")
    ('Where did the ferry stop?', 'Who else talks about eels?')
    """
    wh, said = wh[:1].upper() + wh[1:].lower(), question.rstrip(" ?.!")
    found = OPENING.fullmatch(said)
    if found is None:
        return f"{wh} {said[:1].lower()}{said[1:]}?" if said.split()[0].lower() in AUXILIARIES else f"{wh}: {said}?"
    words, has_noun = (
        found["rest"].split(),
        found["measure"] or found["wh"].lower().endswith(("what", "which", "whose")),
    )
    verb = next((at for at, word in enumerate(words[:5]) if word.lower() in AUXILIARIES), len(words))
    if verb == len(words) or (verb and not has_noun):
        is_same_kind = wh.lower().startswith(("who", "which", "what", "how many"))
        actor = "they" if found["wh"].lower() == "who" else "it"
        return f"{wh} {' '.join(words)}?" if is_same_kind else f"{wh} was it that {actor} {' '.join(words)}?"
    noun = [] if verb and words[verb - 1].lower() in TELLS_WHEN_OR_WHERE else words[:verb]
    rest = words[verb:]
    if noun and wh.lower() in ("which", "how many", "how much"):
        return f"{wh} {' '.join([*noun, *rest])}?"
    rest = [rest[0], *noun, *rest[1:]] if rest[0].lower() in BE else [*rest, *noun]
    return f"{wh} {' '.join(rest)}?"


def exchanged(question: str, what: str) -> str:
    """Return a question about something else: like takes the place of like, else it is added.

    >>> exchanged("What did Ann say about the ferry?", "Bob"), exchanged("Who talks about eels?", "bees")
    ('What did Bob say about the ferry?', 'Who talks about bees?')
    >>> exchanged("What happened in 1900?", "in 1907"), exchanged("Who ran it?", "in 1907")
    ('What happened in 1907?', 'Who ran it in 1907?')
    """
    first = what.split()[0]
    if first.lower() in ("in", "at", "on", "from", "near", "for", "with", "about", "to"):
        old = re.search(rf"\b{first} (?:the |a )?[\w'’-]+", question, re.IGNORECASE)
    else:
        one = next(iter(names(question) if first[0].isupper() else ()), "") or thing(question)
        old = re.search(re.escape(one), question) if one else None
    if what.lower() in question.lower():
        return question
    if old is None or old.group() == question.rstrip(" ?.!"):
        return f"{question.rstrip(' ?.!')} {what}?"
    return question[: old.start()] + what + question[old.end() :]


def with_names(question: str, thread: Sequence[Earlier]) -> str:
    """Return a question with what its pronouns and "the second one" stand for; those that cannot be told stay.

    >>> with_names("Was his boat in the first one?", [Earlier("What did Bo say?", titles=("Boats",))])
    "Was Bo's boat in Boats?"
    """
    silent = [found.span() for found in SAYS_NOTHING.finditer(question)]
    used: set[str] = set()

    def named(found: re.Match[str]) -> str:
        is_silent = any(start <= found.start() < end for start, end in silent)
        one = "" if is_silent else meant(found, thread)
        if not one or one in used:
            return found.group()
        used.add(one)
        after = re.match(r"\s+([\w'’-]+)", question[found.end() :])
        is_owner = found["its"] or (found["hers"] and after and after[1].lower() not in STOP_WORDS)
        return f"{one}'s" if is_owner else one

    is_somebody = re.match(r"who (?:is|was|are|were) the\b", question, re.IGNORECASE)
    cited = thread[-1].speakers if is_somebody else thread[-1].titles
    return THE_ONE.sub(lambda found: the_one(found.group(), cited) or found.group(), PRONOUNS.sub(named, question))


def meant(pronoun: re.Match[str], thread: Sequence[Earlier]) -> str:
    """Return what a pronoun of a question stands for; empty where the question itself may say it, or nobody knows."""
    before, latest_first = pronoun.string[: pronoun.start()], list(reversed(thread))
    if pronoun["there"]:
        if re.search(r"\b(?:is|are|was|were)\s*$", before, re.IGNORECASE):
            return ""
        where = next((one for one in map(place, latest_first) if one), "")
        return f"in {where}" if where else ""
    if pronoun["person"] or pronoun["hers"]:
        return "" if names(before) else next((one for one in map(person, latest_first) if one), "")
    is_plural = pronoun.group().lower() in ("they", "them")
    if is_plural and re.search(r"\bit\b", pronoun.string, re.IGNORECASE):
        return ""  # "why did they build it": "it" is what the question before was about
    if any(not one[0].isupper() for one in phrases(before)):
        return ""
    return next((one for one in (thing(earlier.question) for earlier in latest_first) if one), "")


def the_one(said: str, cited: Sequence[str]) -> str:
    """Return what "the second one" is of what was cited; empty where it is none of that.

    >>> the_one("and the last one", ["On ferries", "Bridges"]), the_one("the third talk", ["On ferries"])
    ('Bridges', '')
    """
    found = THE_ONE.search(said)
    if found is None or not cited:
        return ""
    which = (found["which"] or "first").lower()
    at = len(cited) - 1 if which == "last" else ORDINALS.index(which)
    return without_signs(cited[at]) if at < len(cited) else ""


@lru_cache(maxsize=256)
def person(before: Earlier) -> str:
    """Return who "he" or "she" is after a question: who answered it, who is in it, who spoke."""
    said = [name for words in before.words for name in names(words)] + names(before.question, is_person=True)
    who = subject(before.question)
    said += [who] if who.lower().startswith(("the ", "a ", "an ")) else []
    return next(iter([*said, *before.speakers]), "")


@lru_cache(maxsize=256)
def thing(question: str) -> str:
    """Return what "it" is after a question: what it is about, things before names.

    >>> thing("What did Ann say about the ferry?"), thing("Why is octopus blood blue?"), thing("Who was Ann?")
    ('the ferry', 'octopus blood', 'Ann')
    """
    there = [one for one in (subject(question), *phrases(question), last_words(question)) if one]
    return next((one for one in there if not one[0].isupper()), next(iter(there), ""))


def place(before: Earlier) -> str:
    """Return where "there" is after a question: a name that stands after in, at, from, near or to."""
    found = re.search(r"\b(?:in|at|from|near|to) (?P<name>(?:the )?[A-Z][\w'’-]*(?: [A-Z][\w'’-]*)*)", before.question)
    return found["name"] if found else ""
