"""Exported collections (bags, RFC 8493) that come back: what is a recording in them, and whether each is as it was.

``speechsearch/library/bags.py`` writes them. Of the manifests, that of sha256 is read.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from ingest.folders import unreadable
from ingest.sources import LONGEST_NAME, Rejected, clean
from speechsearch.domain.errors import InputError

BAG, MANIFEST = "bagit.txt", "manifest-sha256.txt"
PAYLOAD, SOUNDS, WRITTEN, ABOUT = "data", "audio", "transcripts", "collection.json"
LARGEST_MANIFEST_BYTES = 50_000_000
"""300,000 files have so much."""
MOST_NAMED = 100
"""So many files that are missing are named one by one."""
LINE = re.compile(r"([0-9a-f]{64})\s+\*?(.+)", re.ASCII | re.IGNORECASE)
ESCAPED = re.compile("%(25|0a|0d)", re.IGNORECASE)
"""What the standard has written otherwise in a path."""
HINT = f"Copy it again, or, if you changed it yourself, remove {MANIFEST}."


def digests_in(manifest: str) -> dict[PurePosixPath, str]:
    r"""Return path in the bag -> sha256 in hex of a manifest's lines; others are passed over.

    >>> digests_in(f"{'A' * 64}  data/50%25 %20.mp3\nnonsense\n") == {PurePosixPath("data/50% %20.mp3"): "a" * 64}
    True
    """
    found = (LINE.fullmatch(line.strip("\r")) for line in manifest.split("\n"))
    return {
        PurePosixPath(ESCAPED.sub(lambda sign: chr(int(sign[1], 16)), one[2])): one[1].lower() for one in found if one
    }


def composed(path: PurePosixPath) -> PurePosixPath:
    """Return a path in the normal form in which those of disks and manifests are compared."""
    return PurePosixPath(unicodedata.normalize("NFC", str(path)))


class Bags:
    """The bags in one tree of files.

    ``files``: paths in the tree -> where the files are; of these, the manifests are read.
    """

    def __init__(self, files: Mapping[PurePosixPath, Path]) -> None:
        roots = {path.parent for path in files if path.name == BAG}
        self.payloads = {root / PAYLOAD for root in roots}
        self.sounds = {payload / SOUNDS for payload in self.payloads}
        """The folders with the recordings."""
        self.problems: list[Rejected] = []
        """Manifests that cannot be read."""
        self._digests = {
            composed(root / path): digest
            for root in roots
            if root / MANIFEST in files
            for path, digest in self._manifest(root / MANIFEST, files[root / MANIFEST]).items()
        }

    def _manifest(self, inside: PurePosixPath, path: Path) -> dict[PurePosixPath, str]:
        try:
            with path.open("rb") as stream:
                return digests_in(stream.read(LARGEST_MANIFEST_BYTES).decode("utf-8", "replace"))
        except OSError as error:
            self.problems.append(unreadable(clean(inside, 2 * LONGEST_NAME), error))
            return {}

    def digest_of(self, path: PurePosixPath) -> str:
        """Return the sha256 that a file must have; empty where no manifest says one."""
        return self._digests.get(composed(path), "")

    def missing(self, there: Collection[PurePosixPath], prefix: str) -> list[Rejected]:
        """Return the files that manifests name and that are not there; ``prefix`` goes before their paths."""
        gone = sorted(self._digests.keys() - set(map(composed, there)))
        found = []
        for path in gone[:MOST_NAMED]:
            name = clean(f"{prefix}{path}", 2 * LONGEST_NAME)
            found.append(Rejected(name, InputError(f"'{name}' is missing: {MANIFEST} names it.", HINT)))
        if len(gone) > MOST_NAMED:
            error = InputError(f"{len(gone) - MOST_NAMED:,} more files are missing that {MANIFEST} names.", HINT)
            found.append(Rejected(f"{prefix}{MANIFEST}", error))
        return found

    def changed(self, digests: Mapping[PurePosixPath, str], prefix: str) -> list[Rejected]:
        """Return a warning for each file that describes others and whose sha256 is not that of its manifest."""
        found = []
        for path, digest in digests.items():
            if (expected := self.digest_of(path)) and digest != expected:
                name = clean(f"{prefix}{path}", 2 * LONGEST_NAME)
                error = InputError(f"'{name}' {not_as_exported(digest, expected)} It was used.", HINT)
                found.append(Rejected(name, error, "warning"))
        return found


def content_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hex."""
    with path.open("rb") as stream:
        digest = hashlib.sha256()
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def not_as_exported(digest: str, expected: str) -> str:
    """Return what is wrong with a file, to be said after its name."""
    return f"is not as it was exported: its sha256 is {digest[:12]}…, not {expected[:12]}…."
