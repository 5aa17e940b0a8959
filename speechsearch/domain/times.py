"""Times as people read them."""

from __future__ import annotations


def clock(seconds: float) -> str:
    """Return a time as h:mm:ss.s.

    >>> clock(3661.26)
    '1:01:01.3'
    """
    tenths = round(seconds * 10)
    return f"{tenths // 36000}:{tenths // 600 % 60:02}:{tenths // 10 % 60:02}.{tenths % 10}"
