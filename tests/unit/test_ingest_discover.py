"""Files, folders and metadata.csv."""

import os
from pathlib import Path, PurePosixPath

import pytest

from ingest import Description, Rejected, Source, discover
from ingest.metadata import Metadata, describe, parse
from speechsearch.domain.errors import InputError, TooLargeError
from speechsearch.domain.limits import Limits


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def found_in(*paths: Path, **limits: float) -> list[Source | Rejected]:
    return list(discover(paths, Limits(**limits), paths[0].parent / "work"))


def test_a_folder_is_read_at_all_levels_in_order(tmp_path):
    folder = write(
        tmp_path / "talks",
        {"b.wav": "b", "a.MP3": "a", "day 1/c.opus": "c", "notes.txt": "x", ".hidden.wav": "x", ".git/d.wav": "x"},
    )
    assert [one.name for one in found_in(folder)] == ["talks/a.MP3", "talks/b.wav", "talks/day 1/c.opus"]


def test_links_that_leave_the_folder_are_passed_over(tmp_path):
    outside = write(tmp_path / "outside", {"secret.wav": "x"})
    folder = write(tmp_path / "talks", {"a.wav": "a"})
    (folder / "out.wav").symlink_to(outside / "secret.wav")
    (folder / "out").symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    (folder / "again.wav").symlink_to(folder / "a.wav")
    (folder / "dangling.wav").symlink_to(folder / "nothing.wav")
    os.mkfifo(folder / "pipe.wav")
    assert [one.name for one in found_in(folder)] == ["talks/a.wav", "talks/again.wav"]


def test_an_archive_in_a_folder_is_opened_in_its_place(tmp_path):
    import zipfile

    folder = write(tmp_path / "talks", {"a.wav": "a", "z.wav": "z"})
    with zipfile.ZipFile(folder / "m.zip", "w") as archive:
        archive.writestr("metadata.csv", "file,title\nin.wav,Inside\n")
        archive.writestr("in.wav", b"in")
    found = found_in(folder)
    assert [one.name for one in found] == ["talks/a.wav", "talks/m.zip/in.wav", "talks/z.wav"]
    assert found[1].description.title == "Inside"


def test_a_file_that_is_named_directly_is_tried_whatever_its_ending(tmp_path):
    write(tmp_path, {"sound.dat": "x"})
    (one,) = found_in(tmp_path / "sound.dat")
    assert one == Source("sound.dat", tmp_path / "sound.dat", 1)


def test_what_cannot_be_used_is_named_and_the_rest_goes_on(tmp_path):
    write(tmp_path, {"large.wav": "12345", "small.wav": "1", "empty/notes.txt": "x"})
    missing, large, small, empty = found_in(
        tmp_path / "missing.wav", tmp_path / "large.wav", tmp_path / "small.wav", tmp_path / "empty", file_bytes=4
    )
    assert "'missing.wav' does not exist" in str(missing.error)
    assert isinstance(large.error, TooLargeError)
    assert small.name == "small.wav"
    assert "holds no sound files" in str(empty.error)


def test_files_and_bytes_are_known_before_the_first_recording(tmp_path):
    folder = write(tmp_path / "talks", {"a.wav": "12", "b.wav": "345", "metadata.csv": "file\nlost.wav\n"})
    selection = discover([folder, tmp_path / "missing.wav"], Limits(), tmp_path / "work")
    assert (selection.files, selection.size_bytes) == (3, 5)


def test_metadata_is_taken_from_the_nearest_file_above(tmp_path):
    folder = write(
        tmp_path / "talks",
        {
            "metadata.csv": "file,title,speaker\naudio/a.wav,From above,Ann\naudio/b.wav,Hidden,Ann\n",
            "audio/metadata.csv": "file_name,title,license,collection\nb.wav,Near,CC0,Archive\n",
            "audio/a.wav": "a",
            "audio/b.wav": "b",
        },
    )
    a, b, warning = found_in(folder)
    assert a.description == Description(title="From above", speaker="Ann")
    assert b.description == Description(title="Near", licence="CC0", collection="Archive")
    assert warning.is_warning
    assert "describes 'audio/b.wav', which is not there" in str(warning.error)


def test_metadata_next_to_or_given_with_a_file_describes_it(tmp_path):
    beside = write(tmp_path / "one", {"a.wav": "a", "metadata.csv": "file,title\na.wav,Beside\n"})
    upload = write(tmp_path / "two", {"metadata.csv": "file,title\nb.wav,Given\n"})
    other = write(tmp_path / "three", {"b.wav": "b"})
    a, b = found_in(beside / "a.wav", upload / "metadata.csv", other / "b.wav")
    assert [a.description.title, b.description.title] == ["Beside", "Given"]


def test_rows_without_a_file_in_an_archive_are_warnings(tmp_path):
    import tarfile

    folder = write(tmp_path / "in", {"metadata.csv": "file,title\na.wav,A\nlost.wav,B\n", "a.wav": "a"})
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(folder / "a.wav", "talks/a.wav")
        archive.add(folder / "metadata.csv", "talks/metadata.csv")  # after the sound it describes
    a, warning = found_in(tmp_path / "a.tar.gz")
    assert a.description.title == "A"
    assert warning.is_warning
    assert "lost.wav" in str(warning.error)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbffile,title\na.wav,B\xc3\xa9la\n",
        b"File ; TITLE\r\n./a.wav;B\xc3\xa9la\r\n\r\n",
        b"path\ttitle\na.wav\tB\xc3\xa9la",
        b'title,file_name\n"B\xc3\xa9la",a.wav\n',
    ],
)
def test_variants_of_metadata_read_the_same(content):
    metadata = parse(content, "metadata.csv", 100)
    assert metadata.rows == {"a.wav": Description(title="Béla")}
    assert not metadata.problems


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no column 'file'"),
        (b"title\nx\n", "has no column 'file'"),
        (b"file\n\xff\xfe\n", "is not UTF-8 text"),
        (b"file,title\na.wav\n", "Line 2 .* has 1 values for 2 columns"),
        (b"file,title\na.wav,b,c\n", "Line 2 .* has 3 values for 2 columns"),
        (b"file,title\n ,b\n", "names no file"),
        (b"file\na.wav\na.wav\n", "a second time"),
        (b"file\n" + b"x" * 200_000, "field larger than field limit"),
        (b"file\n" + b"a.wav\nb.wav\n" * 60, "more than 100 rows"),
        (b"x" * 8_000_001, "has more than 8,000,000 bytes"),
    ],
)
def test_what_is_wrong_with_metadata_is_a_warning(content, message):
    metadata = parse(content, "talks/metadata.csv", 100)
    assert all(problem.is_warning and isinstance(problem.error, InputError) for problem in metadata.problems)
    with pytest.raises(InputError, match=message):
        raise metadata.problems[-1].error


def test_values_are_cleaned_and_cut():
    row = parse(b"file,title,speaker\na.wav,A\x00\x1b[2J\xe2\x80\xaeB," + b"x" * 999 + b"\n", "m", 9).rows["a.wav"]
    assert row.title == "A[2JB"
    assert len(row.speaker) == 120


def test_a_hostile_key_matches_nothing():
    table = Metadata("m", {"../a.wav": Description(title="x"), "/a.wav": Description(title="y")})
    assert describe(PurePosixPath("a.wav"), {PurePosixPath("."): table})[0] == Description()
