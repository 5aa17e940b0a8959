"""Archives that are hostile, damaged or just odd."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from ingest import Rejected, Source, discover
from ingest.archives import members
from ingest.unpacking import CarefulFile, unpacking, xz_decoder
from speechsearch.domain.errors import ArchiveError
from speechsearch.domain.limits import Limits

NOISE = np.random.default_rng(0).bytes(60_000)
"""Stands for sound: nothing here decodes it, and it does not shrink."""

PACKINGS = {"tar": "w", "tar.gz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}


def make_zip(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def make_tar(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def take(path: Path, workspace: Path, **limits: float) -> tuple[dict[str, bytes], list[Rejected]]:
    """Go through an archive as the pipeline does; return what each recording held while it was current."""
    contents: dict[str, bytes] = {}
    rejected = []
    for found in discover([path], Limits(**limits), workspace):
        if isinstance(found, Source):
            contents[found.name] = found.path.read_bytes()
            assert len([one for one in workspace.rglob("*") if one.is_file()]) == 1
        else:
            rejected.append(found)
    assert not workspace.exists() or not list(workspace.iterdir())
    return contents, rejected


@pytest.mark.parametrize("kind", ["zip", *PACKINGS])
def test_every_kind_gives_its_recordings_in_order(tmp_path, kind):
    files = {"b/two.mp3": NOISE[:900], "one.wav": NOISE, "notes.txt": b"text", "b/.hidden.wav": b"x"}
    path = tmp_path / f"talks.{kind}"
    make_zip(path, files) if kind == "zip" else make_tar(path, files, PACKINGS[kind])
    contents, rejected = take(path, tmp_path / "work")
    assert contents == {f"talks.{kind}/b/two.mp3": NOISE[:900], f"talks.{kind}/one.wav": NOISE}
    assert [(one.name, one.state) for one in rejected] == [(f"talks.{kind}/notes.txt", "skipped")]


class Raw(zipfile.ZipInfo):
    """An entry whose name is these bytes, with no mark of UTF-8, as many programs write it."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw.hex())
        self.raw = raw

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        return self.raw, self.flag_bits & ~0x800


def make_raw_zip(path: Path, files: dict[bytes, bytes], extra: bytes = b"") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for raw, content in files.items():
            entry = Raw(raw)
            entry.extra = extra
            archive.writestr(entry, content)
    return path


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-8", "Café Gespräch mit Zoë.wav"),
        ("cp932", "会議の録音.wav"),
        ("cp932", "ソ表/テスト.wav"),  # their second bytes are backslashes
        ("cp437", "Café Gespräch.wav"),
        ("cp437", "Señor Núñez.wav"),
        ("cp850", "São João.wav"),
        ("cp866", "Интервью с директором.wav"),
        ("cp866", "Привет.wav"),
        ("gb18030", "会议录音.wav"),
        ("cp949", "회의 녹음.wav"),
    ],
)
def test_names_in_a_zip_are_read_in_the_encoding_that_makes_sense(tmp_path: Path, encoding: str, name: str) -> None:
    path = make_raw_zip(tmp_path / "a.zip", {name.encode(encoding): NOISE})
    assert list(take(path, tmp_path / "work")[0]) == [f"a.zip/{name}"]


def test_a_zip_made_on_a_mac_fits_its_table(tmp_path: Path) -> None:
    name = "Cafe\u0301 mit Zoe\u0308.wav"
    table = "file,title,speaker\nCaf\u00e9 mit Zo\u00eb.wav,Opening talk,Zoë\n"
    files = {name.encode(): NOISE, b"metadata.csv": table.encode(), f"__MACOSX/._{name}".encode(): b"x"}
    (one,) = discover([make_raw_zip(tmp_path / "mac.zip", files)], Limits(), tmp_path / "work")
    assert (one.name, one.description.title) == ("mac.zip/Caf\u00e9 mit Zo\u00eb.wav", "Opening talk")


def test_a_name_in_a_zip_that_is_kept_in_utf_8_beside_the_other_is_used(tmp_path: Path) -> None:
    raw = b"_____.wav"
    kept = struct.pack("<BI", 1, zlib.crc32(raw)) + "Żółw.wav".encode()
    extra = struct.pack("<HH", 0x7075, len(kept)) + kept
    assert list(take(make_raw_zip(tmp_path / "a.zip", {raw: NOISE}, extra), tmp_path / "work")[0]) == ["a.zip/Żółw.wav"]
    stale = struct.pack("<HH", 0x7075, len(kept)) + kept[:1] + b"0000" + kept[5:]
    found = take(make_raw_zip(tmp_path / "b.zip", {raw: NOISE}, stale), tmp_path / "work")[0]
    assert list(found) == ["b.zip/_____.wav"]


def test_names_in_a_tar_that_are_no_utf_8_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", encoding="cp1252", format=tarfile.GNU_FORMAT) as archive:
        entry = tarfile.TarInfo("Gespräch.wav")
        entry.size = len(NOISE)
        archive.addfile(entry, io.BytesIO(NOISE))
    assert list(take(path, tmp_path / "work")[0]) == ["a.tar/Gespräch.wav"]


def test_the_selection_knows_numbers_before_it_starts(tmp_path):
    packed = make_tar(tmp_path / "a.tar", {"a.wav": NOISE, "../b.wav": b""})
    paths = [packed, make_zip(tmp_path / "b.zip", {"c.wav": b"ab"})]
    selection = discover(paths, Limits(), tmp_path / "work")
    assert (selection.files, selection.size_bytes) == (3, 60_002)


def test_the_content_tells_the_kind_not_the_name(tmp_path):
    contents, _ = take(make_zip(tmp_path / "talks.tar.gz", {"a.wav": NOISE}), tmp_path / "work")
    assert contents == {"talks.tar.gz/a.wav": NOISE}


@pytest.mark.parametrize(
    "name", ["../a.wav", "x/../../a.wav", "/etc/a.wav", "C:/a.wav", "..\\a.wav", "\\\\host\\a.wav"]
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_that_leave_the_archive_are_refused(tmp_path, name, kind):
    files = {name: NOISE, "good.wav": NOISE}
    path = make_zip(tmp_path / "a.zip", files) if kind == "zip" else make_tar(tmp_path / "a.tar", files)
    contents, rejected = take(path, tmp_path / "work")
    assert list(contents) == [f"a.{kind}/good.wav"]
    assert len(rejected) == 1
    assert "points outside of the archive" in str(rejected[0].error)
    assert sorted(one.name for one in tmp_path.rglob("*")) == [f"a.{kind}", "work"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo("link.wav")
        entry.type, entry.linkname = kind, "/etc/passwd"
        archive.addfile(entry)
    contents, rejected = take(path, tmp_path / "work")
    assert not contents
    assert "'link.wav' is a link" in str(rejected[0].error)


def test_links_in_a_zip_are_refused(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        entry = zipfile.ZipInfo("link.wav")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    contents, rejected = take(path, tmp_path / "work")
    assert not contents
    assert "'link.wav' is a link" in str(rejected[0].error)


def test_a_nested_archive_is_named_but_not_opened(tmp_path):
    inner = make_zip(tmp_path / "inner.zip", {"deep.wav": NOISE}).read_bytes()
    contents, rejected = take(make_zip(tmp_path / "a.zip", {"inner.zip": inner, "a.wav": NOISE}), tmp_path / "work")
    assert list(contents) == ["a.zip/a.wav"]
    assert [one.name for one in rejected] == ["a.zip/inner.zip"]
    assert "archive inside an archive" in str(rejected[0].error)


def test_an_encrypted_member_is_refused(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"secret.wav": NOISE})
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the flag in the local header
    content[content.index(b"PK\x01\x02") + 8] |= 1  # and in the directory
    path.write_bytes(content)
    contents, rejected = take(path, tmp_path / "work")
    assert not contents
    assert isinstance(rejected[0].error, ArchiveError)
    assert "'secret.wav' is encrypted" in str(rejected[0].error)


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.bz2", "tar.xz"])
def test_a_bomb_is_stopped_by_its_ratio(tmp_path, kind):
    files = {"quiet.wav": bytes(5 << 20)}
    path = tmp_path / f"a.{kind}"
    make_zip(path, files) if kind == "zip" else make_tar(path, files, PACKINGS[kind])
    contents, rejected = take(path, tmp_path / "work")
    assert not contents
    assert "unpacks to more than 200 times its size" in str(rejected[0].error)


def test_a_bomb_that_lies_about_its_size_is_stopped_or_damaged(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"quiet.wav": bytes(5 << 20)})
    content = bytearray(path.read_bytes())
    content[22:26] = struct.pack("<I", 1000)
    directory = content.index(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = struct.pack("<I", 1000)
    path.write_bytes(content)
    contents, rejected = take(path, tmp_path / "work")
    assert not contents
    assert "damaged" in str(rejected[0].error)


def test_members_that_share_their_bytes_count_each_time(tmp_path):
    """A directory with many entries for one local header would multiply it."""
    path = make_zip(tmp_path / "a.zip", {"a.wav": bytes(1 << 20)})
    content = path.read_bytes()
    directory, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    entry = content[directory:end]
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 50, 50, 50 * len(entry), directory, 0)
    path.write_bytes(content[:directory] + 50 * entry + tail)
    contents, rejected = take(path, tmp_path / "work", archive_ratio=2)
    assert len(contents) <= 4
    # Newer Pythons refuse overlapping entries themselves.
    assert any("unpacks to more than 2 times" in str(one.error) or "verlap" in str(one.error) for one in rejected)


def test_total_bytes_are_limited(tmp_path):
    path = make_tar(tmp_path / "a.tar", {f"{number}.wav": NOISE for number in range(5)})
    contents, rejected = take(path, tmp_path / "work", archive_bytes=100_000)
    assert not contents
    assert "holds more than 100,000 bytes" in str(rejected[0].error)


def test_total_bytes_of_a_zip_are_counted_while_they_come(tmp_path):
    path = make_zip(tmp_path / "a.zip", {f"{number}.wav": NOISE for number in range(5)})
    contents, rejected = take(path, tmp_path / "work", archive_bytes=150_000)
    assert list(contents) == ["a.zip/0.wav", "a.zip/1.wav"]
    assert "holds more than 150,000 bytes" in str(rejected[0].error)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_too_many_entries_refuse_the_archive(tmp_path, kind):
    files = {f"{number}.txt": b"" for number in range(11)} | {"a.wav": NOISE}
    path = make_zip(tmp_path / "a.zip", files) if kind == "zip" else make_tar(tmp_path / "a.tar", files)
    contents, rejected = take(path, tmp_path / "work", archive_files=10)
    assert not contents
    assert "more than 10 entries" in str(rejected[0].error)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_one_large_member_is_refused_and_the_rest_goes_on(tmp_path, kind):
    files = {"large.wav": NOISE, "small.wav": NOISE[:100]}
    path = make_zip(tmp_path / "a.zip", files) if kind == "zip" else make_tar(tmp_path / "a.tar", files)
    contents, rejected = take(path, tmp_path / "work", file_bytes=1000)
    assert list(contents) == [f"a.{kind}/small.wav"]
    assert "the limit is 1,000" in str(rejected[0].error)


@pytest.mark.parametrize("kind", ["zip", *PACKINGS])
@pytest.mark.parametrize("part", [0.0, 0.1, 0.6, 0.97])
def test_a_truncated_archive_is_an_error_and_not_a_crash(tmp_path, kind, part):
    files = {"one.wav": NOISE, "two.wav": NOISE[::-1]}
    path = tmp_path / f"a.{kind}"
    make_zip(path, files) if kind == "zip" else make_tar(path, files, PACKINGS[kind])
    content = path.read_bytes()
    path.write_bytes(content[: int(part * 120_000)])
    _, rejected = take(path, tmp_path / "work")
    assert rejected
    assert all(isinstance(one.error, ArchiveError) for one in rejected)


def test_a_damaged_header_in_a_tar_is_noticed(tmp_path):
    path = make_tar(tmp_path / "a.tar", {"one.wav": NOISE[:512], "two.wav": NOISE[:512]})
    content = bytearray(path.read_bytes())
    content[1024:1100] = NOISE[:76]
    path.write_bytes(content)
    contents, rejected = take(path, tmp_path / "work")
    assert not contents
    assert "a header cannot be read" in str(rejected[0].error)


def test_a_member_with_a_wrong_checksum_does_not_stop_a_zip(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"bad.wav": NOISE, "good.wav": NOISE}, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[1000] ^= 0xFF
    path.write_bytes(content)
    contents, rejected = take(path, tmp_path / "work")
    assert list(contents) == ["a.zip/good.wav"]
    assert [one.name for one in rejected] == ["a.zip/bad.wav"]
    assert "CRC" in str(rejected[0].error)


def test_members_that_lie_before_the_beginning_are_damaged_and_the_rest_goes_on(tmp_path):
    content = bytearray(make_zip(tmp_path / "a.zip", {"a.wav": b"x" * 50}).read_bytes())
    end = content.rindex(b"PK\5\6")
    (place,) = struct.unpack_from("<L", content, end + 16)
    struct.pack_into("<L", content, end + 16, place + 40)  # everything moves by as much, the other way
    (tmp_path / "a.zip").write_bytes(content)
    make_zip(tmp_path / "b.zip", {"b.wav": b"y" * 50})
    found, rejected = take(tmp_path, tmp_path / "work")
    assert [name.rpartition("/")[2] for name in found] == ["b.wav"]
    assert "damaged" in rejected[0].error.message


def test_lzma_in_a_zip_is_refused_because_it_may_ask_for_any_memory(tmp_path):
    _, rejected = take(make_zip(tmp_path / "a.zip", {"a.wav": NOISE}, zipfile.ZIP_LZMA), tmp_path / "work")
    assert "not supported" in str(rejected[0].error)


def test_a_directory_of_a_zip_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "a.zip"
    size_bytes = 3 << 20
    path.write_bytes(
        b"PK\x03\x04" + bytes(size_bytes) + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, size_bytes, 4, 0)
    )
    with pytest.raises(ArchiveError, match="directory that is too large"):
        list(members(path, Limits(archive_files=10)))


def test_a_tar_header_that_asks_for_much_memory_is_not_read(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo("long")
        entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, 6 << 20
        archive.addfile(entry, io.BytesIO(NOISE * 105))
    with pytest.raises(ArchiveError, match="header that is too large"):
        list(members(path, Limits()))


def test_endless_long_names_in_a_tar_are_an_error(tmp_path):
    entry = tarfile.TarInfo("././@LongLink")
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, 4
    block = entry.tobuf(tarfile.GNU_FORMAT) + b"a.w\0".ljust(512, b"\0")
    path = tmp_path / "a.tar"
    path.write_bytes(block * 5000)
    with pytest.raises(ArchiveError, match="damaged"):
        list(members(path, Limits()))


def test_xz_reads_several_streams_and_padding(tmp_path):
    path = tmp_path / "a.xz"
    path.write_bytes(lzma.compress(NOISE) + bytes(8) + lzma.compress(b"end"))
    with CarefulFile(path, 0) as raw:
        assert unpacking(raw, xz_decoder).read() == NOISE + b"end"


def test_xz_may_not_ask_for_any_memory(tmp_path):
    packer = lzma.LZMACompressor(lzma.FORMAT_XZ, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}])
    packed = bytearray(packer.compress(b"x") + packer.flush())
    # The dictionary's size is one byte of the block header, which a CRC protects: 36 stands for 1 GB.
    header_bytes = (packed[12] + 1) * 4
    position = packed.index(bytes([0x21, 0x01]), 12) + 2
    packed[position] = 36
    packed[12 + header_bytes - 4 : 12 + header_bytes] = struct.pack(
        "<I", zlib.crc32(packed[12 : 12 + header_bytes - 4])
    )
    path = tmp_path / "a.tar.xz"
    path.write_bytes(packed)
    with pytest.raises(ArchiveError, match="Memory usage limit"):
        list(members(path, Limits()))


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"PK\x05\x06" + bytes(18), b"hello", gzip.compress(b"hi", mtime=0), bz2.compress(b"")]
)
def test_what_is_no_archive_is_said_to_be_none(tmp_path, content):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    contents, rejected = take(path, tmp_path / "work")
    assert not contents
    assert len(rejected) == 1
    assert isinstance(rejected[0].error, ArchiveError)


def test_random_damage_never_crashes(tmp_path):
    random = np.random.default_rng(1)
    for kind in ("zip", *PACKINGS):
        path = tmp_path / f"a.{kind}"
        files = {"one.wav": NOISE[:3000], "metadata.csv": b"file,title\none.wav,One\n", "two.wav": NOISE[3000:6000]}
        make_zip(path, files) if kind == "zip" else make_tar(path, files, PACKINGS[kind])
        whole = path.read_bytes()
        for _ in range(12):
            content = bytearray(whole)
            for position in random.integers(0, len(content), 8):
                content[position] = random.integers(256)
            path.write_bytes(content)
            contents, rejected = take(path, tmp_path / "work")
            assert contents or rejected
