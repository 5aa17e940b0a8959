"""Find recordings in files, folders and archives.

Everything is looked at once before the first recording is taken in, so the numbers of files and bytes are known and an
archive past its limits is refused as a whole. Members of archives are unpacked one at a time and removed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ingest.archives import member_path
from ingest.bags import content_hash
from ingest.beside import Companions, companions_in, completed, is_recording, left_over, may_be_beside
from ingest.endings import is_archive, is_hidden, is_table
from ingest.folders import files_below, unreadable
from ingest.matching import Tables, matched
from ingest.metadata import FILE_NAME, LARGEST_BYTES, Metadata, edited
from ingest.packed import plan_archive
from ingest.plan import Plan
from ingest.sources import LONGEST_NAME, Description, Found, Rejected, Selection, Source, clean
from speechsearch.domain.errors import ArchiveError, InputError, TooLargeError
from speechsearch.domain.limits import Limits


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
    files = [path for path in paths if path.is_file()]
    near = {folder: companions_in(folder) for folder in {path.parent for path in files}}
    taken = {one.path for path in files for one in near[path.parent].of(PurePosixPath(path.name))}
    for path in paths:
        if path in given or (path in taken and may_be_beside(PurePosixPath(path.name))):
            continue
        if path.is_dir():
            _plan_folder(plan, path)
        elif _is_archive(path):
            plan_archive(plan, path, path.name)
        else:
            one = _file(path, path.name, described.get(path, Description()), limits)
            plan.add([completed(one, PurePosixPath(path.name), near.get(path.parent, Companions({})))])
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
            inside = member_path(name)
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
            found, _ = matched(_names_in(folder), {here: table})
            for path in named:
                if path.parent == folder and path not in described:
                    described[path] = found.get(PurePosixPath(path.name), Description())
    return described


def _names_in(folder: Path) -> list[PurePosixPath]:
    """Return the names of a folder's files; none where it cannot be listed."""
    try:
        return [PurePosixPath(one.name) for one in folder.iterdir()]
    except OSError:
        return []


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
        if is_table(inside):
            problems += plan.keep(inside.parent, _read_table(path, f"{prefix}{inside}", plan), tables)
    described, unused = matched((inside for inside, _ in files if not is_table(inside)), tables)
    companions = Companions(dict(files))
    problems += companions.bags.problems
    sounds: list[PurePosixPath] = []
    others: list[PurePosixPath] = []
    found: list[Found] = []
    is_empty = True
    for inside, path in files:
        name, is_direct = f"{prefix}{inside}", not prefix and len(inside.parts) == 1
        if is_table(inside) or (is_hidden(inside) and not is_direct):
            continue
        if is_archive(inside.name):
            plan.add(found)
            found = []
            plan_archive(plan, path, name)
        elif (is_direct and not may_be_beside(inside)) or is_recording(inside, companions.bags.sounds):
            sounds.append(inside)
            description = edited(described.get(inside, Description()), edits.get(inside, {}))
            found.append(completed(_file(path, name, description, plan.limits), inside, companions))
        else:
            others.append(inside)
            continue
        is_empty = False
    plan.add(found)
    exported = [
        (inside, path)
        for inside, path in files
        if is_table(inside) and inside.parent in tables and companions.bags.digest_of(inside)
    ]
    problems += companions.bags.changed({inside: content_hash(path) for inside, path in exported}, prefix)
    if is_whole:
        plan.add(companions.bags.missing([inside for inside, _ in files], prefix))
        plan.add(left_over(others, sounds, companions, prefix))
        problems += plan.few(unused)
    plan.parts.append(lambda: problems)
    return not is_empty
