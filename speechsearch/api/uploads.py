"""Uploads of several files, written to the disk as they arrive and refused as soon as they are too large."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from speechsearch.api.part_names import part_names
from speechsearch.domain.errors import InputError, StoreError, TooLargeError
from speechsearch.domain.limits import Limits

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

LONGEST_NAME = 1000
LARGEST_FIELDS_BYTES = 2_000_000
"""All that are no files together."""
LARGEST_HEADER_BYTES = 16_000
MOST_FIELDS = 100
LOOK_EVERY_BYTES = 2**24
"""How often the room on the disk is looked at; others upload at the same time."""


@dataclass(slots=True)
class Upload:
    """What has been received, in order: files (path on the disk, name that was sent), other fields (name, value).

    ``file_fields``: the name of each file's field.
    """

    files: list[tuple[Path, str]] = field(default_factory=list)
    file_fields: list[str] = field(default_factory=list)
    fields: list[tuple[str, str]] = field(default_factory=list)

    def value(self, name: str) -> str:
        """Return the value of a field, the last where there are several; empty where there is none.

        >>> Upload(fields=[("collection", "talks")]).value("collection"), Upload().value("metadata")
        ('talks', '')
        """
        return dict(self.fields).get(name, "")


async def receive(
    request: Request, folder: Path, limits: Limits, arrived: Callable[[int], None] = lambda size_bytes: None
) -> Upload:
    """Write the files of a multipart request into a folder, under numbers, and return what there is.

    Args:
        arrived: told of every piece of a file before it is written, in bytes; may raise.

    Raises:
        TooLargeError: a file, all together or their number is past the limits.
        InputError: the request is no multipart form, or a damaged one.
        StoreError: the disk is nearly full.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise InputError("Files are sent as multipart/form-data.", "For example: curl -F files=@talk.mp3")
    parts = _Parts(folder, limits, arrived)
    try:
        parser = MultipartParser(options[b"boundary"], parts.callbacks())
        async for chunk in request.stream():
            await run_in_threadpool(parser.write, chunk)
        parser.finalize()
        if parts.is_open:
            raise InputError("The upload broke off.", "Send it again.")
    except FormParserError as error:
        raise InputError("The upload is damaged.", "Send it again.") from error
    finally:
        parts.close()
    return parts.upload


class _Parts:
    """Writes the parts of a form as the parser finds them."""

    def __init__(self, folder: Path, limits: Limits, arrived: Callable[[int], None]) -> None:
        self.upload = Upload()
        self.is_open = False
        self._folder, self._limits, self._arrived = folder, limits, arrived
        self._next_look_bytes = 0
        self._header = self._disposition = self._value = b""
        self._name = ""
        self._file: BinaryIO | None = None
        self._field = bytearray()
        self._fields_bytes = self._file_bytes = self._total_bytes = 0

    def callbacks(self) -> MultipartCallbacks:
        """Return what the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._add_header,
            "on_header_value": self._add_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._open,
            "on_part_data": self._write,
            "on_part_end": self._end,
        }

    def close(self) -> None:
        """Close the file that is being written."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self) -> None:
        self.is_open = True
        self._disposition = b""

    def _add_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        if len(self._value) > LARGEST_HEADER_BYTES:
            raise TooLargeError("A header in the form is too long.")

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _open(self) -> None:
        self._name, name = part_names(self._disposition)
        if name is None:
            self._field = bytearray()
            if len(self.upload.fields) >= MOST_FIELDS:
                raise TooLargeError("The form has too many fields.")
            return
        if not name:  # a form's file control that was left empty
            return
        if len(self.upload.files) >= self._limits.archive_files:
            raise TooLargeError(f"More than {self._limits.archive_files:,} files at once.", "Send them in parts.")
        path = self._folder / f"{len(self.upload.files):05d}"
        self.upload.files.append((path, name[-LONGEST_NAME:]))
        self.upload.file_fields.append(self._name)
        self._file, self._file_bytes = path.open("wb"), 0

    def _write(self, data: bytes, start: int, end: int) -> None:
        if self._file is None:
            self._fields_bytes += end - start
            if self._fields_bytes > LARGEST_FIELDS_BYTES:
                raise TooLargeError(f"The field {self._name!r:.80} is too long.")
            self._field += data[start:end]
            return
        self._file_bytes += end - start
        self._total_bytes += end - start
        name = self.upload.files[-1][1]
        if self._file_bytes > self._limits.file_bytes:
            raise TooLargeError(
                f"{name!r:.200} has more than {self._limits.file_bytes:,} bytes.",
                "Convert it to Opus, or raise SPEECHSEARCH_LIMITS__FILE_BYTES.",
            )
        if self._total_bytes > self._limits.archive_bytes:
            raise TooLargeError(f"More than {self._limits.archive_bytes:,} bytes at once.", "Send them in parts.")
        self._arrived(end - start)
        if self._total_bytes > self._next_look_bytes:
            self._next_look_bytes = self._total_bytes + LOOK_EVERY_BYTES
            if shutil.disk_usage(self._folder).free < self._limits.free_disk_bytes + LOOK_EVERY_BYTES:
                raise StoreError("The disk is nearly full.", "Delete recordings or make room.")
        self._file.write(data[start:end])

    def _end(self) -> None:
        if self._file is None:
            self.upload.fields.append((self._name, self._field.decode("utf-8", "replace")))
        self.close()
        self.is_open = False
