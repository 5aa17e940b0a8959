"""My names by the routes, the fold and the tools: the list, where names were heard, verdicts, rights."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from speechsearch.api import create_app
from speechsearch.domain.errors import NotAllowedError
from speechsearch.domain.values import Query
from speechsearch.domain.visitors import Visitor, private
from speechsearch.service import my_names
from speechsearch.ui import names_view

pytestmark = pytest.mark.both_databases

PATH = "/api/v1/names"
EVIL = "\"><script>alert(1)</script>' onload='x"
READER = Visitor("rob")


@pytest.fixture
def client(service):
    with TestClient(create_app(service)) as client:
        yield client


def test_the_list_is_changed_exported_and_imported(client, monkeypatch) -> None:
    added = client.put(PATH, json={"name": " Wojciechowski ", "sounds_like": ["voy che hoff ski"]})
    assert added.json() == {
        "name": "Wojciechowski",
        "sounds_like": ["voy che hoff ski"],
        "has_example": False,
        "is_damaged": False,
    }
    assert client.put(PATH, json={"name": "wojciechowski"}).json()["name"] == "Wojciechowski"
    assert client.put(PATH, json={"name": "漢字"}).status_code == 422
    done = client.post(f"{PATH}/table", content="Name;Sounds\nŁódź;woodge\n;x\n").json()
    assert (done["added"], done["changed"], len(done["refused"])) == (1, 0, 1)
    assert client.post(f"{PATH}/table", content=b"").status_code == 422
    table = client.get(f"{PATH}/table")
    assert table.headers["content-type"].startswith("text/csv") and "Łódź,woodge" in table.text
    assert [one["name"] for one in client.get(PATH).json()] == ["Wojciechowski", "Łódź"]
    monkeypatch.setattr(my_names, "MOST_NAMES", 2)
    monkeypatch.setattr(my_names, "MOST_REFUSED", 1)
    assert client.put(PATH, json={"name": "Ada"}).status_code == 422
    many = client.post(f"{PATH}/table", content=",x\nAda\nBob\nŁódź,wooch\n").json()
    assert (many["added"], many["changed"]) == (0, 1) and many["refused"][1:] == ["And 1 more lines."]
    assert client.delete(PATH, params={"name": "ŁÓDŹ"}).status_code == 204
    assert client.delete(PATH, params={"name": "Łódź"}).status_code == 404


def test_a_damaged_name_is_told_of_and_searches_go_on(client, service) -> None:
    for name in ("Ada", "Wojciechowski"):
        client.put(PATH, json={"name": name, "sounds_like": ["ayda"]})
    with service.store._database.writing() as connection:
        connection.exec_driver_sql("UPDATE names SET sounds_like = '{' WHERE written = 'Ada'")
    service.names._changes += 1  # as after a restart
    assert service.search.find(Query("Ada and Wojciechowski"), "all").hits
    assert [(one["name"], one["is_damaged"]) for one in client.get(PATH).json()] == [
        ("Ada", True),
        ("Wojciechowski", False),
    ]
    html = names_view.panel(service.names.find(), "", service.names.fingerprint, may_change=True)
    assert html.count("How it sounds is damaged") == 1
    assert client.put(PATH, json={"name": "Ada", "sounds_like": ["ayda"]}).json()["is_damaged"] is False


def test_a_name_is_heard_confirmed_and_rejected_and_searches_go_by_it(client, service, chosen_files) -> None:
    client.put(PATH, json={"name": "Wojciechowski", "sounds_like": ["voy che hoff ski", "vor cheh hoff ski"]})
    (heard, *_) = client.get(f"{PATH}/heard", params={"name": "wojciechowski"}).json()
    assert heard["title"] == "Eleven minutes on the chain ferry" and heard["likelihood"] > 0.5
    assert 0 <= heard["heard_start_s"] < heard["heard_end_s"] <= heard["end_s"] - heard["start_s"] + 1
    assert client.get(heard["clip_url"]).status_code == 200
    verdict = {"name": "Wojciechowski", "passage_id": heard["passage_id"]}

    def found(question: str) -> set[str]:
        return {hit.passage.passage_id for hit in service.search.find(Query(question, top_k=20), "all").hits}

    assert heard["passage_id"] in found("Wojciechowski") & found('"Wojciechowski"')
    assert client.post(f"{PATH}/heard", json=verdict | {"is_said": False}).status_code == 200
    again = client.get(f"{PATH}/heard", params={"name": "Wojciechowski"}).json()
    assert heard["passage_id"] not in [one["passage_id"] for one in again]
    assert heard["passage_id"] not in found("Wojciechowski") | found('"Wojciechowski"')
    assert heard["passage_id"] in found("Wojciechowski ferry")
    client.post(f"{PATH}/heard", json=verdict | {"is_said": True})
    assert client.get(f"{PATH}/heard", params={"name": "Wojciechowski"}).json()[0]["is_said"] is True
    assert heard["passage_id"] not in found("ferry -Wojciechowski")
    example = (chosen_files / "s004.opus").read_bytes()
    assert client.post(f"{PATH}/example", params={"name": "Wojciechowski"}, content=example).status_code == 422  # long
    assert client.get(f"{PATH}/heard", params={"name": "nobody"}).status_code == 404


def test_names_are_changed_by_owners_only_and_private_passages_stay_so(service) -> None:
    service.names.put("Wojciechowski", ("voy che hoff ski",))
    (heard, *_) = service.names_heard.find("Wojciechowski", visitor=READER)
    for change in (
        lambda: service.names.put("Ada", (), READER),
        lambda: service.names.remove("Wojciechowski", READER),
        lambda: service.names.import_table(b"Ada", READER),
        lambda: service.names.record("Wojciechowski", b"", READER),
        lambda: service.names.judge("Wojciechowski", heard.passage.passage_id, True, READER),
    ):
        with pytest.raises(NotAllowedError, match="changed by its owner"):
            change()
    service.library.rename_collection("samples", private("samples", "somebody"))
    assert service.names_heard.find("Wojciechowski", visitor=READER) == []
    assert service.names_heard.find("Wojciechowski") != []


def test_a_recorded_example_is_heard_and_not_kept_as_sound(service) -> None:
    from speechsearch.audio import to_wav
    from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio

    service.names.put("Ada")
    passage = service.browse.passages_of(service.browse.recordings()[0].recording_id)[0]
    samples = service.browse.sound(passage.passage_id).samples[: 2 * SAMPLE_RATE_HZ]
    name = service.names.record("ada", to_wav(Audio(samples)))
    assert len(name.phonemes) > 3 and name.heard_by == service.names.fingerprint
    assert service.names.put("Ada", ("ay da",)).phonemes == name.phonemes
    assert service.names.sounds("Ada")[0].pronunciations[0] == name.phonemes


def test_the_fold_escapes_and_shows_forms_to_owners_only(service) -> None:
    service.names.put(EVIL, (EVIL,))
    owners = names_view.panel(service.names.find(), "", "", may_change=True)
    readers = names_view.panel(service.names.find(), "", "", may_change=False)
    assert "<script" not in owners + readers and "onload='" not in owners
    assert "<form" in owners and "<form" not in readers and "data-remove" not in readers
    found = names_view.heard(service.names_heard.find(EVIL), "", may_change=True)
    assert "<script" not in found
