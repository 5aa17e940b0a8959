"""Join the sentences of squad_nqg_test to paragraphs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def squad_paragraphs(rows: Iterable[tuple[str, str]], sentences: int) -> Iterator[tuple[list[str], list[str]]]:
    """Yield (sentences, questions) of paragraphs made of consecutive distinct sentences.

    >>> rows = [("a .", "1?"), ("b .", "2?"), ("a .", "3?"), ("c .", "4?"), ("d .", "5?"), ("e .", "6?")]
    >>> list(squad_paragraphs(rows, 2))
    [(['a .', 'b .'], ['1?', '2?', '3?']), (['c .', 'd .'], ['4?', '5?'])]
    """
    said: list[str] = []
    asked: list[str] = []
    told: set[str] = set()
    for sentence, question in rows:
        if sentence in said:
            asked.append(question)
            continue
        if len(said) == sentences:
            yield said, asked
            said, asked = [], []
        if sentence not in told:  # a sentence of an earlier paragraph would make two passages right
            told.add(sentence)
            said.append(sentence)
            asked.append(question)
    if len(said) == sentences:
        yield said, asked
