"""Dates as people write them."""

from __future__ import annotations

import pytest

from speechsearch.domain.dates import is_within, kept_date, read_date


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("2019", "2019"),
        ("2019-03", "2019-03"),
        ("2019-3", "2019-03"),
        ("03/2019", "2019-03"),
        ("March 2019", "2019-03"),
        ("Sept. 2019", "2019-09"),
        ("2019-03-04", "2019-03-04"),
        (" 2019/3/4 ", "2019-03-04"),
        ("20190304", "2019-03-04"),
        ("2019-00-00", "2019"),
        ("2019-03-00", "2019-03"),
        ("2019-W10-4", "2019-03-07"),
        ("31/12/2021", "2021-12-31"),
        ("12/31/2021", "2021-12-31"),
        ("05/05/2021", "2021-05-05"),
        ("12.05.2019", "2019-05-12"),  # with dots, the day is first everywhere
        ("5 May 2019", "2019-05-05"),
        ("May 5th, 2019", "2019-05-05"),
        ("the 5th of May, 2019", "2019-05-05"),
        ("04-MAR-2019", "2019-03-04"),
        ("5. März 2019", "2019-03-05"),
        ("1er février 2020", "2020-02-01"),
        ("5 de marzo de 2019", "2019-03-05"),
        ("12. června 2019", "2019-06-12"),
        ("3 мая 2019", "2019-05-03"),
        ("2019年5月4日", "2019-05-04"),
        ("２０１９－０３－０４", "2019-03-04"),
        ("2019-03-04T14:30", "2019-03-04T14:30:00"),
        ("2019-03-04 14:30:05.25Z", "2019-03-04T14:30:05+00:00"),
        ("2019-03-04T14:30+02:00", "2019-03-04T14:30:00+02:00"),
        ("2019:03:04 14:30:05", "2019-03-04T14:30:05"),  # cameras and recorders
        ("Mon, 06 May 2019 14:30:00 -0500", "2019-05-06T14:30:00-05:00"),
        ("Mon, 06 May 2019 14:30:00 EST", "2019-05-06T14:30:00-05:00"),
        ("Fri May  3 14:30:00 2019", "2019-05-03T14:30:00"),
        ("5 May 2019 at 12 am", "2019-05-05T00:00:00"),
        ("31/12/2021 2:30 PM UTC+1", "2021-12-31T14:30:00+01:00"),
        ("2019-07-04 14:30 Europe/Prague", "2019-07-04T14:30:00+02:00"),
        ("", ""),
        (" - ", ""),
    ],
)
def test_a_date_is_read_however_it_is_written(written: str, iso: str) -> None:
    reading = read_date(written)
    assert (reading.iso, reading.problem) == (iso, "")
    assert read_date(iso) == reading  # what is kept reads the same
    assert kept_date(written) == iso


@pytest.mark.parametrize(
    ("written", "certain", "problem"),
    [
        ("03/04/2021", "2021", "may be 3 April or 4 March 2021. Write 2021-04-03 or 2021-03-04"),
        ("3-4-2021 14:30", "2021", "may be 3 April or 4 March 2021"),
        ("31/12/99", "", "year of two digits"),
        ("5 May 99", "", "year of two digits"),
        ("2019-02-30", "", "no day of the calendar"),
        ("30/02/2019", "", "no day of the calendar"),
        ("1968-70", "", "no day of the calendar"),
        ("43831", "", "a day's number"),
        ("c. 1968", "", "not a date that can be read"),
        ("1968?", "", "not a date that can be read"),
        ("1960s", "", "not a date that can be read"),
        ("1968-1970", "", "not a date that can be read"),
        ("summer 1968", "", "not a date that can be read"),
        ("2019-W10", "", "not a date that can be read"),
        ("201903", "", "not a date that can be read"),
        ("yesterday", "", "not a date that can be read"),
        ("0000", "", "not a date that can be read"),
        ("May 2019 10:00", "2019-05", "a time and no day"),
        ("6 May 2019 14:30 IST", "2019-05-06", "time zone that is not known"),
        ("6 May 2019 25:30", "2019-05-06", "no time of a day"),
        ("6 May 2019 10:10 ../../etc/passwd", "", "not a date that can be read"),
        ("6 May 2019 10:10 Etc/passwd", "2019-05-06", "time zone that is not known"),
        ("1" * 5000, "", "not a date that can be read"),
        ("2019 " * 3000, "", "not a date that can be read"),
    ],
)
def test_what_is_not_certain_is_said_and_kept_as_it_was_written(written: str, certain: str, problem: str) -> None:
    reading = read_date(written)
    assert reading.iso == certain
    assert problem in reading.problem
    assert len(reading.problem) < 250
    assert kept_date(written) == written


@pytest.mark.parametrize(
    ("written", "inside", "outside"),
    [
        ("2019", [("2019", "2019"), ("2018-05", ""), ("", "2019-12")], [("2019-01-02", ""), ("", "2019-11")]),
        ("2019-03", [("2019", "2019"), ("2019-03", "2019-03"), ("", "2019-03-31")], [("2019-03-02", ""), ("2020", "")]),
        ("5 May 2019", [("2019-05-05", "2019-05-05"), ("2019", "2019")], [("2019-05-06", ""), ("", "2019-04")]),
        ("2019-05-05T23:30+02:00", [("2019-05-05", "2019-05-05")], [("2019-05-06", "")]),
        ("03/04/2021", [("2021", "2021")], [("2021-03", "2021-03"), ("2021-04", "2021-04"), ("", "2020")]),
        ("c. 1968", [], [("1968", "1968"), ("", "2100"), ("0001", "")]),
    ],
)  # fmt: skip
def test_filters_find_only_what_is_surely_of_that_time(
    written: str, inside: list[tuple[str, str]], outside: list[tuple[str, str]]
) -> None:
    assert [is_within(written, *times) for times in inside] == [True] * len(inside)
    assert [is_within(written, *times) for times in outside] == [False] * len(outside)
