"""Dates as people write them, as ISO 8601: a year, a month, a day, or a moment with its time zone where one is given.

The usual libraries guess: they take 03/04/2021 for one of its two readings and put today's day where none is given.
Here what is not certain is said, and filters by date never rest on a guess.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from speechsearch.domain.calendar_words import english_months, folded, months, weekdays

FORMS = "Write it as 2019, 2019-03, 2019-03-04 or 2019-03-04T14:30+02:00."
LONGEST = 200
FILLERS = {"of", "the", "on", "de", "del", "di", "le", "den", "der", "am", "st", "nd", "rd", "th", "er", "o"}
ZONES_H = {
    "z": 0, "utc": 0, "gmt": 0, "wet": 0, "west": 1, "cet": 1, "cest": 2, "eet": 2, "eest": 3,
    "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
}  # fmt: skip
"""Hours from UTC: the zones of mail (RFC 5322) and of Europe, as far as they have one meaning."""
TIME = re.compile(
    r"(?:T|,?\s+(?:at\s+)?)(?:(?P<hour>\d{1,2})[:h](?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?\s*"
    r"(?P<half>[ap]\.?m\.?)?|(?P<hour12>\d{1,2})\s*(?P<half12>[ap]\.?m\.?))\s*\[?(?P<zone>[A-Za-z+-][\w/+:-]*)?\]?$",
    re.IGNORECASE,
)
OFFSET = re.compile(r"(?:utc|gmt)?([+-])(\d{1,2}):?(\d{2})?$", re.IGNORECASE)
DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\u5e74\u6708", "-") | {"\u65e5": ""})
"""Also the signs for year, month and day of Chinese and Japanese."""
MOMENT = re.compile(r"\d{4}(-?)\d\d\1\d\d[T ]\d", re.ASCII)
TIME_BEFORE_YEAR = re.compile(r"(\s\d{1,2}:\d{2}.*)(\s\d{4})$")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a date says.

    ``iso``: what is certain of it in ISO 8601, as exact as it was given; empty where nothing is. ``problem``: why that
    is not all of it, and what to do; empty when it is.
    """

    iso: str
    problem: str = ""


def read_date(text: str) -> Reading:
    """Return what a date says.

    >>> [read_date(one).iso for one in ("2019", "May 2019", "5.3.2019", "Mon, 6 May 2019 2:30 PM +0200")]
    ['2019', '2019-05', '2019-03-05', '2019-05-06T14:30:00+02:00']
    >>> read_date("03/04/2021")
    Reading(iso='2021', problem="'03/04/2021' may be 3 April or 4 March 2021. Write 2021-04-03 or 2021-03-04.")
    """
    written = " ".join(unicodedata.normalize("NFKC", text[:LONGEST]).split())
    plain = written.translate(DASHES).strip(" -.,")
    if not plain:
        return Reading("")
    try:
        return Reading(_standard(plain) or _read(TIME_BEFORE_YEAR.sub(r"\2\1", plain)))
    except UncertainError as error:
        return Reading(error.certain, f"'{written:.60}' {error}")


def kept_date(text: str) -> str:
    """Return a date as it is kept: in ISO 8601, or as it was written where that is not all certain.

    >>> kept_date("5 May 2019"), kept_date("03/04/2021")
    ('2019-05-05', '03/04/2021')
    """
    found = read_date(text)
    return text if found.problem else found.iso


def is_within(text: str, date_from: str, date_to: str) -> bool:
    """Say whether all that a date may mean lies in a time; both ends included, a year or a month with all its days.

    >>> [is_within("2019-02", "2019", "2019-02"), is_within("2019", "2019-02", ""), is_within("03/04/2021", "2021", "")]
    [True, False, True]
    >>> is_within("03/04/2021", "2021-04", "2021-04")
    False
    """
    certain = read_date(text).iso[:10]
    if not certain:
        return False
    first, last = _first_day(certain), _last_day(certain)
    return (not date_from or first >= _first_day(date_from)) and (not date_to or last <= _last_day(date_to))


def _first_day(iso: str) -> str:
    return iso + "-01-01"[max(0, len(iso) - 4) :]


def _last_day(iso: str) -> str:
    return iso + "-12-31"[max(0, len(iso) - 4) :]


class UncertainError(ValueError):
    """A date says less than one moment, day, month or year; ``certain`` is what it does say, in ISO 8601."""

    def __init__(self, message: str, certain: str = "") -> None:
        super().__init__(message)
        self.certain = certain


def _standard(plain: str) -> str:
    """Return a date that is written by the standard, nothing if it is not; a week is no day."""
    if re.fullmatch(r"\d{4}-?W\d\d", plain):
        return ""
    try:
        if MOMENT.match(plain):
            return datetime.fromisoformat(plain).replace(microsecond=0).isoformat()
        return date.fromisoformat(plain).isoformat()
    except ValueError:
        return ""


def _read(plain: str) -> str:
    """Return a date that is written in some other way. Raises UncertainError."""
    found = TIME.search(plain)
    day = _read_day(plain[: found.start()] if found else plain)
    if found is None:
        return day
    if len(day) < len("2019-03-04"):
        raise UncertainError(f"has a time and no day. {FORMS}", day)
    try:
        moment = datetime.combine(date.fromisoformat(day), _time_of(found))
        zone = _zone(found["zone"]) if found["zone"] else None
        return moment.replace(tzinfo=zone).isoformat()
    except LookupError:
        raise UncertainError("has a time zone that is not known. Write it as +02:00.", day) from None
    except ValueError:
        raise UncertainError(f"has no time of a day in it. {FORMS}", day) from None


def _time_of(found: re.Match[str]) -> time:
    """Return a time of the day. Raises ValueError."""
    hour, half = int(found["hour"] or found["hour12"]), (found["half"] or found["half12"] or "").lower()[:1]
    if half and not 1 <= hour <= 12:
        raise ValueError(hour)
    if half:
        hour = hour % 12 + 12 * (half == "p")
    return time(hour, int(found["minute"] or 0), int(found["second"] or 0))


def _zone(name: str) -> tzinfo:
    """Return a time zone by its distance from UTC, its abbreviation or its place. Raises LookupError, ValueError."""
    if offset := OFFSET.match(name):
        distance = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        return timezone(-distance if offset[1] == "-" else distance)
    if (hours := ZONES_H.get(name.lower())) is not None:
        return timezone(timedelta(hours=hours)) if hours else UTC
    if "/" not in name:
        raise LookupError(name)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise LookupError(name) from error


def _read_day(plain: str) -> str:
    """Return a year, a month or a day. Raises UncertainError."""
    numbers: list[str] = []
    named: list[int] = []
    for part in re.findall(r"\d+|[^\W\d_]+", plain):
        word = folded(part)
        if part.isdecimal():
            numbers.append(str(int(part)).zfill(len(part)))
        elif word in months():
            named.append(months()[word])
        elif word not in FILLERS and word not in weekdays():
            raise UncertainError(f"is not a date that can be read. {FORMS}")
    if re.search(r"[^\w\s.,/:'’-]", plain) or len(named) > 1 or not numbers:
        raise UncertainError(f"is not a date that can be read. {FORMS}")
    years = [number for number in numbers if len(number) == 4 and int(number)]
    others = [int(number) for number in numbers if len(number) < 3]
    if len(numbers) == 1 and not named and len(numbers[0]) == 5:
        raise UncertainError("is a day's number, as spreadsheets keep it. Give the column the format of a date.")
    if not years and len(others) == len(numbers) == 3 - len(named):
        raise UncertainError(f"has a year of two digits. {FORMS}")
    if len(years) != 1 or len(others) != len(numbers) - 1 or len(others) + len(named) > 2:
        raise UncertainError(f"is not a date that can be read. {FORMS}")
    year = years[0]
    if named:
        return _checked(year, named[0], *others)
    if len(others) < 2 or numbers[0] == year:
        return _checked(year, *others)
    return _day_or_month_first(year, others[0], others[1], is_day_first="." in plain)


def _day_or_month_first(year: str, first: int, second: int, is_day_first: bool) -> str:
    """Return the day of two numbers and a year; with dots between them the day is first. Raises UncertainError."""
    found = {}
    for day, month in ((first, second), (second, first)):
        try:
            iso = _checked(year, month, day)
        except UncertainError:
            continue
        found[iso] = f"{day} {english_months()[month]}"
    if not found:
        raise UncertainError(f"is no day of the calendar. {FORMS}")
    if len(found) == 1 or is_day_first:
        return next(iter(found))
    said, written = " or ".join(found.values()), " or ".join(found)
    raise UncertainError(f"may be {said} {year}. Write {written}.", year)


def _checked(year: str, month: int = 0, day: int = 0) -> str:
    """Return a date in ISO 8601; a zero leaves out what follows. Raises UncertainError: there is no such day."""
    if not month and not day:
        return year
    try:
        found = date(int(year), month, day or 1).isoformat()
    except ValueError:
        raise UncertainError(f"is no day of the calendar. {FORMS}") from None
    return found if day else found[:7]
