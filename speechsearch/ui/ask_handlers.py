"""What the Ask button does: an answer that grows sentence by sentence, and the columns below it."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from speechsearch.domain.answers import Answer, Earlier, Evidence, Quotes, Sentence
from speechsearch.domain.errors import EmptyQueryError, SpeechSearchError
from speechsearch.domain.values import Query
from speechsearch.domain.visitors import Visitor
from speechsearch.ui import ask_view, view
from speechsearch.ui.ask_view import Asking
from speechsearch.ui.asked import LONGEST_QUESTION, Asked
from speechsearch.ui.texts import Search

if TYPE_CHECKING:
    from speechsearch.service.open import Service
    from speechsearch.ui.search_tab import SearchHandlers

OFTEN_S = 0.1
"""The page is not drawn more often than that while sentences come."""
LONGEST_THREAD = 6
MOST_PAGES = 1000


@dataclass(frozen=True, slots=True)
class Thread:
    """The questions of a page that were asked, and whether what it shows now is an answer to the last of them."""

    turns: tuple[Earlier, ...] = ()
    is_shown: bool = False


Update = list[Any]
"""What to show: message, left column, right column, answer, thread; ``gr.skip()`` leaves a part as it is."""
UNCHANGED: Update = [gr.skip()] * 5


class Latest:
    """Knows the latest question of every page, so that an answer to an earlier one stops."""

    def __init__(self) -> None:
        self._numbers: OrderedDict[str, int] = OrderedDict()

    def begin(self, page: str) -> int:
        """Return the number of a page's new question."""
        number = self._numbers.pop(page, 0) + 1
        self._numbers[page] = number
        while len(self._numbers) > MOST_PAGES:
            self._numbers.popitem(last=False)
        return number

    def only(self, page: str, updates: Iterator[Update]) -> Iterator[Update]:
        """Yield updates until the page has a newer question; what is under way for the older one is closed then."""
        number = self.begin(page)
        for update in updates:
            if self._numbers.get(page) != number:
                # Gradio sends the last update once more at the end, over what the newer question shows.
                yield [gr.skip()] * len(update)
                return
            yield update


class AskHandlers:
    """What asking does; every method yields updates and raises nothing that a visitor can cause."""

    def __init__(self, service: Service, search: SearchHandlers, root: str = "") -> None:
        self._service, self._search, self._root = service, search, root

    def ask(self, asked: Asked, thread: Thread, visitor: Visitor) -> Iterator[Update]:
        """Yield the growing answer to a typed question, to the spoken one where nothing is typed."""
        try:
            yield from self._answered(asked, thread, visitor)
        except SpeechSearchError as error:
            yield [view.problem(error), *self._search.intro(asked)[1:], "", replace(thread, is_shown=False)]

    def again(self, asked: Asked, thread: Thread, visitor: Visitor) -> Iterator[Update]:
        """Yield the answer to the question at hand after a control has moved; only the columns where none is shown."""
        if not thread.is_shown:
            yield [*self._search.again(asked, visitor), gr.skip(), gr.skip()]
            return
        *before, last = thread.turns
        yield from self.ask(replace(asked, text=last.question, audio_path=None), Thread(tuple(before)), visitor)

    def load(self, parameters: Iterable[tuple[str, str]], typed: str, visitor: Visitor) -> Iterator[Update]:
        """Yield updates for a page that has come up, of the controls too: an address with ``?ask=`` is answered."""
        parameters = list(parameters)
        asked = Asked.of_address(parameters, list(self._search.engines))
        if not asked.wants_answer or typed.strip():
            yield [*self._search.load(parameters, typed, visitor), gr.skip(), gr.skip()]
            return
        controls = [asked.text, asked.top_k, asked.left, asked.right, *self._search.narrowing(visitor, asked)]
        yield [*controls, *UNCHANGED]
        for update in self.ask(asked, Thread(), visitor):
            yield [*[gr.skip()] * len(controls), *update]

    def _answered(self, asked: Asked, thread: Thread, visitor: Visitor) -> Iterator[Update]:
        query = self._query(asked, visitor)
        asking = Asking(self._root, query.text, query.audio is not None)
        yield ["", gr.skip(), gr.skip(), ask_view.waiting(asking), gr.skip()]
        events = self._service.ask.answer(query, visitor, asked.left, thread.turns)
        evidence, drawn_s = None, 0.0
        joined: tuple[Sentence, ...] = ()
        for event in events:
            if isinstance(event, Evidence):
                evidence = event
                if event.asked:
                    query = replace(query, text=event.question, audio=None)
                asking = replace(asking, question=query.text or event.question)
                searched = event.results.question  # of "how many recordings mention bees" the bees
                words = query.text if searched.has_demands else searched.text
                columns = self._search.compare(replace(asked, text=words), query.audio, visitor)
                yield [*columns, ask_view.waiting(asking, event), gr.skip()]
            elif isinstance(event, Answer):
                turns = (*thread.turns, event.earlier)[-LONGEST_THREAD:]
                shown = ask_view.whole(event, self._search.engines, asking)
                yield [*UNCHANGED[:3], shown, Thread(turns, is_shown=True)]
            else:
                # Quotes give way to the sentences that a language model joins them to.
                sentences = event.sentences if isinstance(event, Quotes) else (*joined, event)
                joined = () if isinstance(event, Quotes) else sentences
                if evidence and time.monotonic() - drawn_s > OFTEN_S:
                    drawn_s = time.monotonic()
                    yield [*UNCHANGED[:3], ask_view.partly(evidence, sentences, asking), gr.skip()]

    def _query(self, asked: Asked, visitor: Visitor) -> Query:
        """Return what is asked. Raises EmptyQueryError, InputError, and what is wrong with a sound."""
        words = asked.text.strip()[:LONGEST_QUESTION]
        if not words and not asked.audio_path:
            raise EmptyQueryError(*Search.EMPTY)
        if not self._service.browse.has_passages(visitor):
            raise EmptyQueryError(*Search.NOTHING_THERE)
        sound = None if words else self._service.search.query_audio(Path(str(asked.audio_path)))
        return Query(words, sound, filters=asked.filters())
