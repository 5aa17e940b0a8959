from __future__ import annotations

import re

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from speechsearch.api.error_responses import add_error_handlers
from speechsearch.domain.values import Recording
from speechsearch.domain.visitors import Visitor
from speechsearch.store import CollectionSummary
from speechsearch.ui import collection_forms, collection_views
from speechsearch.ui.collections_tab import panel_routes

OWNER, READER, BOB = Visitor("ann", is_owner=True, may_add=True), Visitor("rob"), Visitor("bob", may_add=True)
EVIL = "\"><script>alert(1)</script>' onload='x"


@pytest.fixture
def show(service):
    """Return the HTML at an address below the tab, as a visitor gets it."""
    app = FastAPI()

    @app.middleware("http")
    async def identify(request: Request, call_next):
        request.scope.setdefault("state", {})["visitor"] = app.state.visitor
        return await call_next(request)

    add_error_handlers(app, service.counters)
    app.include_router(panel_routes(service))
    with TestClient(app) as client:

        def get(path: str = "", visitor: Visitor = OWNER, status: int = 200, **parameters: str) -> str:
            app.state.visitor = visitor
            answer = client.get(f"/page/collections{path}", params=parameters)
            assert answer.status_code == status, answer.text
            return answer.text

        yield get


def rows(html: str) -> list[str]:
    return re.findall(r"<tr><th scope=\"row\">.*?</tr>", html)


def test_the_first_collection_is_open_with_its_recordings(show, service) -> None:
    html = show()
    assert 'aria-pressed="true"><strong><bdi>samples</bdi>' in html
    assert "7 recordings" in html and "of audio" in html
    assert len(rows(html)) == 7
    for row in rows(html):
        for channel in ("adapter", "phonetic", "pieces", "meaning", "words"):
            assert f'data-channel="{channel}"' in row
        assert 'data-state="indexed" title="">searchable' in row
    assert 'data-name="samples"' in html


def test_hostile_titles_and_names_stay_text(show, service) -> None:
    service.manage.create_collection(EVIL, EVIL, EVIL, EVIL)
    key = " ".join(EVIL.split())
    service.store.journal.mark("f" * 64, "failed", EVIL, EVIL, key)
    html = show(name=key) + show(name="samples") + show("/dialog/edit", name=key) + show("/dialog/delete", name=key)
    for recording in service.browse.recordings():
        html += show("/dialog/recording", id=recording.recording_id)
        html += show("/dialog/delete-recording", id=recording.recording_id)
    assert "<script" not in html
    assert "onload='x" not in re.sub(r"<bdi>.*?</bdi>", "", html)
    assert "&lt;script&gt;alert(1)" in html


def test_words_narrow_the_list_and_pages_stay_in_range(show, service) -> None:
    recording = service.browse.recordings()[0]
    (row,) = rows(show(words=f"{recording.title.upper()} {recording.file_name}"))
    assert recording.recording_id in row
    assert len(rows(show(words=f"{recording.title} nonsense"))) == 0
    assert "No recording has these words" in show(words="nonsense")
    assert len(rows(show(page="99"))) == 7
    show(page="0", status=422)


def test_a_recording_of_another_cutting_is_marked(show, service) -> None:
    service.library.fingerprint += "x"
    assert show().count(">outdated<") == 7


def test_failures_are_listed_with_their_reason(show, service) -> None:
    service.manage.mark_failed("e" * 64, "broken.mp3", "samples", "It is not readable sound.")
    html = show()
    assert "1 file could not be added" in html
    assert "broken.mp3" in html and "It is not readable sound." in html


def test_only_who_may_change_sees_buttons_that_change(show, service) -> None:
    owner, reader = show(), show(visitor=READER)
    for button in ('data-dialog="new"', 'data-dialog="edit"', 'data-dialog="delete"', 'data-dialog="reindex"'):
        assert button in owner and button not in reader
    assert "On disk:" in owner and "On disk:" not in reader
    assert len(rows(reader)) == 7
    bob = show(visitor=BOB)
    assert 'data-dialog="new"' in bob and 'data-dialog="edit"' not in bob and "On disk:" not in bob


def test_private_collections_are_shown_to_their_visitor_only(show, service) -> None:
    service.manage.create_collection("notes", "of Bob", visitor=BOB)
    mine = show(visitor=BOB, name="notes")
    assert "of Bob" in mine and "@bob" not in mine and 'data-dialog="edit" data-name="notes"' in mine
    others = show(visitor=OWNER, name="notes")
    assert "of Bob" not in others
    show("/dialog/edit", visitor=OWNER, name="notes", status=404)
    show("/dialog/delete", visitor=OWNER, name="@bob/notes", status=404)


def test_a_deletion_names_what_goes(show, service) -> None:
    html = show("/dialog/delete", name="samples")
    assert "<b>7 recordings</b>" in html and "of audio" in html and "This cannot be undone." in html
    assert 'data-method="DELETE"' in html and 'data-action="/api/v1/collections?name=samples"' in html
    recording = service.browse.recordings()[0]
    html = show("/dialog/delete-recording", id=recording.recording_id)
    assert f'data-action="/api/v1/recordings/{recording.recording_id}"' in html
    show("/dialog/delete-recording", id="0" * 64, status=404)
    show("/dialog/recording", id="../../etc", status=422)


def test_an_empty_library_says_what_to_do(show, service) -> None:
    service.manage.delete_collection("samples")
    assert "There is no collection yet." in show()
    service.manage.create_collection("talks")
    assert "No recordings yet." in show() and "<ss-map" not in show()


def test_the_check_says_what_it_found(show, service) -> None:
    assert show("/leftovers") == "[]"
    service.library.index.delete([next(iter(service.store.passages.ids()))])
    assert "1 passages of the database are not in the index" in show("/leftovers")


def test_forms_hold_what_is_known() -> None:
    form = collection_forms.recording_fields(Recording("a", "talks", 'A "talk"', 1.0, speaker="Žofie"))
    assert 'value="A &quot;talk&quot;"' in form and 'value="Žofie"' in form and form.count("<label>") == 6
    known = CollectionSummary("@ann/notes", "about\nme", "CC0", "", 0, 0, 0.0)
    form = collection_forms.collection_fields(known, 80)
    assert 'value="notes"' in form and ">about\nme</textarea>" in form


def test_many_recordings_get_pages() -> None:
    pager = collection_views.pager('a"b', 60, "x&y", 2)
    assert "Page 2 of 3" in pager and 'data-open="a&quot;b" data-words="x&amp;y" data-page="1"' in pager
    assert collection_views.pager("a", 25, "", 1) == ""
