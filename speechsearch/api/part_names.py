"""The names in a part of a form, as browsers and other programs write them (RFC 7578, 5987, 2231, 2047)."""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message

from python_multipart.multipart import parse_options_header

ENCODED_WORDS = re.compile(r"(=\?[\w-]+\?[bq]\?[^?]*\?=\s*)+", re.IGNORECASE)


def part_names(disposition: bytes) -> tuple[str, str | None]:
    """Return the name of a part's field and that of its file, None when it is no file.

    ``filename*`` goes before ``filename``, as in RFC 6266; in forms it should not be, but older programs send it alone.

    >>> part_names(b"form-data; name=files; filename*=UTF-8''caf%C3%A9%20talk.wav")
    ('files', 'café talk.wav')
    >>> part_names(b'form-data; name="files"; filename="=?utf-8?B?Y2Fmw6kgdGFsay53YXY=?="')
    ('files', 'café talk.wav')
    >>> part_names(b'form-data; name="collection"')
    ('collection', None)
    """
    _, options = parse_options_header(disposition)
    name, plain = text_of(options.get(b"name", b"")), options.get(b"filename")
    if b"*" in disposition and (told := _extended(disposition, plain is None)):
        return name, told
    if plain is None:
        return name, None
    # Browsers write a quote as %22, and nothing else but ends of lines in that way.
    return name, _without_encoded_words(text_of(plain)).replace("%22", '"')


def text_of(content: bytes) -> str:
    """Return bytes of a header as text: UTF-8, or what Windows wrote before that.

    >>> text_of("café".encode()), text_of("café".encode("cp1252"))
    ('café', 'café')
    """
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _extended(disposition: bytes, is_alone: bool) -> str:
    """Return ``filename*``, or the pieces ``filename*0``, ``filename*1*`` together; nothing where there is none.

    ``is_alone``: there is no plain ``filename`` that pieces without a charset could be taken for.
    """
    message = Message()
    message["content-disposition"] = " ".join(disposition.decode("latin-1").split())
    try:
        parameters = message.get_params(failobj=[], header="content-disposition")
    except ValueError:  # pieces with numbers of thousands of digits
        return ""
    for parameter, value in parameters:
        if parameter.lower() == "filename" and isinstance(value, tuple):
            charset, _, said = value
            return _in_charset(said.encode("latin-1", "replace"), charset or "utf-8")
        if parameter.lower() == "filename" and is_alone:
            return text_of(value.encode("latin-1", "replace"))
    return ""


def _in_charset(content: bytes, charset: str) -> str:
    try:
        return content.decode(charset)
    except (LookupError, ValueError):
        return text_of(content)


def _without_encoded_words(name: str) -> str:
    """Return a name that is written as encoded words of mail (RFC 2047) in letters; another as it is."""
    if not ENCODED_WORDS.fullmatch(name):
        return name
    try:
        return str(make_header(decode_header(name)))
    except (HeaderParseError, LookupError, ValueError):
        return name
