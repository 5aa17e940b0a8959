from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from speechsearch.api.clip_routes import byte_range, clip_response

CONTENT = bytes(range(200))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", range(0, 1)),
        ("bytes=0-9999", range(0, 200)),
        ("bytes=150-", range(150, 200)),
        ("bytes=-20", range(180, 200)),
        ("bytes=-9999", range(0, 200)),
        ("bytes=200-", range(0)),
        ("bytes=-0", range(0)),
        ("bytes=9-3", None),
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("bytes=a-b", None),
        ("bytes=٣-٤", None),
        ("bytes=" + "9" * 4000 + "-", None),
        ("", None),
    ],
)
def test_byte_range(header: str, expected: range | None) -> None:
    assert byte_range(header, 200) == expected


def test_whole_part_and_outside() -> None:
    whole = clip_response(CONTENT, Headers({}))
    assert (whole.status_code, whole.body, whole.headers["accept-ranges"]) == (200, CONTENT, "bytes")
    part = clip_response(CONTENT, Headers({"range": "bytes=10-19"}))
    assert (part.status_code, part.body) == (206, CONTENT[10:20])
    assert part.headers["content-range"] == "bytes 10-19/200"
    outside = clip_response(CONTENT, Headers({"range": "bytes=500-"}))
    assert (outside.status_code, outside.headers["content-range"]) == (416, "bytes */200")


def test_validators() -> None:
    etag = clip_response(CONTENT, Headers({})).headers["etag"]
    assert clip_response(CONTENT, Headers({"if-none-match": f'"x", {etag}'})).status_code == 304
    assert clip_response(CONTENT, Headers({"range": "bytes=0-1", "if-range": etag})).status_code == 206
    stale = clip_response(CONTENT, Headers({"range": "bytes=0-1", "if-range": '"old"'}))
    assert (stale.status_code, stale.body) == (200, CONTENT)
    assert clip_response(b"other", Headers({})).headers["etag"] != etag
