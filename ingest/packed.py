"""Archives as a part of what a run takes in: looked through at once, unpacked a member at a time."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path, PurePosixPath

from ingest import contents
from ingest.bags import BAG, MANIFEST
from ingest.beside import Companions, completed, is_recording, left_over, may_be_beside
from ingest.endings import is_sound, is_table
from ingest.folders import unreadable
from ingest.matching import Tables, matched
from ingest.plan import Plan
from ingest.sources import LONGEST_NAME, Description, Found, Rejected, Source, clean, disk_name
from speechsearch.domain.errors import ArchiveError, TooLargeError

MOST_TEXT_BYTES = 500_000_000
"""Of the transcripts in archives, which lie on the disk until their recordings come; 1,000 hours have about 50 MB."""
MOST_NAMED = 100
"""So many members of an archive that are refused are named one by one."""


def plan_archive(plan: Plan, path: Path, name: str) -> None:
    """Look through an archive without unpacking it to disk, and add it unless it must be refused."""
    tables: Tables = {}
    sizes: dict[PurePosixPath, int] = {}
    others: dict[PurePosixPath, int] = {}
    digests: dict[PurePosixPath, str] = {}
    found: list[Found] = []
    beside: dict[PurePosixPath, Path] = {}
    damaged: list[PurePosixPath] = []
    shown = clean(name, 2 * LONGEST_NAME)
    texts = plan.workspace / f"texts-{len(plan.parts)}"
    try:
        with closing(contents.entries(path, shown, plan.limits, "tables")) as entries:
            for entry in entries:
                if is_table(entry.path) and entry.error is None:
                    found += _read_entry(entry, shown, tables, digests, plan)
                elif (may_be_beside(entry.path) or entry.path.name == MANIFEST) and entry.error is None:
                    beside[entry.path] = texts / f"{len(beside)}"
                    problems = _keep_text(entry, shown, beside[entry.path], plan)
                    found += problems
                    if not problems:
                        others[entry.path] = 0
                elif entry.error is not None:
                    damaged.append(entry.path)
                    if len(damaged) <= MOST_NAMED:
                        found.append(Rejected(clean(f"{shown}/{entry.path}", 2 * LONGEST_NAME), entry.error))
                elif is_sound(entry.path):
                    sizes[entry.path] = entry.size_bytes
                    beside[entry.path] = path
                else:
                    others[entry.path] = entry.size_bytes
                    if entry.path.name == BAG:
                        beside[entry.path] = path
    except ArchiveError as error:
        plan.add([Rejected(shown, _named(error, path, shown))])
        shutil.rmtree(texts, ignore_errors=True)
        return
    except OSError as error:
        plan.add([unreadable(shown, error)])
        return
    if len(damaged) > MOST_NAMED:
        message = f"'{shown}' holds {len(damaged) - MOST_NAMED:,} more files that cannot be taken in."
        found.append(Rejected(shown, ArchiveError(message)))
    companions = Companions({inside: file for inside, file in beside.items() if file.exists()})
    bags = companions.bags
    sizes |= {one: others.pop(one) for one in list(others) if is_recording(one, bags.sounds)}
    if not sizes and not found:
        found.append(Rejected(shown, ArchiveError(f"'{shown}' holds no sound files.")))
    described, unused = matched([*sizes, *others], tables)
    found += [*bags.problems, *bags.missing([*sizes, *others, *beside, *digests, *damaged], f"{shown}/")]
    odd = [*bags.changed(digests, f"{shown}/"), *left_over(list(others), list(sizes), companions, f"{shown}/"), *unused]
    found += plan.few(odd)
    plan.count([*found, *(Source("", path, size_bytes) for size_bytes in sizes.values())])
    plan.parts.append(lambda: _unpack(path, shown, found, described, companions, texts, plan))


def _keep_text(entry: contents.Entry, archive: str, target: Path, plan: Plan) -> list[Found]:
    """Keep a transcript of an archive on the disk for its recording, and return what is wrong with it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as kept:
        for chunk in entry.chunks:
            plan.text_bytes += len(chunk)
            if plan.text_bytes <= MOST_TEXT_BYTES:
                kept.write(chunk)
    error = entry.error
    if plan.text_bytes > MOST_TEXT_BYTES:
        error = TooLargeError(f"Archives may hold {MOST_TEXT_BYTES:,} bytes of transcripts and other JSON together.")
    if error is None:
        return []
    target.unlink()
    return plan.few([Rejected(clean(f"{archive}/{entry.path}", 2 * LONGEST_NAME), error, "warning")])


def _read_entry(
    entry: contents.Entry, archive: str, tables: Tables, digests: dict[PurePosixPath, str], plan: Plan
) -> list[Found]:
    """Keep a table of an archive and its sha256, and return what is wrong with it."""
    content = b"".join(entry.chunks)
    digests[entry.path] = hashlib.sha256(content).hexdigest()
    name = clean(f"{archive}/{entry.path}", 2 * LONGEST_NAME)
    if entry.error is not None:
        return plan.few([Rejected(name, entry.error, "warning")])
    return plan.keep(entry.path.parent, plan.room.parse(content, name, plan.limits.archive_files), tables)


def _unpack(
    path: Path, name: str, found: Sequence[Found], described: Mapping[PurePosixPath, Description],
    companions: Companions, texts: Path, plan: Plan,
) -> Iterator[Found]:  # fmt: skip
    """Yield the recordings of an archive, each unpacked for as long as it is the current one.

    ``texts``: the folder of what belongs to them, removed at the end.
    """
    plan.workspace.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ingest-", dir=plan.workspace) as folder:
        try:
            with closing(contents.entries(path, name, plan.limits, "sounds", companions.bags.sounds)) as entries:
                for entry in entries:
                    if entry.error is None and is_recording(entry.path, companions.bags.sounds):
                        target = Path(folder, disk_name(entry.path.name))
                        shown = clean(f"{name}/{entry.path}", 2 * LONGEST_NAME)
                        for one in _unpack_entry(entry, shown, target, described.get(entry.path, Description())):
                            yield completed(one, entry.path, companions)
        except ArchiveError as error:
            yield Rejected(name, _named(error, path, name))
        finally:
            shutil.rmtree(texts, ignore_errors=True)
    yield from found


def _named(error: ArchiveError, path: Path, name: str) -> ArchiveError:
    """Return an archive's error with the name that is shown in place of the one on the disk."""
    return type(error)(error.message.replace(path.name, name.rsplit("/", 1)[-1]), error.hint)


def _unpack_entry(entry: contents.Entry, name: str, target: Path, description: Description) -> Iterator[Found]:
    """Yield one member as a source and remove it; a damaged one as a refusal while the archive can be read on."""
    try:
        with target.open("wb") as unpacked:
            for chunk in entry.chunks:
                unpacked.write(chunk)
        if entry.error is not None:
            yield Rejected(name, entry.error)
        else:
            yield Source(name, target, target.stat().st_size, description)
    finally:
        target.unlink(missing_ok=True)
