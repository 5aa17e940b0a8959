"""Text whose encoding nobody says: tables of old programs, names in archives. The likeliest reading is chosen.

Detectors such as chardet and charset-normalizer want a page of prose; a name of ten letters they mostly get wrong
(measured: 6 of 16). What tells such short texts apart is whether their letters go together.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

OF_TABLES = ("cp1252", "cp1250", "cp1251", "cp1253", "mac_roman", "cp932", "cp949", "gb18030", "big5")
OF_ARCHIVES = ("cp437", "cp850", "cp852", "cp866", "cp932", "cp949", "gb18030", "big5", "cp1252", "cp1251")
"""The encodings that programs have used, the commoner first."""
LOOKED_AT_BYTES = 20_000
USUAL_SIGNS = frozenset("‘’‚“”„«»–—…€£、。・「」『』（）！？：；")
RARER_SIGNS = frozenset("·§©°ºª¿¡\u00a0")
CARONS, NOT_BESIDE_CARONS = frozenset("žšŽŠ"), frozenset("èìòùøïÈÌÒÙØÏ")
ONE_SCRIPT = {"HIRAGANA": "CJK", "KATAKANA": "CJK", "KATAKANA-HIRAGANA": "CJK", "IDEOGRAPHIC": "CJK"}


def guess(content: bytes, encodings: Sequence[str]) -> str:
    """Return the encoding in which some bytes make most sense; one of ``encodings``, or latin-1 where none can be.

    >>> guess("会議の録音.wav".encode("cp932"), OF_ARCHIVES), guess("会议录音.wav".encode("gb18030"), OF_ARCHIVES)
    ('cp932', 'gb18030')
    >>> [guess("Интервью.wav".encode(one), OF_ARCHIVES) for one in ("cp866", "cp1251")]
    ['cp866', 'cp1251']
    """
    found: dict[str, float] = {}
    for encoding in encodings:
        try:
            text = content[:LOOKED_AT_BYTES].decode(encoding, "strict" if len(content) < LOOKED_AT_BYTES else "ignore")
        except UnicodeDecodeError:
            continue
        found[encoding] = oddity(text, encoding) + (encoding == "mac_roman")  # which hardly any program writes today
    return min(found, key=lambda encoding: found[encoding], default="latin-1")


def repaired(text: str) -> str:
    r"""Return a file's name as it was meant, where its bytes are no UTF-8 and Python kept them as half surrogates.

    >>> repaired(b"Caf\xe9.wav".decode("utf-8", "surrogateescape"))
    'Café.wav'
    """
    if not any("\udc80" <= sign <= "\udcff" for sign in text):
        return text
    content = text.encode("utf-8", "surrogateescape") if not re.search("[\ud800-\udc7f\udd00-\udfff]", text) else b""
    return content.decode(guess(content, OF_TABLES), "replace") if content else text


def oddity(text: str, encoding: str) -> float:
    """Return how unlikely a reading is: signs that names do not have, letters that do not stand together.

    >>> [oddity(one, "") for one in ("Gespräch mit Zoë", "Gespr┬ch", "GesprŠch", "ГesprдΓ")]
    [0.0, 3.0, 1.5, 7.0]
    """
    total, before, before_script = 0.0, "", ""
    has_carons = not CARONS.isdisjoint(text)
    for sign in text:
        script = "" if not sign.isalpha() else "LATIN" if sign.isascii() else _script(sign)
        if not sign.isascii():
            total += _oddity_of(sign, encoding) + (has_carons and sign in NOT_BESIDE_CARONS)
            total += script == "LATIN" and before_script == "LATIN" and not before.isascii()
        if script and before_script and script != before_script:
            total += 2
        total += not (sign.isascii() and before.isascii()) and before.islower() and sign.isupper()
        before, before_script = sign, script
    return total


def _oddity_of(sign: str, encoding: str) -> float:
    """Return how unlikely one sign is by itself."""
    if "\uff61" <= sign <= "\uff9f":  # katakana of half width
        return 1
    if sign in USUAL_SIGNS:
        return 0
    if sign in RARER_SIGNS:
        return 0.5
    if not sign.isalpha() and unicodedata.category(sign) not in ("Mn", "Mc", "Nd"):
        return 3
    if sign > "\u2e80":
        return 0.5 * (encoding == "gb18030" and not _is_in(sign, "gb2312"))
    return 0.5 * (_script(sign) == "LATIN" and not _is_in(sign, "latin-1"))


def _script(sign: str) -> str:
    first = unicodedata.name(sign, "UNKNOWN").split(" ")[0]
    return ONE_SCRIPT.get(first, first)


def _is_in(sign: str, encoding: str) -> bool:
    try:
        sign.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
