"""Names as they are typed and imported, and how they make words of a question sound."""

from __future__ import annotations

import pytest

from speechsearch.domain.errors import InputError
from speechsearch.domain.listed_name import ListedName, checked_name, names_in_table, table_of
from speechsearch.domain.values import Query, SpokenWord
from speechsearch.retrieval.names import MOST_MEANT, Verdicts, hear_name, sounds_of
from speechsearch.retrieval.spotting import with_sounds
from speechsearch.text.spoken import spoken_words
from tests.unit.test_demands import heard, symbols

TABLES = {
    "plain": b"Ada,ay da\nBob,bawb\n",
    "headings": "\ufeffName,Sounds like\r\nAda,ay da\r\nBob,bawb\r\n".encode(),
    "semicolons": b"sep=;\r\nName;Sounds like\r\nAda;ay da\r\nBob;bawb\r\n",
    "utf-16": "Name\tSounds like\r\nAda\tay da\r\nBob\tbawb\r\n".encode("utf-16"),
    "quoted, spaces and blank lines": b'"Ada" , " ay  da "\n\n , \nBob,bawb;',
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_tables_are_read_as_they_are(table: bytes) -> None:
    assert list(names_in_table(table)) == [ListedName("Ada", ("ay da",)), ListedName("Bob", ("bawb",))]


def test_a_table_of_windows_and_several_spellings() -> None:
    assert list(names_in_table("Gauß;goss;gowss|gouse".encode("cp1252"))) == [
        ListedName("Gauß", ("goss", "gowss", "gouse"))
    ]


def test_lines_that_cannot_be_used_are_named_and_the_others_read() -> None:
    found = list(names_in_table(b"Ada\n" + b"x" * 101 + b"\n,bawb\nBob\n"))
    assert [one.written for one in found if isinstance(one, ListedName)] == ["Ada", "Bob"]
    assert [one.split(":")[0] for one in found if isinstance(one, str)] == ["Line 2", "Line 3"]


def test_what_is_written_out_is_read_again() -> None:
    names = [ListedName("=1+1", ("-x", "y")), ListedName('a "b", c'), ListedName("Łódź", ("woodge",))]
    assert list(names_in_table(table_of(names).encode())) == names
    assert table_of(names).splitlines()[1].startswith("'=")


BAD = [("", ()), ("  ", ()), ("x" * 101, ()), ("a\u202eb", ()), ("a", tuple("bcdefg"))]


@pytest.mark.parametrize(("written", "spellings"), BAD)
def test_names_that_cannot_be_kept(written: str, spellings: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=r"empty|too long|not seen|spellings"):
        checked_name(written, spellings)


def pronounce(query: Query) -> list[SpokenWord]:
    said = {"voy": "V OY", "che": "CH EH", "ada": "EY D AH"}
    return [SpokenWord(word, (symbols(said.get(word, "Z UH")),)) for word in spoken_words(query.text)]


WHOLE = ListedName("Ada Wojcie", ("ada voy che",))
WORDWISE = ListedName("Ada Wojcie", ("ada voy",))


def known(written: str) -> Verdicts:
    return Verdicts(frozenset({"right"}), frozenset({"wrong"}))


def test_a_name_sounds_as_it_is_spelt_for_the_words_that_a_question_has() -> None:
    (sound,) = sounds_of([WHOLE], "who is Ada Wojcie", pronounce, known)
    assert sound.pronunciations == (symbols("EY D AH V OY CH EH"),)
    assert (sound.confirmed, sound.rejected) == known("")
    assert sounds_of([WHOLE], "who is there", pronounce, known) == ()
    (part,) = sounds_of([WHOLE], "Wojcie", pronounce, known)
    assert part.pronunciations == sound.pronunciations and not part.confirmed and not part.rejected
    words = with_sounds(pronounce(Query("wojcie")), sounds_of([WORDWISE], "Wojcie", pronounce, known))
    assert symbols("V OY") in words[0].pronunciations


def test_a_recorded_example_counts_for_its_encoder_only() -> None:
    name = ListedName("Wojcie", (), symbols("V OY"), "encoder-1")
    (sound,) = sounds_of([name], "Wojcie", pronounce, lambda written: Verdicts(), "encoder-1")
    assert sound.pronunciations == (symbols("V OY"),)
    assert sounds_of([name], "Wojcie", pronounce, lambda written: Verdicts(), "encoder-2") == ()


def test_where_a_name_is_heard() -> None:
    tracks = {"said": heard("old", "voy", "che"), "not": heard("old", "model", "bridge")}
    sounds = (SpokenWord("wojcie", (symbols("V OY CH EH"),)),)
    first, second = hear_name(ListedName("Wojcie"), pronounce, sounds, tracks, {"not": ["Wojcie?"]})
    assert {first.passage_id, second.passage_id} == {"said", "not"}
    said, other = (first, second) if first.passage_id == "said" else (second, first)
    assert said.likelihood > 0.4 > 0.1 > other.likelihood
    assert (said.is_written, other.is_written) == (False, True)
    assert 0.1 < said.start_s < said.end_s < 1.0


def test_a_family_does_not_make_a_question_long() -> None:
    family = [ListedName(f"Ada X{chr(97 + one)}y", ("ada voy che",)) for one in range(20)] * 3
    whole = ListedName("Ada Zyx", ("ada voy che",))
    found = sounds_of([*family, whole], f"when did {whole.written} leave", pronounce, lambda name: Verdicts())
    assert found[0].text == " ".join(spoken_words(whole.written))
    assert len([one for one in found if " " in one.text]) == MOST_MEANT
