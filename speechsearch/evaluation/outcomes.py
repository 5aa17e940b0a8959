"""What engines' rankings say question by question: curves, and what only one of two engines finds. All pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Rankings = Mapping[str, Sequence[str]]
Relevance = Mapping[str, Mapping[str, int]]


def first_ranks(rankings: Rankings, relevance: Relevance) -> dict[str, int | None]:
    """Return the rank of the first right answer to every question that has one; None where it was not found.

    >>> first_ranks({"q1": ["b", "a", "a"], "q2": ["c"]}, {"q1": {"a": 1}, "q2": {"a": 1}, "q3": {}})
    {'q1': 2, 'q2': None}
    """
    return {
        query: next((rank for rank, one in enumerate(dict.fromkeys(rankings.get(query, ())), 1) if one in wanted), None)
        for query, wanted in answerable(relevance).items()
    }


def recall_curve(rankings: Rankings, relevance: Relevance, deepest: int = 20) -> list[float]:
    """Return recall@1 ... recall@deepest, means over the questions that have an answer; empty without any.

    >>> recall_curve({"q1": ["b", "a"], "q2": ["c", "b"]}, {"q1": {"a": 1}, "q2": {"c": 1, "d": 1}}, 3)
    [0.25, 0.75, 0.75]
    """
    wanted = answerable(relevance)
    found = {query: list(dict.fromkeys(rankings.get(query, ()))) for query in wanted}
    return [
        sum(len(set(found[query][:k]) & set(grades)) / len(grades) for query, grades in wanted.items()) / len(wanted)
        for k in range(1, deepest + 1)
        if wanted
    ]


def found_by_one(ours: Rankings, theirs: Rankings, relevance: Relevance, k: int) -> list[str]:
    """Return the questions whose right answer is among the first ``k`` of our ranking and not of theirs.

    >>> found_by_one({"q1": ["a"], "q2": ["b", "a"]}, {"q1": ["b", "a"], "q2": []}, {"q1": {"a": 1}, "q2": {"a": 1}}, 1)
    ['q1']
    """
    mine, other = first_ranks(ours, relevance), first_ranks(theirs, relevance)
    return [query for query, rank in mine.items() if rank and rank <= k and not 0 < (other[query] or 0) <= k]


def answerable(relevance: Relevance) -> dict[str, list[str]]:
    """Return the right answers to every question that has some, the questions in ascending order of their ids."""
    wanted = {query: [name for name, grade in grades.items() if grade > 0] for query, grades in relevance.items()}
    return {query: wanted[query] for query in sorted(wanted) if wanted[query]}
