"""The BEIR-style folder: what is read, and the reason given for every defect."""

import json
from pathlib import Path

import pytest

from speechsearch.domain.errors import InputError, NotFoundError
from speechsearch.evaluation import CollectionQuery, SpokenPassage, read_collection

CORPUS = '{"_id": "p1", "audio": "audio/a.wav", "text": "the bridge"}\n{"_id": "p2", "audio": "audio/b.wav"}\n'
QUERIES = '{"_id": "q1", "text": "who built it"}\n{"_id": "q2", "audio": "audio/q.wav"}\n'
QRELS = "query-id\tcorpus-id\tscore\nq1\tp1\t2\nq1\tp2\t0\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "a set"
    (place / "audio").mkdir(parents=True)
    (place / "qrels").mkdir()
    for name in ("a.wav", "b.wav", "q.wav"):
        (place / "audio" / name).write_bytes(b"sound")
    (tmp_path / "outside.wav").write_bytes(b"sound")
    (place / "corpus.jsonl").write_text(CORPUS)
    (place / "queries.jsonl").write_text(QUERIES)
    (place / "qrels/test.tsv").write_text(QRELS)
    return place


def test_reads_passages_queries_and_judgements(folder):
    collection = read_collection(folder)
    audio = (folder / "audio").resolve()
    assert collection.name == "a set"
    assert collection.passages == (
        SpokenPassage("p1", audio / "a.wav", "the bridge"),
        SpokenPassage("p2", audio / "b.wav"),
    )
    assert collection.queries == (CollectionQuery("q1", "who built it"), CollectionQuery("q2", "", audio / "q.wav"))
    assert collection.relevance == {"q1": {"p1": 2}}
    assert collection.is_answerable("q1") and not collection.is_answerable("q2")


def test_reads_windows_line_ends_blank_lines_and_a_byte_order_mark(folder):
    for name, text in (("corpus.jsonl", CORPUS), ("queries.jsonl", QUERIES), ("qrels/test.tsv", QRELS)):
        (folder / name).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n\r\n").encode())
    assert read_collection(folder).relevance == {"q1": {"p1": 2}}


def test_text_beside_audio_only_says_what_is_said(folder):
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "who", "audio": "audio/q.wav"}\n')
    assert read_collection(folder).queries[0] == CollectionQuery("q1", "who", (folder / "audio/q.wav").resolve())


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
def test_a_missing_list_is_named_with_the_layout(folder, name):
    (folder / name).unlink()
    with pytest.raises(NotFoundError, match=rf"{Path(name).name} is missing\. The folder holds corpus\.jsonl"):
        read_collection(folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(NotFoundError, match="nowhere is not a folder"):
        read_collection(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1]", "a JSON object is expected"),
        ('{"audio": "audio/a.wav"}', '"_id" must be a printable text'),
        ('{"_id": 7, "audio": "audio/a.wav"}', '"_id" must be a printable text'),
        ('{"_id": "a\\tb", "audio": "audio/a.wav"}', '"_id" must be a printable text'),
        ('{"_id": "\\ud800", "audio": "audio/a.wav"}', '"_id" must be a printable text'),
        ('{"_id": "p1", "audio": "audio/a.wav"}', "'p1' was given in line 1 already"),
        ('{"_id": "p3"}', '"audio" must be the path'),
        ('{"_id": "p3", "audio": "a\\u0000b"}', '"audio" must be the path'),
        ('{"_id": "p3", "audio": "../outside.wav"}', "leads out of the folder"),
        ('{"_id": "p3", "audio": "/etc/passwd"}', "leads out of the folder"),
        ('{"_id": "p3", "audio": "audio/none.wav"}', "'audio/none.wav' does not exist"),
        ('{"_id": "p3", "audio": "audio"}', "'audio' does not exist"),
        (json.dumps({"_id": "p3", "audio": "x" * 5000}), "cannot be opened"),
        ('{"_id": "p3", "audio": "audio/a.wav", "text": ["x"]}', '"text" must be text'),
        ('{"_id": "p3", "audio": "audio/a.wav", "text": "\\udfff"}', '"text" must be text'),
        (json.dumps({"_id": "p3", "text": "x" * 1_000_000}), "longer than 1,000,000 characters"),
    ],
)
def test_a_bad_passage_is_refused_with_file_and_line(folder, line, reason):
    (folder / "corpus.jsonl").write_text(CORPUS + line + "\n")
    with pytest.raises(InputError, match=rf"corpus\.jsonl, line 3: .*{reason}"):
        read_collection(folder)


def test_a_link_that_leaves_the_folder_is_refused(folder):
    (folder / "audio/link.wav").symlink_to(folder.parent / "outside.wav")
    (folder / "corpus.jsonl").write_text('{"_id": "p1", "audio": "audio/link.wav"}\n')
    with pytest.raises(InputError, match=r"line 1: .*leads out of the folder"):
        read_collection(folder)


def test_links_in_a_circle_are_refused(folder):
    (folder / "audio/one").symlink_to("two")
    (folder / "audio/two").symlink_to("one")
    (folder / "corpus.jsonl").write_text('{"_id": "p1", "audio": "audio/one"}\n')
    with pytest.raises(InputError, match=r"line 1: .*(cannot be opened|does not exist)"):
        read_collection(folder)


def test_a_query_needs_words_or_sound(folder):
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": " "}\n')
    with pytest.raises(InputError, match=r'queries\.jsonl, line 1: the query "q1" has neither "text" nor "audio"'):
        read_collection(folder)


def test_an_empty_list_is_refused(folder):
    (folder / "queries.jsonl").write_text("\n\n")
    with pytest.raises(InputError, match=r"queries\.jsonl: no line in it"):
        read_collection(folder)


def test_text_that_is_not_utf8_is_refused(folder):
    (folder / "corpus.jsonl").write_bytes(CORPUS.encode() + b'{"_id": "\xff"}\n')
    with pytest.raises(InputError, match=r"corpus\.jsonl, after line \d: not UTF-8"):
        read_collection(folder)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1: the header line"),
        ("q1\tp1\t1\n", "line 1: the header line"),
        (QRELS + "q1 p1 1\n", "line 4: 1 cells"),
        (QRELS + "q9\tp1\t1\n", "line 4: the query 'q9' is not in queries.jsonl"),
        (QRELS + "q2\tp9\t1\n", "line 4: the passage 'p9' is not in corpus.jsonl"),
        (QRELS + "q1\tp1\t1\n", "line 4: the pair 'q1', 'p1' was given already"),
        (QRELS + "q2\tp1\t-1\n", "line 4: the score '-1' is not a whole number"),
        (QRELS + "q2\tp1\t0.5\n", "line 4: the score '0.5' is not a whole number"),
        (QRELS + "q2\tp1\t²\n", "line 4: the score '²' is not a whole number"),
    ],
)
def test_a_bad_judgement_is_refused_with_file_and_line(folder, text, reason):
    (folder / "qrels/test.tsv").write_text(text)
    with pytest.raises(InputError, match=rf"test\.tsv, {reason}"):
        read_collection(folder)
