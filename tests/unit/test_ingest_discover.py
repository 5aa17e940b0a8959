"""Files, folders and metadata.csv."""

import os
from pathlib import Path, PurePosixPath

import pytest

from ingest import Description, Rejected, Source, discover, metadata
from ingest.matching import matched
from ingest.metadata import Metadata, parse
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
    *taken, left_out = found_in(folder)
    assert [one.name for one in taken] == ["talks/a.MP3", "talks/b.wav", "talks/day 1/c.opus"]
    assert (left_out.name, left_out.state) == ("talks/notes.txt", "skipped")
    assert ".txt is no ending of sound" in str(left_out.error)


def test_links_that_leave_the_folder_are_named_and_not_followed(tmp_path):
    outside = write(tmp_path / "outside", {"secret.wav": "x"})
    folder = write(tmp_path / "talks", {"a.wav": "a"})
    (folder / "out.wav").symlink_to(outside / "secret.wav")
    (folder / "out").symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    (folder / "again.wav").symlink_to(folder / "a.wav")
    (folder / "dangling.wav").symlink_to(folder / "nothing.wav")
    os.mkfifo(folder / "pipe.wav")
    a, again, *left_out = found_in(folder)
    assert [one.name for one in (a, again)] == ["talks/a.wav", "talks/again.wav"]
    said = {one.name: (one.state, str(one.error)) for one in left_out}
    assert {name: state for name, (state, _) in said.items()} == {
        "talks/dangling.wav": "failed",
        "talks/loop": "skipped",
        "talks/out": "failed",
        "talks/out.wav": "failed",
        "talks/pipe.wav": "failed",
    }
    assert "leads out of the folder, and was left out for safety" in said["talks/out.wav"][1]
    assert "leads nowhere" in said["talks/dangling.wav"][1]
    assert "is no file but a pipe or a device" in said["talks/pipe.wav"][1]


def test_a_folder_that_holds_only_links_names_them(tmp_path):
    outside = write(tmp_path / "blobs", {"3f2a": "x"})
    folder = write(tmp_path / "snapshots", {})
    folder.mkdir()
    (folder / "talk.wav").symlink_to(outside / "3f2a")
    empty, link = found_in(folder)
    assert "holds no sound files" in str(empty.error)
    assert (link.name, link.state) == ("snapshots/talk.wav", "failed")


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
    missing, large, small, notes, empty = found_in(
        tmp_path / "missing.wav", tmp_path / "large.wav", tmp_path / "small.wav", tmp_path / "empty", file_bytes=4
    )
    assert "'missing.wav' does not exist" in str(missing.error)
    assert isinstance(large.error, TooLargeError)
    assert small.name == "small.wav"
    assert "holds no sound files" in str(empty.error)
    assert notes.name == "empty/notes.txt"


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
    assert warning.state == "warning"
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
    assert warning.state == "warning"
    assert "lost.wav" in str(warning.error)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbffile,title\na.wav,B\xc3\xa9la\n",
        b"File ; TITLE\r\n./a.wav;B\xc3\xa9la\r\n\r\n",
        b"path\ttitle\na.wav\tB\xc3\xa9la",
        b'title,file_name\n"B\xc3\xa9la",a.wav\n',
        b"sep=;\r\nfile;title\r\na.wav;B\xc3\xa9la\r\n",
        b'\xef\xbb\xbf"sep=|"\nfile|title\na.wav|B\xc3\xa9la\n',
        "file\ttitle\r\na.wav\tBéla\r\n".encode("utf-16"),
        "file,title\na.wav,Béla\n".encode("utf-16-le"),
        "file;title\na.wav;Béla\n".encode("utf-16-be"),
        "file,title\na.wav,Béla\n".encode("utf-32"),
        "File Name,Title\ra.wav,Béla\r".encode(),
        "My talks;;\n;;\nNr;Filename;Titel\n1;a.wav;Béla\n".encode(),
        'file,title,speaker,date\na.wav,"Bé\u0301la"\n'.replace("é\u0301", "e\u0301").encode(),
        "file,title,,\na.wav,Béla,,,,,\n".encode(),
        'file,title\n"a.wav","\nBéla\n"\n\n'.encode(),
    ],
)
def test_variants_of_metadata_read_the_same(content: bytes) -> None:
    metadata = parse(content, "metadata.csv", 100)
    assert metadata.rows == {"a.wav": Description(title="Béla")}
    assert not metadata.problems


@pytest.mark.parametrize(
    ("encoding", "title"),
    [
        ("cp1252", "Gespräch – „Café“ mit Zoë"),
        ("cp1252", "São Paulo, Lições"),
        ("cp1251", "Интервью с директором"),
        ("cp932", "会議の録音"),
        ("gb18030", "北京访谈"),
        ("mac_roman", "Gespräch mit Zoë"),
    ],
)
def test_a_table_of_an_old_program_is_read_and_the_guess_is_said(encoding: str, title: str) -> None:
    metadata = parse(f"file;title\na.wav;{title}\n".encode(encoding), "metadata.csv", 100)
    assert metadata.rows["a.wav"].title == title
    (problem,) = metadata.problems
    assert problem.state == "warning" and f"it was read as {encoding}" in str(problem.error)


@pytest.mark.parametrize(
    ("header", "field", "value"),
    [
        ("Filename,Recording title", "title", "x"),
        ("path;SPEAKER_NAME", "speaker", "x"),
        ("audio file\tNarrator", "speaker", "x"),
        ("Datei;Sprecherin", "speaker", "x"),
        ("file,Recorded on", "date", "x"),
        ("file-name,Lang", "language", "x"),
        ("FILE,License", "licence", "x"),
        ("file,URL", "source", "x"),
    ],
)
def test_columns_may_be_called_otherwise(header: str, field: str, value: str) -> None:
    mark = next(sign for sign in ",;\t" if sign in header)
    row = parse(f"{header}\na.wav{mark}{value}\n".encode(), "metadata.csv", 100).rows["a.wav"]
    assert getattr(row, field) == value


def test_of_a_table_of_millions_of_columns_only_the_first_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []
    monkeypatch.setattr(metadata, "column_key", lambda head: looked_at.append(head) or "")
    for content in (b"," * 100_000, b"file" + b",a" * 100_000):
        assert metadata.parse(content, "metadata.csv", 100).rows == {}
    assert len(looked_at) < 1_000


def test_of_columns_that_mean_the_same_the_usual_one_counts() -> None:
    row = parse(b"path,speaker_id,file,speaker\nx.wav,17,a.wav,Ann\n", "metadata.csv", 100).rows["a.wav"]
    assert row.speaker == "Ann"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no column 'file'"),
        (b"a.wav,Lamp\n", r"has no column 'file' \(it begins with: a.wav, Lamp\)"),
        (b"title\nx\n", "has no column 'file'"),
        (b"file\n\xff\xfe\n", "is not in UTF-8; it was read as"),
        (b"file,title\na.wav,b,c\n", "Line 2 .* has 3 values for 2 columns"),
        (b"sep=,\nfile,title\na.wav,b,c\n", "Line 3 .* has 3 values for 2 columns"),
        (b"file,title\n ,b\n", "names no file"),
        (b"file\na.wav\na.wav\n", "a second time"),
        (b"file\n" + b"x" * 200_000, "field larger than field limit"),
        (b"file\n" + b"a.wav\nb.wav\n" * 60, "more than 100 rows"),
        (b"x" * 8_000_001, "has more than 8,000,000 bytes"),
    ],
)
def test_what_is_wrong_with_metadata_is_a_warning(content, message):
    metadata = parse(content, "talks/metadata.csv", 100)
    assert all(problem.state == "warning" and isinstance(problem.error, InputError) for problem in metadata.problems)
    with pytest.raises(InputError, match=message):
        raise metadata.problems[-1].error


def test_values_are_cleaned_and_cut():
    row = parse(b"file,title,speaker\na.wav,A\x00\x1b[2J\xe2\x80\xaeB," + b"x" * 999 + b"\n", "m", 9).rows["a.wav"]
    assert row.title == "A[2JB"
    assert len(row.speaker) == 120


def test_a_hostile_key_matches_nothing():
    table = Metadata("m", {"../a.wav": Description(title="x"), "/a.wav": Description(title="y")})
    found, problems = matched([PurePosixPath("a.wav")], {PurePosixPath("."): table})
    assert found == {} and len(problems) == 2


@pytest.mark.parametrize(
    ("file", "row"),
    [
        ("Zoe\u0308 B.wav", "Zo\u00eb B.wav"),
        ("Zo\u00eb B.wav", "Zoe\u0308 B.wav"),
        ("Talk_01.WAV", "talk_01.wav"),
        ("day 1/talk.wav", "Day 1\\talk.wav"),
        ("my_first_talk.wav", "my first talk.wav"),
        ("my talk.wav", "my%20talk.wav"),
        ("talk – one.wav", "talk - one.wav"),
        ("talk.wav", "talk"),
        ("talk.v2.wav", "Talk.v2"),
        ("talk.wav", " ./talk.wav "),
        ("ｔａｌｋ.wav", "talk.wav"),
        (b"caf\xe9.wav".decode("utf-8", "surrogateescape"), "café.wav"),
    ],
)
def test_names_that_are_only_written_differently_belong_together(tmp_path: Path, file: str, row: str) -> None:
    folder = write(tmp_path / "talks", {file: "x", "metadata.csv": f'file,title\n"{row}",Opening\n'})
    (one,) = found_in(folder)
    assert one.description.title == "Opening"
    assert one.name.isprintable() and "\udce9" not in one.name
    (alone,) = found_in(folder / file) if "/" not in file else [one]
    assert alone.description.title == "Opening"


def test_what_has_the_name_of_a_sound_does_not_make_a_row_doubtful(tmp_path: Path) -> None:
    files = {"talk.wav": "x", "talk.srt": "", "talk.jpg": "x", "metadata.csv": "file,title\ntalk,Opening\n"}
    folder = write(tmp_path / "talks", files)
    sound, picture = found_in(folder)
    assert (sound.description.title, picture.state) == ("Opening", "skipped")
    assert found_in(folder / "talk.wav")[0].description.title == "Opening"


def test_very_many_tables_in_very_many_folders_are_no_trouble() -> None:
    folders = [PurePosixPath(f"{number}") for number in range(5000)]
    tables = {folder: Metadata("m", {"a.wav": Description(title=str(folder))}) for folder in folders}
    found, problems = matched([folder / "a.wav" for folder in folders], tables)
    assert len(found) == 5000 and not problems


def test_a_name_that_may_mean_two_files_describes_none(tmp_path: Path) -> None:
    table = "file,title\ntalk,T\na b.wav,A\n"
    sounds = dict.fromkeys(("talk.wav", "talk.mp3", "a_b.wav", "a b.wav"), "x")
    found = found_in(write(tmp_path / "talks", {**sounds, "metadata.csv": table}))
    assert {one.name: one.description.title for one in found[:-1]} == {
        "talks/a b.wav": "A", "talks/a_b.wav": "", "talks/talk.mp3": "", "talks/talk.wav": "",
    }  # fmt: skip
    assert "which may be 'talk.mp3' or 'talk.wav', so it was not used" in str(found[-1].error)


def test_other_endings_are_named_in_folders_and_archives(tmp_path: Path) -> None:
    import zipfile

    files = {
        "news.mp2": "a", "voice.3ga": "b", "clip.mpga": "c", "capture.ts": "d", "clip.wmv": "e", "call.awb": "f",
        "README": "x", "cover.jpg": "x", "talk.mp3.part": "x", "metadata.xlsx": "x", "old.rar": "x", "Thumbs.db": "x",
        "._news.mp2": "x", "__MACOSX/._news.mp2": "x", ".DS_Store": "x",
    }  # fmt: skip
    folder = write(tmp_path / "talks", files)
    with zipfile.ZipFile(tmp_path / "talks.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    for path in (folder, tmp_path / "talks.zip"):
        found = found_in(path)
        taken = sorted(one.name.rpartition("/")[2] for one in found if isinstance(one, Source))
        assert taken == ["call.awb", "capture.ts", "clip.mpga", "clip.wmv", "news.mp2", "voice.3ga"]
        states = {one.name.rpartition("/")[2]: one.state for one in found if isinstance(one, Rejected)}
        assert states == {
            "README": "skipped", "cover.jpg": "skipped", "talk.mp3.part": "skipped", "metadata.xlsx": "warning",
            "old.rar": "failed",
        }  # fmt: skip


def test_of_very_many_other_files_the_rest_is_counted(tmp_path: Path) -> None:
    folder = write(tmp_path / "talks", {"a.wav": "a", **{f"{number}.jpg": "x" for number in range(250)}})
    found = found_in(folder)
    assert len(found) == 1 + 200 + 1
    assert "And 50 more files that are no sound were left out" in str(found[-1].error)
