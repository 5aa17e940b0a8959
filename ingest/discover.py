"""Find recordings in files, folders and archives.

Everything is looked at once before the first recording is taken in, so the numbers of files and bytes are known and an
archive past its limits is refused as a whole. Members of archives are unpacked one at a time and removed again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ingest import archives, contents
from ingest.endings import is_archive, is_hidden, is_sound, is_table, passed_over
from ingest.folders import files_below, unreadable
from ingest.matching import Tables, matched
from ingest.metadata import FILE_NAME, LARGEST_BYTES, Metadata, edited
from ingest.plan import Plan
from ingest.sources import LONGEST_NAME, Description, Found, Rejected, Selection, Source, clean, disk_name
from speechsearch.domain.errors import ArchiveError, InputError, TooLargeError
from speechsearch.domain.limits import Limits

MOST_NAMED = 100
"""So many members of an archive that are refused are named one by one."""


def discover(paths: Sequence[Path], limits: Limits, workspace: Path) -> Selection:
    """Return the recordings in files, folders (all levels, sorted) and zip and tar archives, with their metadata.csv.

    A file that is named directly is always tried; in folders and archives only files with the ending of a sound or
    video format are. The others, and links that leave their folder, are yielded as ``Rejected`` in their place, as is
    whatever cannot be used; hidden files are passed over. ``workspace``: folder for one unpacked member at a time, made
    when missing.
    """
    plan = Plan(limits, workspace)
    given = [path for path in paths if path.is_file() and is_table(PurePosixPath(path.name))]
    named = [path for path in paths if path not in given and not path.is_dir() and not _is_archive(path)]
    described = _described_directly(given, named, plan)
    for path in paths:
        if path in given:
            continue
        if path.is_dir():
            _plan_folder(plan, path)
        elif _is_archive(path):
            _plan_archive(plan, path, path.name)
        else:
            plan.add([_file(path, path.name, described.get(path, Description()), limits)])
    return plan.selection()


def _is_archive(path: Path) -> bool:
    return path.is_file() and is_archive(path.name)


def discover_uploaded(
    files: Sequence[tuple[Path, str]],
    limits: Limits,
    workspace: Path,
    descriptions: Mapping[str, Mapping[str, str]],
) -> Selection:
    """Return the recordings in uploaded files, by the names that the visitor gave them: those on the disk tell nothing.

    A name may have folders in front of it, which count as in ``discover``. ``descriptions``: by the visitor's name of a
    file, what goes before its metadata.csv.
    """
    plan = Plan(limits, workspace)
    named: list[tuple[PurePosixPath, Path]] = []
    edits: dict[PurePosixPath, Mapping[str, str]] = {}
    for path, name in files:
        try:
            inside = archives.member_path(name)
        except ArchiveError as error:
            plan.add([Rejected(clean(name, 2 * LONGEST_NAME), InputError(error.message, "Choose the folder itself."))])
            continue
        named.append((inside, path))
        edits[inside] = descriptions.get(name, {})
    if not _plan_files(plan, named, "", edits):
        plan.add([Rejected("upload", InputError("There are no sound files in what was uploaded."))])
    return plan.selection()


def _described_directly(given: Sequence[Path], named: Sequence[Path], plan: Plan) -> dict[Path, Description]:
    """Return the descriptions of files that were named directly: from tables named with them, or lying next to them."""
    tables = [_read_table(path, path.name, plan) for path in given]
    rows = {key: row for table in tables for key, row in table.rows.items()}
    problems = [problem for table in tables for problem in table.problems]
    here = PurePosixPath(".")
    found, unused = matched({PurePosixPath(path.name) for path in named}, {here: Metadata(FILE_NAME, rows)})
    plan.add([*problems, *unused])
    described = {path: found[PurePosixPath(path.name)] for path in named if PurePosixPath(path.name) in found}
    for folder in sorted({path.parent for path in named if path not in described}):
        beside = folder / FILE_NAME
        if beside.is_file():
            table = _read_table(beside, FILE_NAME, plan)
            plan.add(table.problems)
            files = [PurePosixPath(one.name) for one in folder.iterdir() if not is_table(PurePosixPath(one.name))]
            found, _ = matched(files, {here: table})
            for path in named:
                if path.parent == folder and path not in described:
                    described[path] = found.get(PurePosixPath(path.name), Description())
    return described


def _read_table(path: Path, name: str, plan: Plan) -> Metadata:
    shown = clean(name, 2 * LONGEST_NAME)
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_BYTES + 1)
    except OSError as error:
        return Metadata(shown, problems=(replace(unreadable(shown, error), state="warning"),))
    return plan.room.parse(content, shown, plan.limits.archive_files)


def _file(path: Path, name: str, description: Description, limits: Limits) -> Found:
    """Return a file as a source, or why it is none; ``name`` is shown."""
    shown = clean(name, 2 * LONGEST_NAME)
    if not path.exists():
        return Rejected(shown, InputError(f"'{shown}' does not exist.", "Check the path."))
    if not path.is_file():
        return Rejected(shown, InputError(f"'{shown}' is not a file."))
    size_bytes = path.stat().st_size
    if size_bytes > limits.file_bytes:
        message = f"'{shown}' has {size_bytes:,} bytes; the limit is {limits.file_bytes:,}."
        return Rejected(shown, TooLargeError(message, "Convert it to Opus, or raise SPEECHSEARCH_LIMITS__FILE_BYTES."))
    return Source(shown, path, size_bytes, description)


def _plan_folder(plan: Plan, root: Path) -> None:
    """Add everything below a folder; archives in it are opened too."""
    problems: list[Found] = []
    prefix = f"{root.resolve().name}/"
    files = [(inside, root / inside) for inside in sorted(files_below(root, prefix, problems))]
    if not _plan_files(plan, files, prefix, {}):
        plan.add([Rejected(root.name, InputError(f"The folder '{root.name}' holds no sound files."))])
    plan.add(problems)


def _plan_files(
    plan: Plan,
    files: Sequence[tuple[PurePosixPath, Path]],
    prefix: str,
    edits: Mapping[PurePosixPath, Mapping[str, str]],
) -> bool:
    """Add files by their paths in one tree with its metadata.csv files, and tell whether there is any sound among them.

    ``prefix`` goes before the paths when they are shown; without one, files at the top count as named directly.
    """
    tables: Tables = {}
    problems: list[Found] = []
    for inside, path in files:
        if is_table(inside):
            problems += plan.keep(inside.parent, _read_table(path, f"{prefix}{inside}", plan), tables)
    described, unused = matched((inside for inside, _ in files if not is_table(inside)), tables)
    problems += plan.few(unused)
    found: list[Found] = []
    skipped: list[Found] = []
    is_empty = True
    for inside, path in files:
        name, is_direct = f"{prefix}{inside}", not prefix and len(inside.parts) == 1
        if is_table(inside) or (is_hidden(inside) and not is_direct):
            continue
        if is_archive(inside.name):
            plan.add(found)
            found = []
            _plan_archive(plan, path, name)
        elif is_direct or is_sound(inside):
            description = edited(described.get(inside, Description()), edits.get(inside, {}))
            found.append(_file(path, name, description, plan.limits))
        else:
            skipped.append(passed_over(inside, clean(name, 2 * LONGEST_NAME)))
            continue
        is_empty = False
    plan.add(found)
    plan.add(skipped)
    plan.parts.append(lambda: problems)
    return not is_empty


def _plan_archive(plan: Plan, path: Path, name: str) -> None:
    """Look through an archive without unpacking it to disk, and add it unless it must be refused."""
    tables: Tables = {}
    sizes: dict[PurePosixPath, int] = {}
    others: list[PurePosixPath] = []
    found: list[Found] = []
    refused = 0
    shown = clean(name, 2 * LONGEST_NAME)
    try:
        with closing(contents.entries(path, shown, plan.limits, "tables")) as entries:
            for entry in entries:
                if is_table(entry.path) and entry.error is None:
                    found += _read_entry(entry, shown, tables, plan)
                elif entry.error is not None:
                    refused += 1
                    if refused <= MOST_NAMED:
                        found.append(Rejected(clean(f"{shown}/{entry.path}", 2 * LONGEST_NAME), entry.error))
                elif is_sound(entry.path):
                    sizes[entry.path] = entry.size_bytes
                else:
                    others.append(entry.path)
    except ArchiveError as error:
        plan.add([Rejected(shown, _named(error, path, shown))])
        return
    except OSError as error:
        plan.add([unreadable(shown, error)])
        return
    if refused > MOST_NAMED:
        message = f"'{shown}' holds {refused - MOST_NAMED:,} more files that cannot be taken in."
        found.append(Rejected(shown, ArchiveError(message)))
    if not sizes and not found:
        found.append(Rejected(shown, ArchiveError(f"'{shown}' holds no sound files.")))
    described, unused = matched([*sizes, *others], tables)
    skipped = [passed_over(inside, clean(f"{shown}/{inside}", 2 * LONGEST_NAME)) for inside in others]
    found += plan.few([*skipped, *unused])
    plan.count([*found, *(Source("", path, size_bytes) for size_bytes in sizes.values())])
    plan.parts.append(lambda: _unpack(path, shown, found, described, plan))


def _read_entry(entry: contents.Entry, archive: str, tables: Tables, plan: Plan) -> list[Found]:
    """Keep a table of an archive, and return what is wrong with it."""
    content = b"".join(entry.chunks)
    name = clean(f"{archive}/{entry.path}", 2 * LONGEST_NAME)
    if entry.error is not None:
        return plan.few([Rejected(name, entry.error, "warning")])
    return plan.keep(entry.path.parent, plan.room.parse(content, name, plan.limits.archive_files), tables)


def _unpack(
    path: Path, name: str, found: Sequence[Found], described: Mapping[PurePosixPath, Description], plan: Plan
) -> Iterator[Found]:
    """Yield the recordings of an archive, each unpacked for as long as it is the current one."""
    plan.workspace.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ingest-", dir=plan.workspace) as folder:
        try:
            with closing(contents.entries(path, name, plan.limits, "sounds")) as entries:
                for entry in entries:
                    if entry.error is None and is_sound(entry.path):
                        target = Path(folder, disk_name(entry.path.name))
                        shown = clean(f"{name}/{entry.path}", 2 * LONGEST_NAME)
                        yield from _unpack_entry(entry, shown, target, described.get(entry.path, Description()))
        except ArchiveError as error:
            yield Rejected(name, _named(error, path, name))
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
