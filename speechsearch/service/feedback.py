"""What visitors say of answers: whether a passage answers a question."""

from __future__ import annotations

from collections.abc import Collection

from speechsearch.domain.errors import NotAllowedError, NotFoundError, TooManyError
from speechsearch.domain.visitors import LOCAL, Visitor
from speechsearch.library.library import Library
from speechsearch.retrieval.engine_cards import DEFAULT
from speechsearch.service.browse import Browse
from speechsearch.store import Judgement

MOST_JUDGEMENTS = 10_000


class Feedback:
    """Keeps judgements, and shows them to those who may read them.

    Args:
        library: whose passages are judged.
        browse: knows what a visitor sees.
        engines: the names of the engines.
        has_logins: whether anybody can log in; then an owner reads what others judged.
    """

    def __init__(self, library: Library, browse: Browse, engines: Collection[str], has_logins: bool) -> None:
        self._library, self._browse = library, browse
        self._engines, self._has_logins = engines, has_logins

    def judge(
        self,
        question: str,
        passage_id: str,
        relevance: int | None,
        engine_name: str = DEFAULT,
        rank: int = 0,
        visitor: Visitor = LOCAL,
    ) -> None:
        """Keep a visitor's judgement whether a passage answers a question (1) or not (0), or forget it (None).

        Raises:
            NotFoundError: there is no such engine, or no such passage for the visitor.
            InputError: the question cannot be kept.
            TooManyError: the visitor has judged very often.
        """
        if engine_name not in self._engines:
            raise NotFoundError(
                f"There is no engine {engine_name!r:.80}.", f"Choose one of: {', '.join(self._engines)}."
            )
        self._browse.passage(passage_id, visitor)
        question, store = " ".join(question.split()), self._library.store
        if relevance is None:
            store.judgements.clear(visitor.visitor_id, question, passage_id)
            return
        if store.judgements.count(visitor.visitor_id) >= MOST_JUDGEMENTS:
            raise TooManyError(f"You have given {MOST_JUDGEMENTS:,} judgements.", "Withdraw some.")
        store.judgements.put(Judgement(visitor.visitor_id, question, passage_id, relevance, engine_name, rank))

    def judgements(
        self, question: str | None = None, visitor: Visitor = LOCAL, of_everybody: bool = False
    ) -> list[Judgement]:
        """Return the visitor's judgements (on one question), or everybody's on passages that the visitor sees.

        Raises:
            NotAllowedError: everybody's are only for owners, and where nobody logs in, for who is at the machine.
        """
        if of_everybody and not (visitor.sees_all or (visitor.is_owner and self._has_logins)):
            raise NotAllowedError("Only an owner sees what others judged.", "Log in.")
        asked = None if question is None else " ".join(question.split())
        found = self._library.store.judgements.find(None if of_everybody else visitor.visitor_id, asked)
        recordings = self._library.store.recordings.of_passages([one.passage_id for one in found])
        return [
            one for one in found if one.passage_id in recordings and visitor.sees(recordings[one.passage_id].collection)
        ]
