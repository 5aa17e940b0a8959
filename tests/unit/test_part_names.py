"""Names of uploaded files, as different programs send them."""

from __future__ import annotations

import pytest

from speechsearch.api.part_names import part_names


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ('filename="café.wav"', "café.wav"),
        ("filename*=UTF-8''caf%C3%A9%20talk.wav", "café talk.wav"),
        ("filename*=iso-8859-1'en'caf%E9.wav", "café.wav"),
        ("FILENAME*=utf-8''caf%C3%A9.wav", "café.wav"),
        ("filename=\"caf_.wav\"; filename*=UTF-8''caf%C3%A9.wav", "café.wav"),
        ("filename=\"=?utf-8?B?Y2Fmw6kgdGFsay53YXY=?=\"; filename*=utf-8''caf%C3%A9%20talk.wav", "café talk.wav"),
        ('filename="=?utf-8?B?Y2Fmw6kgdGFsay53YXY=?="', "café talk.wav"),
        ('filename="=?ISO-8859-1?Q?caf=E9?= =?utf-8?Q?_talk.wav?="', "café talk.wav"),
        ('filename*0="a long "; filename*1="name.wav"', "a long name.wav"),
        ("filename*0*=UTF-8''caf%C3%A9%20; filename*1=\"talk.wav\"", "café talk.wav"),
        ("filename*=undefined''caf%C3%A9.wav", "café.wav"),
        ("filename*=no-such-charset''a.wav", "a.wav"),
        ("filename*=no\0charset''a.wav", "a.wav"),
        (f'filename="a.wav"; filename*{"9" * 5000}=b.wav', "a.wav"),
        ('filename="plain.wav"; filename*=', "plain.wav"),
        ('filename="a;filename*=x.wav"', "a;filename*=x.wav"),
        ('filename="=?bogus?="', "=?bogus?="),
        ('filename="50% off*.wav"', "50% off*.wav"),
        ('filename="say %22hello%22.wav"', 'say "hello".wav'),
        ('filename=""', ""),
    ],
)
def test_a_files_name_is_read_in_every_form(said: str, name: str) -> None:
    assert part_names(f'form-data; name="files"; {said}'.encode()) == ("files", name)


def test_a_name_in_the_letters_of_old_windows_is_read() -> None:
    assert part_names(b'form-data; name="files"; filename="caf\xe9.wav"') == ("files", "café.wav")


@pytest.mark.parametrize("said", [b"", b"form-data", b"form-data; name=x", b"form-data; name=x; other*=UTF-8''a"])
def test_a_field_is_no_file(said: bytes) -> None:
    assert part_names(said)[1] is None
