"""Which files are taken for sound by their names, and why the others are not."""

from __future__ import annotations

from pathlib import PurePosixPath

from ingest.metadata import FILE_NAME
from ingest.sources import LONGEST_NAME, Rejected, clean
from speechsearch.domain.errors import ArchiveError, InputError

SOUND_SUFFIXES = frozenset(
    f".{ending}"
    for ending in (
        "wav wave bwf rf64 w64 flac mp1 mp2 mp3 mpa mpga m2a ogg oga ogx opus spx m4a m4b m4r mp4a aac adts ac3 "
        "eac3 dts aif aiff aifc au snd caf wma amr awb 3ga ra ram ape wv tta mpc shn voc gsm dss ds2 dvf msv vox "
        "sph nist weba mka aa aax mp4 m4v mov qt 3gp 3gpp 3g2 3gp2 webm mkv avi divx mpg mpeg mpe m1v m2v ts m2t "
        "m2ts mts vob ogv ogm wmv asf flv f4v f4a rm rmvb dv mxf"
    ).split()
)
"""Files with these endings are taken from folders and archives; a file that is named directly is always tried."""
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz", ".tbz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz")
OTHER_ARCHIVES = (*ARCHIVE_SUFFIXES, ".gz", ".bz2", ".xz", ".7z", ".rar", ".tar.zst", ".zst")
"""Endings of archives, those that cannot be opened included."""

TABLE_SUFFIXES = {".tsv", ".txt", ".tab", ".xls", ".xlsx", ".ods", ".numbers", ".json", ".jsonl"}
KEPT_BY_SYSTEMS = {"thumbs.db", "desktop.ini", "icon\r"}


def is_sound(path: PurePosixPath) -> bool:
    """Tell whether a file is to be taken in, by its name."""
    return path.suffix.lower() in SOUND_SUFFIXES


def is_table(path: PurePosixPath) -> bool:
    """Tell whether a file describes others."""
    return path.name.lower() == FILE_NAME


def is_archive(name: str) -> bool:
    """Tell whether a file is to be opened as an archive, by its name.

    >>> is_archive("Talks.TAR.GZ"), is_archive("talk.mp3")
    (True, False)
    """
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def is_hidden(path: PurePosixPath) -> bool:
    """Tell whether a file or a folder above it is hidden, or kept by macOS or Windows for itself.

    >>> [is_hidden(PurePosixPath(path)) for path in ("__MACOSX/a.mp3", "a/.b/c.mp3", "a/b.mp3", "a/Thumbs.db")]
    [True, True, False, True]
    """
    is_kept = path.name.lower() in KEPT_BY_SYSTEMS
    return is_kept or any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def is_subtitle(path: PurePosixPath) -> bool:
    """Tell whether a file has what is said in a recording, by its name."""
    return path.suffix.lower() in (".srt", ".vtt")


def without_sound(path: PurePosixPath, name: str) -> Rejected:
    """Return that subtitles are left out because they belong to no recording."""
    message = f"There is no recording of the same name beside '{clean(path.name, LONGEST_NAME)}', so it was left out."
    return Rejected(name, InputError(message), "warning")


def passed_over(path: PurePosixPath, name: str) -> Rejected:
    """Return that a file is left out for its ending, and what can be done; ``name`` is how it is called.

    >>> passed_over(PurePosixPath("a.txt"), "talks/a.txt").state
    'skipped'
    """
    shown = clean(path.name, LONGEST_NAME)
    if path.name.lower().endswith(OTHER_ARCHIVES):
        return Rejected(name, ArchiveError(f"'{shown}' is an archive that cannot be opened.", "Unpack it first."))
    if path.stem.lower() == PurePosixPath(FILE_NAME).stem and path.suffix.lower() in TABLE_SUFFIXES:
        message = f"'{shown}' was not read: tables are called {FILE_NAME}."
        return Rejected(name, InputError(message, "Save it under that name, as CSV."), "warning")
    why = f"{clean(path.suffix)} is no ending of sound" if path.suffix else "it has no ending"
    message = f"'{shown}' was left out: {why}."
    return Rejected(name, InputError(message, "If it is sound, name the file itself."), "skipped")
