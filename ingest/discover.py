"""Find recordings in files, folders and archives.

Everything is looked at once before the first recording is taken in, so the numbers of files and bytes are known and an
archive past its limits is refused as a whole. Members of archives are unpacked one at a time and removed again.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ingest import archives, contents
from ingest.beside import BAG, Companions, companions_in, may_be_beside
from ingest.metadata import FILE_NAME, LARGEST_BYTES, Metadata, describe, edited, plain_description
from ingest.plan import Plan, Tables
from ingest.sources import LONGEST_NAME, SOUND_SUFFIXES, Found, Rejected, Selection, Source, clean, disk_name
from speechsearch.domain.errors import ArchiveError, InputError, TooLargeError
from speechsearch.domain.limits import Limits

MOST_TEXT_BYTES = 500_000_000
"""Of the transcripts in archives, which lie on the disk until their recordings come; 1,000 hours have about 50 MB."""
MOST_NAMED = 100
"""So many members of an archive that are refused are named one by one."""


def discover(paths: Sequence[Path], limits: Limits, workspace: Path) -> Selection:
    """Return the recordings in files, folders (all levels, sorted) and zip and tar archives, with their metadata.csv.

    A file that is named directly is always tried; in folders and archives only files with the ending of a sound or
    video format are. Hidden files and links that leave their folder are passed over. Whatever cannot be used is
    yielded as ``Rejected`` in its place. ``workspace``: folder for one unpacked member at a time, made when missing.
    """
    plan = Plan(limits, workspace)
    given = [path for path in paths if path.is_file() and path.name.lower() == FILE_NAME]
    beside = {path.parent: _read_table(path, path.name, plan) for path in given}
    dropped = Metadata(
        FILE_NAME,
        {key: row for table in beside.values() for key, row in table.rows.items()},
        tuple(problem for table in beside.values() for problem in table.problems),
    )
    plan.add(dropped.problems)
    lying: dict[Path, Metadata] = {}
    files = [path for path in paths if path.is_file()]
    near = {folder: companions_in(folder) for folder in {path.parent for path in files}}
    taken = {one.path for path in files for one in near[path.parent].of(PurePosixPath(path.name))}
    for path in paths:
        if path in given or (path in taken and may_be_beside(PurePosixPath(path.name))):
            continue
        if path.is_dir():
            _plan_folder(plan, path)
        elif path.is_file() and archives.is_archive(path.name):
            _plan_archive(plan, path, path.name)
        else:
            tables = _tables_beside(path, dropped, lying, plan)
            inside = PurePosixPath(path.name)
            companions = near.get(path.parent, Companions({}))
            plan.add([_completed(_file(path, path.name, inside, tables, limits)[0], inside, companions)])
    return plan.selection()


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


def _tables_beside(path: Path, dropped: Metadata, lying: dict[Path, Metadata], plan: Plan) -> Tables:
    """Return the metadata for a file that was named directly: given with it, or lying next to it.

    ``lying``: what was found of the latter kind, by folder.
    """
    beside = path.parent / FILE_NAME
    if path.name not in dropped.rows and beside.is_file():
        if path.parent not in lying:
            lying[path.parent] = _read_table(beside, FILE_NAME, plan)
        return {PurePosixPath("."): lying[path.parent]}
    return {PurePosixPath("."): dropped}


def _read_table(path: Path, name: str, plan: Plan) -> Metadata:
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_BYTES + 1)
    except OSError as error:
        return Metadata(name, problems=(_unreadable(name, error, is_warning=True),))
    return plan.room.parse(content, name, plan.limits.archive_files)


def _unreadable(name: str, error: OSError, is_warning: bool = False) -> Rejected:
    reason = error.strerror or str(error)
    return Rejected(name, InputError(f"'{name}' cannot be read: {reason}.", "Check its permissions."), is_warning)


def _file(
    path: Path, name: str, inside: PurePosixPath, tables: Tables, limits: Limits
) -> tuple[Found, PurePosixPath, str]:
    """Return a file as a source, or why not, and the metadata row (folder and key) that describes it.

    ``name`` is shown, ``inside`` is the path that the tables' folders are on.
    """
    shown = clean(name, 2 * LONGEST_NAME)
    description, folder, key = describe(inside, tables)
    if not path.exists():
        return Rejected(shown, InputError(f"'{shown}' does not exist.", "Check the path.")), folder, key
    if not path.is_file():
        return Rejected(shown, InputError(f"'{shown}' is not a file.")), folder, key
    size_bytes = path.stat().st_size
    if size_bytes > limits.file_bytes:
        message = f"'{shown}' has {size_bytes:,} bytes; the limit is {limits.file_bytes:,}."
        hint = "Convert it to Opus, or raise SPEECHSEARCH_LIMITS__FILE_BYTES."
        return Rejected(shown, TooLargeError(message, hint)), folder, key
    return Source(shown, path, size_bytes, description), folder, key


def _plan_folder(plan: Plan, root: Path) -> None:
    """Add everything below a folder; archives in it are opened too."""
    problems: list[Found] = []
    files = [(inside, root / inside) for inside in sorted(files_below(root, problems))]
    plan.add(problems)
    if not _plan_files(plan, files, f"{root.resolve().name}/", {}):
        plan.add([Rejected(root.name, InputError(f"The folder '{root.name}' holds no sound files."))])


def discover_some(root: Path, inside: Sequence[PurePosixPath], limits: Limits, workspace: Path) -> Selection:
    """Return the recordings in some files of a folder, as ``discover`` finds them in all of it.

    ``inside``: their paths in it, and those of what describes them: metadata, transcripts.
    """
    plan = Plan(limits, workspace)
    _plan_files(plan, [(one, root / one) for one in sorted(inside)], f"{root.resolve().name}/", {}, is_whole=False)
    return plan.selection()


def _plan_files(
    plan: Plan,
    files: Sequence[tuple[PurePosixPath, Path]],
    prefix: str,
    edits: Mapping[PurePosixPath, Mapping[str, str]],
    is_whole: bool = True,
) -> bool:
    """Add files by their paths in one tree with its metadata.csv files, and tell whether there is any sound among them.

    ``prefix`` goes before the paths when they are shown; without one, files at the top count as named directly. Where
    the files are all that there is (``is_whole``), what describes none of them is said.
    """
    tables: Tables = {}
    problems: list[Found] = []
    for inside, path in files:
        if inside.name.lower() == FILE_NAME:
            problems += plan.keep(inside.parent, _read_table(path, f"{prefix}{inside}", plan), tables)
    companions = Companions(dict(files))
    sounds: list[PurePosixPath] = []
    used: dict[PurePosixPath, set[str]] = {folder: set() for folder in tables}
    found: list[Found] = []
    is_empty = True
    for inside, path in files:
        name, is_direct = f"{prefix}{inside}", not prefix and len(inside.parts) == 1
        if inside.name.lower() == FILE_NAME or (archives.is_hidden(inside) and not is_direct):
            continue
        if archives.is_archive(inside.name):
            plan.add(found)
            found = []
            _plan_archive(plan, path, name)
        elif may_be_beside(inside):
            continue
        elif is_direct or inside.suffix.lower() in SOUND_SUFFIXES:
            sounds.append(inside)
            one, folder, key = _file(path, name, inside, tables, plan.limits)
            if isinstance(one, Source) and (edit := edits.get(inside)):
                one = replace(one, description=edited(one.description, edit))
            found.append(_completed(one, inside, companions))
            used.get(folder, set()).add(key)
        else:
            continue
        is_empty = False
    if is_whole:
        for folder, table in tables.items():
            problems += plan.few(table.unused(used[folder]))
        named = [inside for inside, _ in files if not prefix and len(inside.parts) == 1]
        problems += plan.few(_without_sound(path, prefix) for path in companions.unused(sounds, named))
    plan.add(found)
    plan.parts.append(lambda: problems)
    return not is_empty


def _completed(found: Found, inside: PurePosixPath, companions: Companions) -> Found:
    """Return a source with what belongs to it."""
    if not isinstance(found, Source):
        return found
    about = plain_description(found.description) if companions.is_exported(inside) else found.description
    return replace(found, beside=companions.of(inside), description=about)


def _without_sound(path: PurePosixPath, prefix: str) -> Rejected:
    name = clean(f"{prefix}{path}", 2 * LONGEST_NAME)
    reason = f"There is no recording of the same name beside '{clean(path.name, LONGEST_NAME)}', so it was left out."
    return Rejected(name, InputError(reason), is_warning=True)


def files_below(root: Path, problems: list[Found]) -> Iterator[PurePosixPath]:
    """Yield the files below a folder, relative to it: no hidden ones, nothing that a link brings in from outside."""
    home = root.resolve()

    def report(error: OSError) -> None:
        problems.append(_unreadable(Path(str(error.filename)).name, error))

    for folder, folders, names in os.walk(root, onerror=report):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = Path(folder, name)
            inside = PurePosixPath(path.relative_to(root).as_posix())
            if not archives.is_hidden(inside) and path.is_file() and path.resolve().is_relative_to(home):
                yield inside


def _plan_archive(plan: Plan, path: Path, name: str) -> None:
    """Look through an archive without unpacking it to disk, and add it unless it must be refused."""
    tables: Tables = {}
    sizes: dict[PurePosixPath, int] = {}
    found: list[Found] = []
    beside: dict[PurePosixPath, Path] = {}
    refused = 0
    shown = clean(name, 2 * LONGEST_NAME)
    texts = plan.workspace / f"texts-{len(plan.parts)}"
    try:
        with closing(contents.entries(path, shown, plan.limits, "tables")) as entries:
            for entry in entries:
                if contents.is_table(entry.path) and entry.error is None:
                    found += _read_entry(entry, shown, tables, plan)
                elif may_be_beside(entry.path) and entry.error is None:
                    beside[entry.path] = texts / f"{len(beside)}"
                    found += _keep_text(entry, shown, beside[entry.path], plan)
                elif entry.error is not None:
                    refused += 1
                    if refused <= MOST_NAMED:
                        found.append(Rejected(clean(f"{shown}/{entry.path}", 2 * LONGEST_NAME), entry.error))
                elif contents.is_sound(entry.path):
                    sizes[entry.path] = entry.size_bytes
                    beside[entry.path] = path
                elif entry.path.name == BAG:
                    beside[entry.path] = path
    except ArchiveError as error:
        plan.add([Rejected(shown, _named(error, path, shown))])
        shutil.rmtree(texts, ignore_errors=True)
        return
    except OSError as error:
        plan.add([_unreadable(shown, error)])
        return
    if refused > MOST_NAMED:
        message = f"'{shown}' holds {refused - MOST_NAMED:,} more files that cannot be taken in."
        found.append(Rejected(shown, ArchiveError(message)))
    if not sizes and not found:
        found.append(Rejected(shown, ArchiveError(f"'{shown}' holds no sound files.")))
    used: dict[PurePosixPath, set[str]] = {folder: set() for folder in tables}
    for inside in sizes:
        _, folder, key = describe(inside, tables)
        used.get(folder, set()).add(key)
    for folder, table in tables.items():
        found += plan.few(table.unused(used[folder]))
    companions = Companions({path: file for path, file in beside.items() if file.exists()})
    found += plan.few(_without_sound(one, f"{shown}/") for one in companions.unused(sizes))
    plan.count([*found, *(Source("", path, size_bytes) for size_bytes in sizes.values())])
    plan.parts.append(lambda: _unpack(path, shown, found, tables, companions, texts, plan))


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
    return plan.few([Rejected(clean(f"{archive}/{entry.path}", 2 * LONGEST_NAME), error, is_warning=True)])


def _read_entry(entry: contents.Entry, archive: str, tables: Tables, plan: Plan) -> list[Found]:
    """Keep a table of an archive, and return what is wrong with it."""
    content = b"".join(entry.chunks)
    name = clean(f"{archive}/{entry.path}", 2 * LONGEST_NAME)
    if entry.error is not None:
        return plan.few([Rejected(name, entry.error, is_warning=True)])
    return plan.keep(entry.path.parent, plan.room.parse(content, name, plan.limits.archive_files), tables)


def _unpack(
    path: Path, name: str, found: Sequence[Found], tables: Tables, companions: Companions, texts: Path, plan: Plan
) -> Iterator[Found]:
    """Yield the recordings of an archive, each unpacked for as long as it is the current one.

    ``texts``: the folder of what belongs to them, removed at the end.
    """
    plan.workspace.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ingest-", dir=plan.workspace) as folder:
        try:
            with closing(contents.entries(path, name, plan.limits, "sounds")) as entries:
                for entry in entries:
                    if entry.error is None and contents.is_sound(entry.path):
                        target = Path(folder, disk_name(entry.path.name))
                        shown = clean(f"{name}/{entry.path}", 2 * LONGEST_NAME)
                        for one in _unpack_entry(entry, shown, target, tables):
                            yield _completed(one, entry.path, companions)
        except ArchiveError as error:
            yield Rejected(name, _named(error, path, name))
        finally:
            shutil.rmtree(texts, ignore_errors=True)
    yield from found


def _named(error: ArchiveError, path: Path, name: str) -> ArchiveError:
    """Return an archive's error with the name that is shown in place of the one on the disk."""
    return type(error)(error.message.replace(path.name, name.rsplit("/", 1)[-1]), error.hint)


def _unpack_entry(entry: contents.Entry, name: str, target: Path, tables: Tables) -> Iterator[Found]:
    """Yield one member as a source and remove it; a damaged one as a refusal while the archive can be read on."""
    try:
        with target.open("wb") as unpacked:
            for chunk in entry.chunks:
                unpacked.write(chunk)
        if entry.error is not None:
            yield Rejected(name, entry.error)
        else:
            yield Source(name, target, target.stat().st_size, describe(entry.path, tables)[0])
    finally:
        target.unlink(missing_ok=True)
