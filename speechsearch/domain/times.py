"""Times as people read them."""

from __future__ import annotations


def clock(seconds: float) -> str:
    """Return a time as h:mm:ss.s.

    >>> clock(3661.26)
    '1:01:01.3'
    """
    tenths = round(seconds * 10)
    return f"{tenths // 36000}:{tenths // 600 % 60:02}:{tenths // 10 % 60:02}.{tenths % 10}"


def length(seconds: float) -> str:
    """Return a length to the second, from one hour on to the minute.

    >>> length(42), length(724.4), length(43_440), length(3_600)
    ('42 s', '12 min 04 s', '12 h 04 min', '1 h 00 min')
    """
    minutes, rest_s = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min {rest_s:02d} s" if minutes else f"{rest_s} s"
