"""Find recordings in files, folders and archives.

Everything is looked at once before the first recording is taken in, so the numbers of files and bytes are known and an
archive past its limits is refused as a whole. Members of archives are unpacked one at a time and removed again.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from ingest import archives
from ingest.metadata import FILE_NAME, LARGEST_BYTES, Metadata, describe, edited, parse
from ingest.sources import LONGEST_NAME, SOUND_SUFFIXES, Found, Rejected, Selection, Source, clean, disk_name
from ingest.unpacking import ExhaustedError
from speechsearch.domain.errors import ArchiveError, InputError, TooLargeError
from speechsearch.domain.limits import Limits

Tables = dict[PurePosixPath, Metadata]
"""The metadata.csv files of a folder or an archive, by the folder they lie in."""


@dataclass(slots=True)
class Plan:
    """What was found on the first look: parts to go through in order, and their size."""

    limits: Limits
    workspace: Path
    parts: list[Callable[[], Iterable[Found]]] = field(default_factory=list)
    files: int = 0
    size_bytes: int = 0

    def add(self, found: Iterable[Found]) -> None:
        """Add sources that lie on the disk as they are, and refusals."""
        listed = list(found)
        self.count(listed)
        self.parts.append(lambda: listed)

    def count(self, found: Sequence[Found]) -> None:
        """Count files and bytes, warnings left out."""
        self.files += sum(isinstance(one, Source) or not one.is_warning for one in found)
        self.size_bytes += sum(one.size_bytes for one in found if isinstance(one, Source))


def discover(paths: Sequence[Path], limits: Limits, workspace: Path) -> Selection:
    """Return the recordings in files, folders (all levels, sorted) and zip and tar archives, with their metadata.csv.

    A file that is named directly is always tried; in folders and archives only files with the ending of a sound or
    video format are. Hidden files and links that leave their folder are passed over. Whatever cannot be used is
    yielded as ``Rejected`` in its place. ``workspace``: folder for one unpacked member at a time, made when missing.
    """
    plan = Plan(limits, workspace)
    given = [path for path in paths if path.is_file() and path.name.lower() == FILE_NAME]
    beside = {path.parent: _read_table(path, path.name, limits) for path in given}
    dropped = Metadata(
        FILE_NAME,
        {key: row for table in beside.values() for key, row in table.rows.items()},
        tuple(problem for table in beside.values() for problem in table.problems),
    )
    plan.add(dropped.problems)
    for path in paths:
        if path in given:
            continue
        if path.is_dir():
            _plan_folder(plan, path)
        elif path.is_file() and archives.is_archive(path.name):
            _plan_archive(plan, path, path.name)
        else:
            tables = _tables_beside(path, dropped, limits)
            plan.add([_file(path, path.name, PurePosixPath(path.name), tables, limits)[0]])
    return Selection(_walk(plan.parts), files=plan.files, size_bytes=plan.size_bytes)


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
    return Selection(_walk(plan.parts), files=plan.files, size_bytes=plan.size_bytes)


def _walk(parts: Iterable[Callable[[], Iterable[Found]]]) -> Iterator[Found]:
    for part in parts:
        yield from part()


def _tables_beside(path: Path, dropped: Metadata, limits: Limits) -> Tables:
    """Return the metadata for a file that was named directly: given with it, or lying next to it."""
    beside = path.parent / FILE_NAME
    if path.name not in dropped.rows and beside.is_file():
        return {PurePosixPath("."): _read_table(beside, FILE_NAME, limits)}
    return {PurePosixPath("."): dropped}


def _read_table(path: Path, name: str, limits: Limits) -> Metadata:
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_BYTES + 1)
    except OSError as error:
        return Metadata(name, problems=(_unreadable(name, error, is_warning=True),))
    return parse(content, name, limits.archive_files)


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
    files = [(inside, root / inside) for inside in sorted(_files_below(root, problems))]
    plan.add(problems)
    if not _plan_files(plan, files, f"{root.resolve().name}/", {}):
        plan.add([Rejected(root.name, InputError(f"The folder '{root.name}' holds no sound files."))])


def _plan_files(
    plan: Plan,
    files: Sequence[tuple[PurePosixPath, Path]],
    prefix: str,
    edits: Mapping[PurePosixPath, Mapping[str, str]],
) -> bool:
    """Add files by their paths in one tree with its metadata.csv files, and tell whether there is any sound among them.

    ``prefix`` goes before the paths when they are shown; without one, files at the top count as named directly.
    """
    tables: Tables = {
        inside.parent: _read_table(path, f"{prefix}{inside}", plan.limits)
        for inside, path in files
        if inside.name.lower() == FILE_NAME
    }
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
        elif is_direct or inside.suffix.lower() in SOUND_SUFFIXES:
            one, folder, key = _file(path, name, inside, tables, plan.limits)
            if isinstance(one, Source) and (edit := edits.get(inside)):
                one = replace(one, description=edited(one.description, edit))
            found.append(one)
            used.get(folder, set()).add(key)
        else:
            continue
        is_empty = False
    for folder, table in tables.items():
        found.extend([*table.problems, *table.unused(used[folder])])
    plan.add(found)
    return not is_empty


def _files_below(root: Path, problems: list[Found]) -> Iterator[PurePosixPath]:
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
    shown = clean(name, 2 * LONGEST_NAME)
    try:
        with closing(archives.members(path, plan.limits)) as members:
            for member in members:
                if member.error is not None:
                    found.append(Rejected(clean(f"{shown}/{member.path}", 2 * LONGEST_NAME), member.error))
                elif member.path.name.lower() == FILE_NAME:
                    tables[member.path.parent] = _read_member(member, f"{shown}/{member.path}", plan.limits)
                elif member.path.suffix.lower() in SOUND_SUFFIXES:
                    sizes[member.path] = member.size_bytes
    except ArchiveError as error:
        plan.add([Rejected(shown, _named(error, path, shown))])
        return
    except OSError as error:
        plan.add([_unreadable(shown, error)])
        return
    if not sizes and not found:
        found.append(Rejected(shown, ArchiveError(f"'{shown}' holds no sound files.")))
    for folder, table in tables.items():
        matched = {describe(inside, {folder: table})[2] for inside in sizes if inside.is_relative_to(folder)}
        found.extend([*table.problems, *table.unused(matched)])
    plan.count([*found, *(Source("", path, size_bytes) for size_bytes in sizes.values())])
    plan.parts.append(lambda: _unpack(path, shown, found, tables, plan))


def _read_member(member: archives.Member, name: str, limits: Limits) -> Metadata:
    content = b""
    with archives.errors_of(name), member.open() as stream:
        for chunk in archives.chunks(stream):
            content += chunk
            if len(content) > LARGEST_BYTES:
                break
    return parse(content, clean(name, 2 * LONGEST_NAME), limits.archive_files)


def _unpack(path: Path, name: str, found: Sequence[Found], tables: Tables, plan: Plan) -> Iterator[Found]:
    """Yield the recordings of an archive, each unpacked for as long as it is the current one."""
    plan.workspace.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ingest-", dir=plan.workspace) as folder:
        try:
            with closing(archives.members(path, plan.limits)) as members:
                for member in members:
                    suffix = member.path.suffix.lower()
                    if member.error is None and suffix in SOUND_SUFFIXES:
                        yield from _unpack_member(
                            member, name, Path(folder, disk_name(member.path.name)), tables, plan.limits
                        )
        except ArchiveError as error:
            yield Rejected(name, _named(error, path, name))
    yield from found


def _named(error: ArchiveError, path: Path, name: str) -> ArchiveError:
    """Return an archive's error with the name that is shown in place of the one on the disk."""
    return type(error)(error.message.replace(path.name, name.rsplit("/", 1)[-1]), error.hint)


def _unpack_member(
    member: archives.Member, archive: str, target: Path, tables: Tables, limits: Limits
) -> Iterator[Found]:
    """Yield one member as a source and remove it; a damaged one as a refusal while the archive can be read on."""
    name = clean(f"{archive}/{member.path}", 2 * LONGEST_NAME)
    size_bytes = 0
    try:
        try:
            with archives.errors_of(name), member.open() as stream, target.open("wb") as unpacked:
                for chunk in archives.chunks(stream):
                    size_bytes += len(chunk)
                    if size_bytes > limits.file_bytes:
                        raise TooLargeError(f"'{name}' has more than {limits.file_bytes:,} bytes.")
                    unpacked.write(chunk)
        except ExhaustedError:
            raise
        except InputError as error:
            yield Rejected(name, error)
        else:
            yield Source(name, target, size_bytes, describe(member.path, tables)[0])
    finally:
        target.unlink(missing_ok=True)
