"""Queries of names only: the rules on made-up passages, and the invented passages that are committed."""

from __future__ import annotations

from benchmarks.name_queries import MOST_RELEVANT, names_in, queries_of, read_invented, relevant_to
from speechsearch.text.spoken import spoken_words

COMMON = frozenset("the a of in saw old man was not there and".split())


def test_sentence_starts_titles_and_contractions_are_no_names() -> None:
    assert names_in("Man saw Bo. Old Ada, and I'm there. The Wolf! Not a man.", COMMON) == ["Bo", "Ada", "Wolf"]
    assert names_in("the old man saw Mr. Quist's zither", COMMON) == ["Mr Quist", "zither"]


def test_every_passage_with_the_words_is_relevant_and_common_names_are_left_out() -> None:
    words_of = {f"p{i}": {"wolf", "ada"} if i < 2 else {"wolf"} for i in range(MOST_RELEVANT + 2)}
    names = {"p0": ["Wolf", "Ada"], "p1": ["Ada"]}
    found = list(queries_of("tale", names, words_of, 3, 1))
    assert {query.text: query.relevant for query in found} == {"Ada": ("p0", "p1"), "Wolf Ada": ("p0", "p1")}
    assert [query.kind for query in found] == ["tale", "tale"]


def test_the_invented_passages_have_their_names() -> None:
    rows = read_invented()
    words_of = {row["id"]: frozenset(spoken_words(row["text"])) for row in rows}
    assert len(rows) == len(words_of) == 40
    for row in rows:
        assert 80 <= len(row["text"].split()) <= 112
        assert len(row["queries"]) >= 4
        for query in row["queries"]:
            assert 1 <= len(query.split()) <= 3 and relevant_to(query, words_of) == (row["id"],), query
