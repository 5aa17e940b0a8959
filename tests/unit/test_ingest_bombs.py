"""Archives and tables that explode, made here: in a process that may not grow, beside honest files that come in."""

import bz2
import csv
import io
import json
import lzma
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ingest import Rejected, Source, contents, discover
from speechsearch.audio.children import Allowance
from speechsearch.domain.errors import ArchiveError
from speechsearch.domain.limits import Limits

NOISE = np.random.default_rng(0).bytes(60_000)
RUN = """
import json, resource, sys
from pathlib import Path
from ingest import Source, discover
from speechsearch import audio
from speechsearch.domain.errors import SpeechSearchError
from speechsearch.domain.limits import Limits

now_bytes = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now_bytes + 200_000_000, resource.getrlimit(resource.RLIMIT_AS)[1]))
taken = {}
for found in discover([Path(sys.argv[1])], Limits(), Path(sys.argv[2])):
    try:
        if not isinstance(found, Source):
            raise found.error
        audio.probe(found.path, Limits())
        taken.setdefault(found.name, []).append(sum(len(one.samples) for one in audio.stream(found.path, Limits())))
    except SpeechSearchError as error:
        taken.setdefault(found.name, []).append(str(error))
print(json.dumps(taken))
"""


def sound() -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, 0.3 * np.sin(np.arange(16_000) * 0.1), 16_000, format="WAV")
    return stream.getvalue()


def exploding_bzip2(blocks: int) -> bytes:
    """Return a stream of so many times the same block, each of which unpacks to 45 MB of zeros."""
    packed = bz2.compress(bytes(45_000_000))
    bits = "".join(f"{byte:08b}" for byte in packed)
    end = bits.rindex(f"{0x177245385090:048b}")
    block = bits[32:end]
    checksum, found = int(block[48:80], 2), 0
    for _ in range(blocks):
        found = ((found << 1 | found >> 31) & 0xFFFFFFFF) ^ checksum
    bits = bits[:32] + blocks * block + f"{0x177245385090:048b}{found:032b}"
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def zip_of_packed(path: Path, name: str, packed: bytes, size_bytes: int, method: int) -> Path:
    """Write a ZIP with one member that is packed already."""
    head = struct.pack("<5H3L2H", 20, 0, method, 0, 33, 0, len(packed), size_bytes, len(name), 0)
    entry = b"PK\3\4" + head + name.encode() + packed
    listed = b"PK\1\2\x14\0" + head + struct.pack("<3H2L", 0, 0, 0, 0, 0) + name.encode()
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(listed), len(entry), 0)
    path.write_bytes(entry + listed + end)
    return path


def table(rows: int, columns: str = "file,title\n") -> bytes:
    return (columns + "".join(f"{number}.wav,x\n" for number in range(rows))).encode()


def tar_with_header(path: Path, header: bytes, kind: bytes = tarfile.XHDTYPE) -> Path:
    """Write a tar whose only member has an extended header, and is sound."""
    with tarfile.open(path, "w") as archive:
        for name, content, type_ in [("x", header, kind), ("a.wav", sound(), tarfile.REGTYPE)]:
            entry = tarfile.TarInfo(name)
            entry.type, entry.size = type_, len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def zipped(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, files: dict[str, bytes], mode: str) -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


@pytest.fixture(scope="module")
def bombs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one of each kind, and honest files between them."""
    folder = tmp_path_factory.mktemp("bombs") / "talks"
    folder.mkdir()
    (folder / "secret.wav").write_bytes(sound())
    (folder / "honest.wav").write_bytes(sound())
    zipped(folder / "honest.zip", {"a.wav": sound(), "metadata.csv": b"file,title\na.wav,A\n"}, zipfile.ZIP_BZIP2)
    tarred(folder / "zz honest.tar.xz", {"a.wav": sound()}, "w:xz")
    zeros = exploding_bzip2(70)
    zip_of_packed(folder / "bzip2.zip", "a.wav", zeros, 1000, zipfile.ZIP_BZIP2)
    zip_of_packed(folder / "table.zip", "metadata.csv", zeros, 1000, zipfile.ZIP_BZIP2)
    entry = tarfile.TarInfo("a.wav")
    entry.size = 1_900_000_000
    (folder / "bzip2.tar.bz2").write_bytes(bz2.compress(entry.tobuf()) + zeros)
    tar_with_header(folder / "digits.tar", b"1" * 1_900_000)
    tar_with_header(folder / "few digits.tar", b"1" * 60_000)
    tar_with_header(folder / "name.tar", b"a" * 1_900_000, tarfile.GNUTYPE_LONGNAME)
    inner = zipped(folder / "inner", {"a.wav": bytes(5 << 20)}).read_bytes()
    (folder / "inner").unlink()
    tarred(folder / "nested.tar.gz", {"a.zip": inner, "quiet.wav": bytes(12 << 20)}, "w:gz")
    zipped(folder / "rows.zip", {"a.wav": sound(), "metadata.csv": table(100_000)})
    zipped(folder / "tables.zip", {"a.wav": sound(), **{f"{one}/metadata.csv": table(3000) for one in range(10)}})
    zipped(folder / "outside.zip", {f"../{number}.wav": b"" for number in range(500)} | {"a.wav": sound()})
    zipped(folder / "deep.zip", {"a/" * 30_000 + "a.wav": b"", "metadata.csv": table(1), "a.wav": sound()})
    secret = folder / "secret.wav"
    (folder / "list.mp4").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile://{secret}\n#EXT-X-ENDLIST\n")
    (folder / "list.mp3").write_text(f"ffconcat version 1.0\nfile {secret}\n")
    (folder / "list.webm").write_text(f"[playlist]\nFile1={secret}\n")
    return folder


@pytest.fixture(scope="module")
def taken(bombs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str | int]]:
    """What became of each file, in a process whose memory cannot grow by more than 200 MB."""
    command = [sys.executable, "-c", RUN, bombs, tmp_path_factory.mktemp("work") / "work"]
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started < 60
    return json.loads(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")
@pytest.mark.parametrize("name", [
    "honest.wav", "honest.zip/a.wav", "zz honest.tar.xz/a.wav", "rows.zip/a.wav", "tables.zip/a.wav",
    "outside.zip/a.wav", "deep.zip/a.wav",
])  # fmt: skip
def test_honest_files_come_in_beside_bombs(taken, name) -> None:
    assert taken[f"talks/{name}"] == [16_000]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")
@pytest.mark.parametrize(("name", "message"), [
    ("bzip2.zip", "'bzip2.zip' unpacks to more than 200 times its size"),
    ("bzip2.tar.bz2", "'bzip2.tar.bz2' unpacks to more than 200 times its size"),
    ("table.zip", "'table.zip' unpacks to more than 200 times its size"),
    ("digits.tar", "'digits.tar' has a header that is too large"),
    ("few digits.tar", "'few digits.tar' has a header with a number of more than 1,000 digits"),
    ("name.tar", "'name.tar' has a header that is too large"),
    ("nested.tar.gz", "'nested.tar.gz' unpacks to more than 200 times its size"),
    ("list.mp4", "list.mp4 is not sound in a format that we read"),
    ("list.mp3", "list.mp3 is not sound in a format that we read"),
    ("list.webm", "list.webm is not sound in a format that we read"),
])  # fmt: skip
def test_a_bomb_is_refused_by_its_name_with_the_reason(taken, name, message) -> None:
    (found,) = taken[f"talks/{name}"]
    assert message in found


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")
def test_warnings_and_refusals_are_few_and_say_how_many_more_there_are(taken) -> None:
    every = [message for messages in taken.values() for message in messages if isinstance(message, str)]
    assert len([message for message in every if "describes" in message]) <= 100
    (rest,) = taken["warnings"]
    assert rest.startswith("And ") and "more warnings like these" in rest
    outside = [message for message in every if "points outside of the archive" in message]
    assert len(outside) == 100
    assert "holds 400 more files that cannot be taken in" in "".join(map(str, taken["talks/outside.zip"]))


def test_rows_that_cannot_be_used_are_named_until_they_are_too_many(tmp_path) -> None:
    lines = "".join(f",{number}\n" for number in range(500))
    (tmp_path / "talks").mkdir()
    (tmp_path / "talks" / "metadata.csv").write_text("file,title\n" + lines)
    (tmp_path / "talks" / "a.wav").write_bytes(b"x")
    found = list(discover([tmp_path / "talks"], Limits(), tmp_path / "work"))
    assert len(found) == 52
    assert "450 more rows of 'talks/metadata.csv' cannot be used" in str(found[-1].error)


def test_the_wall_behind_the_caps_names_the_archive_and_the_rest_goes_on(tmp_path, monkeypatch) -> None:
    """An archive that is within every cap but needs more memory than its child may have."""
    large = tmp_path / "large.tar.xz"
    large.write_bytes(lzma.compress(tarred(tmp_path / "a.tar", {"a.wav": NOISE}, "w").read_bytes(), preset=9))
    small = zipped(tmp_path / "small.zip", {"a.wav": NOISE})
    monkeypatch.setattr(contents, "allowance", lambda *_: Allowance(24 << 20, 20, 60))
    first, second = discover([large, small], Limits(), tmp_path / "work")
    assert isinstance(first, Rejected)
    assert isinstance(first.error, ArchiveError)
    assert "'large.tar.xz' was given up: reading it takes more than 25 MB of memory" in str(first.error)
    assert isinstance(second, Source)
    assert second.name == "small.zip/a.wav"


def test_bzip2_in_a_zip_is_read_and_its_checksum_compared(tmp_path) -> None:
    path = zipped(tmp_path / "a.zip", {"bad.wav": NOISE, "good.wav": NOISE}, zipfile.ZIP_BZIP2)
    content = bytearray(path.read_bytes())
    for start in (content.index(b"PK\3\4") + 14, content.index(b"PK\1\2") + 16):
        content[start : start + 4] = struct.pack("<L", zlib.crc32(NOISE) ^ 1)
    path.write_bytes(content)
    bad, good = list(discover([path], Limits(), tmp_path / "work"))
    assert "'a.zip/bad.wav' is damaged or not an archive: its checksum (CRC) is wrong" in str(bad.error)
    assert good.name == "a.zip/good.wav"


def test_a_collection_named_in_a_table_has_no_control_characters(tmp_path) -> None:
    written = io.StringIO()
    csv.writer(written).writerows([["file", "collection"], ["a.wav", "My\x1b[31m\x07 \u202e\ntalks\x9b\u2066"]])
    zipped(tmp_path / "a.zip", {"a.wav": sound(), "metadata.csv": written.getvalue().encode()})
    (found,) = discover([tmp_path / "a.zip"], Limits(), tmp_path / "work")
    assert found.description.collection == "My[31m talks"
