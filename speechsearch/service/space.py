"""A Hugging Face Space: the folder that it needs, what could keep it from starting, and the upload.

``git push`` to a Space is refused for binary files unless they go through Xet, and for files over 10 MB without LFS;
``upload_folder`` of huggingface_hub sends each in the right way.
"""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from speechsearch.domain.errors import InputError, NotAllowedError

Hardware = Literal["cpu", "zero"]
FILES = ("app.py", "README.md", "LICENSE", "requirements.txt", "packages.txt", "pyproject.toml")
FOLDERS = ("speechsearch", "ingest")
LEFT_OUT = ("__pycache__", "*.pyc", ".*", "*.unfinished")

LARGEST_BYTES = 5_000_000_000
"""More in one file the hub does not take in one piece."""
PLAIN_BYTES = 10_000_000
"""A larger file is refused by ``git push`` without LFS or Xet."""
ZERO_PYTHONS, ZERO_TORCH = ("3.12", "3.10"), SpecifierSet(">=2.8,<2.12")
"""What ZeroGPU has: Python 3.12.12 and 3.10.13, torch 2.8 to 2.11."""
ZERO_LINES = {"torch": "torch>=2.8,<=2.11.0", "spaces": "spaces"}
"""Package -> the line that it has on ZeroGPU."""
HARDWARE = {"cpu": "cpu-basic", "zero": "zero-a10g"}
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
LONGEST_DESCRIPTION = 60
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


class UnfitSpaceError(InputError):
    """What would be sent makes no Space that starts."""

    code = "unfit_space"


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file of a Space: its path there, its bytes, and whether it is text that git takes as it is."""

    path: str
    size_bytes: int
    is_plain: bool


def build(root: Path, target: Path, hardware: Hardware) -> None:
    """Write the folder of a Space into a new folder, from a checkout of this repository.

    Raises:
        InputError: ``root`` is no checkout, or holds what cannot be read as it should be.
    """
    missing = [name for name in (*FILES, *FOLDERS) if not (root / name).exists()]
    if missing:
        raise InputError(f"'{root}' has no {missing[0]}.", "Run this in a checkout of the repository.")
    target.mkdir(parents=True)
    for name in FOLDERS:
        shutil.copytree(root / name, target / name, ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)
    for name in FILES:
        shutil.copyfile(root / name, target / name)
    if hardware == "zero":
        requirements, readme = target / "requirements.txt", target / "README.md"
        requirements.write_text(for_zero_gpu(requirements.read_text(encoding="utf-8")), encoding="utf-8")
        readme.write_text(readme_for_zero_gpu(readme.read_text(encoding="utf-8")), encoding="utf-8")


def for_zero_gpu(requirements: str) -> str:
    r"""Return the requirements as ZeroGPU needs them.

    >>> print(for_zero_gpu("# pinned\ntorch>=2.8,<=2.13.0\nnumpy\n"), end="")
    # pinned
    torch>=2.8,<=2.11.0
    numpy
    spaces
    """
    lines, left = [], dict(ZERO_LINES)
    for line in requirements.splitlines():
        name = canonicalize_name(re.split(r"[^A-Za-z0-9._-]", line.strip(), maxsplit=1)[0])
        lines.append(left.pop(name, line))
    return "\n".join([*lines, *left.values()]) + "\n"


def readme_for_zero_gpu(readme: str) -> str:
    """Return the README with the Python and the hardware of ZeroGPU in its front matter."""
    front, separator, rest = readme.removeprefix("---\n").partition("\n---\n")
    front = re.sub(r"^python_version:.*$", f'python_version: "{ZERO_PYTHONS[0]}"', front, flags=re.MULTILINE)
    front = re.sub(r"^suggested_hardware:.*$", f"suggested_hardware: {HARDWARE['zero']}", front, flags=re.MULTILINE)
    return f"---\n{front}{separator}{rest}"


def sent_files(folder: Path) -> list[SentFile]:
    """Return the files of a Space's folder, by path."""
    found = []
    for path in sorted(one for one in folder.rglob("*") if one.is_file() or one.is_symlink()):
        name, size_bytes = PurePosixPath(path.relative_to(folder).as_posix()), path.lstat().st_size
        found.append(SentFile(str(name), size_bytes, size_bytes <= PLAIN_BYTES and _is_text(path)))
    return found


def _is_text(path: Path) -> bool:
    try:
        return "\0" not in path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False


def problems(folder: Path, hardware: Hardware) -> list[str]:
    """Return what would keep a Space from being uploaded or from starting, in sentences; nothing when all is well."""
    requirements, found = _requirements(folder / "requirements.txt")
    front, of_front = _front_matter(folder / "README.md")
    found += of_front
    for one in sent_files(folder):
        if (folder / one.path).is_symlink():
            found.append(f"{one.path} is a link.")
        if one.size_bytes > LARGEST_BYTES:
            found.append(f"{one.path} has {one.size_bytes:,} bytes, more than {LARGEST_BYTES:,}.")
    gradio = requirements.get("gradio")
    if gradio is None or str(gradio.specifier) != f"=={front.get('sdk_version')}":
        pinned = gradio.specifier if gradio else "nothing"
        found.append(f"README.md has sdk_version {front.get('sdk_version')}, requirements.txt gradio {pinned}.")
    if not (folder / str(front.get("app_file"))).is_file():
        found.append(f"The app_file of README.md, {front.get('app_file')}, is not there.")
    python = str(front.get("python_version"))
    supported = SpecifierSet(tomllib.loads((folder / "pyproject.toml").read_text())["project"]["requires-python"])
    exact = f"{python}.99" if python.count(".") == 1 else python
    if not re.fullmatch(r"3\.\d+(\.\d+)?", python) or not supported.contains(exact):
        found.append(f"README.md has python_version {python}; the program needs {supported}.")
    if front.get("suggested_hardware") != HARDWARE[hardware]:
        found.append(f"README.md has suggested_hardware {front.get('suggested_hardware')}, not {HARDWARE[hardware]}.")
    return found + (_zero_problems(python, requirements) if hardware == "zero" else [])


def _zero_problems(python: str, requirements: dict[str, Requirement]) -> list[str]:
    """Return what ZeroGPU would not run."""
    found = []
    if not python.startswith(ZERO_PYTHONS):
        found.append(f"README.md has python_version {python}; ZeroGPU has {' and '.join(ZERO_PYTHONS)}.")
    torch = requirements.get("torch")
    newest = [f"2.{minor}.0" for minor in range(99) if torch is None or torch.specifier.contains(f"2.{minor}.0")]
    if torch is None or not newest or not ZERO_TORCH.contains(newest[-1]):
        found.append(f"requirements.txt has torch{torch.specifier if torch else ''}; ZeroGPU has torch{ZERO_TORCH}.")
    if "spaces" not in requirements:
        found.append("requirements.txt lacks spaces, by which ZeroGPU lends its GPU.")
    return found


def _requirements(path: Path) -> tuple[dict[str, Requirement], list[str]]:
    """Return the requirements by name, and the lines that a Space could not install."""
    known: dict[str, Requirement] = {}
    wrong: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        wanted = line.partition(" #")[0].strip()
        if not wanted or wanted.startswith("#"):
            continue
        try:
            one = Requirement(wanted)
        except InvalidRequirement:
            wrong.append(f"requirements.txt: {wanted!r:.100} is no package with a version.")
            continue
        if one.url:
            wrong.append(f"requirements.txt: {one.name} comes from an address, not from the registry.")
        known.setdefault(canonicalize_name(one.name), one)
    return known, wrong


def _front_matter(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return the front matter of a README, and what the hub would refuse of it."""
    import yaml

    text = path.read_text(encoding="utf-8")
    if not text.startswith("---\n") or "\n---\n" not in text:
        return {}, ["README.md has no front matter: YAML between two lines of ---."]
    try:
        front = yaml.safe_load(text.removeprefix("---\n").partition("\n---\n")[0])
    except yaml.YAMLError as error:
        return {}, [f"The front matter of README.md is no YAML: {' '.join(str(error).split())[:200]}"]
    if not isinstance(front, dict):
        return {}, ["The front matter of README.md has no names and values."]
    needed = ("title", "emoji", "license")
    found = [f"The front matter of README.md lacks {name}." for name in needed if name not in front]
    if front.get("sdk") != "gradio":
        found.append(f"README.md has sdk {front.get('sdk')}, not gradio.")
    for name in ("colorFrom", "colorTo"):
        if front.get(name) not in COLOURS:
            found.append(f"README.md has {name} {front.get(name)}; choose one of {', '.join(sorted(COLOURS))}.")
    if len(said := str(front.get("short_description", ""))) > LONGEST_DESCRIPTION:
        found.append(f"The short_description of README.md has {len(said)} characters, more than {LONGEST_DESCRIPTION}.")
    for name, value in front.items():
        if isinstance(value, float):
            found.append(f"README.md has {name}: {value} as a number; put it into quotes.")
    return front, found


def checked_name(repository: str) -> str:
    """Return the name of a Space.

    Raises:
        InputError: it is none.

    >>> checked_name("ann/talks")
    'ann/talks'
    """
    if not REPOSITORY.fullmatch(repository):
        raise InputError(f"{repository!r:.100} is no name of a Space.", "Names are like owner/name.")
    return repository


def upload(folder: Path, repository: str, hardware: Hardware, is_private: bool, api: Any = None) -> str:
    """Make the Space if it is not there, send the folder, and return its address; files that went are deleted there.

    ``api``: stands for ``huggingface_hub.HfApi()``, which finds the login by itself.

    Raises:
        NotAllowedError: nobody is logged in, or the account may not do that.
        InputError: the hub refuses it, or cannot be reached.
    """
    import httpx
    from huggingface_hub import HfApi, SpaceHardware
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    hub = api or HfApi()
    try:
        made = hub.create_repo(
            repository, repo_type="space", space_sdk="gradio", space_hardware=SpaceHardware(HARDWARE[hardware]),
            private=is_private, exist_ok=True,
        )  # fmt: skip
        hub.upload_folder(
            repo_id=repository, repo_type="space", folder_path=folder, delete_patterns="*",
            commit_message="speechsearch publish-space",
        )  # fmt: skip
    except LocalTokenNotFoundError as error:
        raise NotAllowedError("Nobody is logged in to the hub.", "Run: hf auth login") from error
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        message = f"The hub answered with {status}: {' '.join(str(error).split())[:300]}"
        if status in (401, 402, 403):
            hint = "Log in with a token that may write (hf auth login). A free account can host ZeroGPU Spaces only."
            raise NotAllowedError(message, hint) from error
        raise InputError(message, "See the message.") from error
    except httpx.TransportError as error:
        raise InputError(f"The hub cannot be reached: {error}.", "Check the network.") from error
    return str(made)


def publish(
    root: Path, work: Path, repository: str, hardware: Hardware, *, is_private: bool, send: Callable[..., str] | None
) -> tuple[list[SentFile], str]:
    """Build a Space's folder in ``work``, check it and send it; return its files and the Space's address.

    ``send``: ``upload``, or None for a dry run.

    Raises:
        UnfitSpaceError: the folder would not make a Space that starts.
        InputError, NotAllowedError: it cannot be sent.
    """
    checked_name(repository)
    folder = work / "space"
    build(root, folder, hardware)
    if found := problems(folder, hardware):
        raise UnfitSpaceError(" ".join(found), "Nothing was sent.")
    return sent_files(folder), send(folder, repository, hardware, is_private) if send else ""
