"""The WebSocket that understands sound: its messages, streams, limits, and clients that do not mix."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from speechsearch.api import create_app, understand_routes
from speechsearch.api.sound_buffer import MOST_WAITING_S
from speechsearch.api.understand_bodies import (
    AnswerTold,
    ClientMessage,
    EvidenceTold,
    QuotesTold,
    SentenceTold,
    ServerMessage,
)
from speechsearch.domain.answers import Answer, AnswerEvent, Quotes, Sentence
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Transcript, Word
from speechsearch.domain.visitors import private
from speechsearch.service.settings import AuthSettings, ServerSettings
from tests.tiny.fakes import FakeLoader, open_fakes, word_of
from tests.unit.test_audio_live import encoded, speech
from tests.web.conftest import wav

SOCKET = "/ws/understand"
OCTOPUS = SAMPLES / "audio" / "s015.opus"


@pytest.fixture
def house(tmp_path):
    """A service without recordings, whose recogniser writes a word for each second."""
    with open_fakes(tmp_path / "data", FakeLoader(recognizers=(BySeconds(),))) as service:
        yield service


@pytest.fixture
def client(house):
    with TestClient(create_app(house)) as client:
        client.get("/health")
        yield client


@pytest.fixture
def socket(client):
    with client.websocket_connect(SOCKET) as socket:
        yield socket


def told(socket: Any, until: str = "") -> list[dict[str, Any]]:
    """The messages up to one of a type, or an error."""
    found: list[dict[str, Any]] = []
    while not found or found[-1]["type"] not in (until or found[-1]["type"], "error"):
        found.append(socket.receive_json())
    return found


def pcm(samples: np.ndarray) -> bytes:
    return (samples * 32767).astype("<i2").tobytes()


def base64_of(path=OCTOPUS) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def stream(socket: Any, data: bytes, step: int = 16_000, **start: Any) -> list[dict[str, Any]]:
    """Send a stream and return what is told, up to its end."""
    socket.send_json({"type": "start", **start})
    for place in range(0, len(data), step):
        socket.send_bytes(data[place : place + step])
    socket.send_json({"type": "end"})
    return told(socket, "ended")


def test_the_ancestors_messages_are_answered_as_before(socket) -> None:
    socket.send_json({"type": "ping"})
    assert socket.receive_json() == {"type": "pong"}
    socket.send_json({"type": "load_models"})
    *progress, ready, loaded = told(socket, "models_loaded")
    assert loaded == {"type": "models_loaded", "success": True}
    assert ready["type"] == "ready" and ready["models"][0] == "first"
    assert [one["done"] for one in progress] == [0, 1, 2, 3, 4] and progress[-1]["total"] == 4
    socket.send_json({"type": "transcribe", "audio": base64_of(), "context": "A lecture on animals."})
    (result,) = told(socket, "result")
    assert result["success"] is True and result["transcript"].startswith("w")
    assert isinstance(result["response"], str) and result["model"] == "cascade"
    assert result["speech_features_shape"] == [1, len(result["segments"]), 1], "a frame a passage"
    assert result["segments"][0]["words"][0]["start_s"] < result["segments"][0]["words"][-1]["end_s"]


def test_a_spoken_question_is_answered_from_the_context(socket, house, monkeypatch) -> None:
    said = "When was the old bridge built?"
    monkeypatch.setattr(house.loader, "recognizer", lambda name: Saying(said))
    question = base64.b64encode(wav_of(speech("s015", 2.0))).decode()
    socket.send_json({"type": "transcribe", "audio": question, "context": "The old bridge was built in 1890."})
    (result,) = told(socket, "result")
    assert result["transcript"] == said and "1890" in result["response"]
    cited = result["answer"]["sentences"][0]["citations"][0]
    assert (cited["recording_id"], cited["title"], cited["page_url"]) == ("", "Your context", "")


def test_a_sound_may_come_by_id_or_in_binary_frames(socket, client) -> None:
    kept = client.post("/api/v1/understand/sounds", content=OCTOPUS.read_bytes()).json()
    socket.send_json({"type": "transcribe", "upload_id": kept["upload_id"], "id": "a"})
    (first,) = told(socket, "result")
    data = OCTOPUS.read_bytes()
    socket.send_bytes(data[:5000])
    socket.send_bytes(data[5000:])
    socket.send_json({"type": "transcribe", "id": "b"})
    (second,) = told(socket, "result")
    assert (first["id"], second["id"]) == ("a", "b") and first["transcript"] == second["transcript"]


def test_files_that_follow_each_other_are_not_mixed(socket) -> None:
    for length_s in (2.0, 4.0):
        socket.send_bytes(wav_of(speech("s015", length_s)))
        socket.send_json({"type": "transcribe", "id": str(length_s)})
    for length_s in (2.0, 4.0):
        (result,) = told(socket, "result")
        assert result["id"] == str(length_s) and result["duration_s"] == pytest.approx(length_s)


def test_another_visitors_upload_is_not_there(client) -> None:
    kept = client.post("/api/v1/understand/sounds", content=OCTOPUS.read_bytes()).json()
    with TestClient(client.app) as other, other.websocket_connect(SOCKET) as socket:
        socket.send_json({"type": "transcribe", "upload_id": kept["upload_id"]})
        assert socket.receive_json()["code"] == "not_found"


@pytest.mark.parametrize(
    ("message", "code", "words"),
    [
        ({"type": "transcribe", "audio_path": "/etc/passwd"}, "input", "no path of the server is read"),
        ({"type": "transcribe"}, "input", "No sound was sent"),
        ({"type": "transcribe", "audio": "%%%"}, "input", "not base64"),
        ({"type": "transcribe", "audio": base64.b64encode(b"hello").decode()}, "decode", "not sound"),
        ({"type": "transcribe", "audio": "", "context": {"nobody": 1}}, "input", "nobody"),
        ({"type": "transcribe", "upload_id": "0" * 32}, "not_found", "no such upload"),
        ({"type": "understand", "question": "Why?"}, "input", "No sound was sent"),
        ({"type": "understand", "question": ""}, "input", "question"),
        ({"type": "understand", "question": "x" * 10_000}, "input", "question"),
        ({"type": "start", "rate_hz": 1}, "input", "is not taken"),
        ({"type": "start", "encoding": "mp3"}, "input", "encoding"),
        ({"type": "end"}, "input", "no stream"),
        ({"type": "dance"}, "input", "Unknown message type: dance"),
        ({"type": ["ping"]}, "input", "Unknown message type"),
        ([], "input", "Invalid JSON"),
        ("[" * 100_000, "input", "Invalid JSON"),
    ],
)
def test_what_cannot_be_done_is_said_and_the_next_message_is_answered(socket, message, code, words) -> None:
    socket.send_text(message if isinstance(message, str) else json.dumps(message))
    answer = socket.receive_json()
    assert (answer["type"], answer["code"]) == ("error", code) and words in answer["message"]
    assert answer["error"] == answer["message"]
    if code == "input" and "audio" in str(message):
        assert answer["hint"]
    socket.send_json({"type": "ping", "id": "1"})
    assert socket.receive_json() == {"type": "pong", "id": "1"}


def test_a_stream_is_written_down_while_it_comes_in(socket) -> None:
    sound = np.concatenate([speech("s015", 9.0), np.zeros(2 * SAMPLE_RATE_HZ, np.float32), speech("s004", 5.0)])
    data, found = pcm(sound), []
    socket.send_json({"type": "start", "id": "s"})
    for place in range(2):  # after each part it is waited for a guess, so that the two can agree
        socket.send_bytes(data[place * 96_000 : (place + 1) * 96_000])
        found += told(socket, "partial")
    socket.send_bytes(data[2 * 96_000 :])
    socket.send_json({"type": "end"})
    found += told(socket, "ended")
    assert {one["id"] for one in found} == {"s"}
    kinds = [one["type"] for one in found if one["type"] != "ahead"]
    assert kinds[:2] == ["started", "speech_began"] and kinds[-1] == "ended" and kinds[-2] == "speech_ended"
    finals = [one for one in found if one["type"] == "final"]
    assert [one["number"] for one in finals] == list(range(len(finals))) and len(finals) >= 2
    assert found[-1]["transcript"] == " ".join(one["segment"]["text"] for one in finals)
    assert found[-1]["duration_s"] == pytest.approx(16.0)
    for final in finals:
        stable = ""
        for one in found:
            if one["type"] == "partial" and one["number"] == final["number"]:
                assert one["stable"].startswith(stable), "what is stable only grows"
                stable = one["stable"]
        assert final["segment"]["text"].startswith(stable)
    assert any(one["stable"] for one in found if one["type"] == "partial")


@pytest.mark.parametrize("encoding", ["webm", "ogg"])
def test_opus_is_heard_as_samples_are(socket, encoding, tmp_path) -> None:
    data = encoded(speech("s015", 6.0), encoding, tmp_path)
    ended = stream(socket, data, step=2000, encoding=encoding)[-1]
    assert ended["type"] == "ended" and ended["transcript"]
    assert ended["duration_s"] == pytest.approx(6.0, abs=0.1)


def test_a_stream_that_is_no_sound_is_an_error_and_another_may_follow(socket) -> None:
    assert stream(socket, b"x" * 4000, encoding="webm")[-1]["code"] == "decode"
    assert stream(socket, bytes(3 * 32_000))[-1] == {"type": "ended", "duration_s": 3.0, "transcript": ""}


def test_what_was_streamed_can_be_asked_about(socket) -> None:
    transcript = stream(socket, pcm(speech("s015", 8.0)))[-1]["transcript"]
    word = transcript.split()[1]
    socket.send_json({"type": "understand", "question": f"Who said {word}?", "id": "q"})
    evidence, *sentences, answer = told(socket, "answer")
    assert evidence["type"] == "evidence" and evidence["hits"] == []
    assert answer["is_found"] and answer["id"] == "q"
    assert [one["text"] for one in sentences] == [one["text"] for one in answer["sentences"]]
    (cited,) = answer["sentences"][0]["citations"]
    assert (cited["recording_id"], cited["title"], cited["audio_url"]) == ("", "What you sent", "")
    assert 0 <= cited["start_s"] <= cited["words_start_s"] < cited["words_end_s"] <= 8 and word in cited["quote"]
    socket.send_json({"type": "understand", "question": "Is there anything else?"})
    nothing = told(socket, "answer")[-1]
    assert nothing["searched_in"] == "" and nothing["text"] == "What you sent does not surely answer that."
    socket.send_json({"type": "transcribe"})
    assert told(socket, "result")[-1]["transcript"] == transcript


def test_real_models_understand_a_stream_and_the_collections_that_are_named(service) -> None:
    """And private collections are not there for others."""
    with TestClient(create_app(service)) as client, client.websocket_connect(SOCKET) as socket:
        assert "hearts" in stream(socket, pcm(speech("s015", 5.0)))[-1]["transcript"].lower()
        about = {"type": "understand", "question": "octopus blood?", "context": {"collections": ["samples"]}}
        socket.send_json(about)
        evidence, *_, answer = told(socket, "answer")
        assert evidence["hits"] and answer["nearest"]
        socket.send_json({"type": "transcribe", "context": {"collections": ["samples"], "text": "Blood."}})
        result = told(socket, "result")[-1]
        one, frames, phonemes = result["speech_features_shape"]
        assert one == 1 and 40 < frames <= 25 * result["duration_s"] and phonemes > 1
        service.library.rename_collection("samples", private("samples", "f" * 32))
        socket.send_json(about)
        assert told(socket)[-1]["code"] == "not_found"


def test_two_clients_do_not_mix(client, house, monkeypatch) -> None:
    """Each hears its own words only, though their frames arrive in turn."""
    monkeypatch.setattr(house.loader, "recognizer", lambda name: Loudness())
    sounds = [speech("s015", 4.0) * level for level in (0.3, 1.0)]
    with client.websocket_connect(SOCKET) as first, client.websocket_connect(SOCKET) as second:
        for socket in (first, second):
            socket.send_json({"type": "start"})
        for place in range(0, 4 * SAMPLE_RATE_HZ, 8000):
            for socket, sound in zip((first, second), sounds, strict=True):
                socket.send_bytes(pcm(sound[place : place + 8000]))
        for socket in (first, second):
            socket.send_json({"type": "end"})
        texts = [told(socket, "ended")[-1]["transcript"] for socket in (first, second)]
        assert set(texts[0].split()) == {"quiet"} and set(texts[1].split()) == {"loud"}
        for socket, own in ((first, "quiet"), (second, "loud")):
            socket.send_json({"type": "understand", "question": f"{own}?"})
            assert own in told(socket, "answer")[-1]["text"].lower()


def test_who_sends_faster_than_is_heard_is_told_so(socket, house, monkeypatch) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(house.loader, "recognizer", lambda name: Saying("slow", go_on))
    sound = pcm(np.tile(speech("s015", 10.0), 6))
    socket.send_json({"type": "start"})
    sender = threading.Thread(
        target=lambda: [socket.send_bytes(sound[place : place + 32_000]) for place in range(0, len(sound), 32_000)]
    )
    sender.start()
    ahead = told(socket, "ahead")[-1]
    assert ahead["waiting_s"] >= MOST_WAITING_S
    go_on.set()
    sender.join(60)
    socket.send_json({"type": "end"})
    assert told(socket, "ended")[-1]["duration_s"] == pytest.approx(60.0)


def test_a_ping_is_answered_in_the_midst_of_work_and_who_leaves_ends_it(client, house, monkeypatch) -> None:
    go_on, said = threading.Event(), Saying("slow")
    said.go_on = go_on
    monkeypatch.setattr(house.loader, "recognizer", lambda name: said)
    long = base64.b64encode(wav_of(np.tile(speech("s015", 20.0), 5))).decode()
    with client.websocket_connect(SOCKET) as socket:
        socket.send_json({"type": "transcribe", "audio": long})
        assert said.begun.wait(30)
        socket.send_json({"type": "ping"})
        assert socket.receive_json() == {"type": "pong"}
    go_on.set()
    time.sleep(0.5)
    assert said.times == 1, "no further step was made"


def wav_of(samples: np.ndarray) -> bytes:
    return wav(440.0, 0.0)[:40] + len(pcm(samples)).to_bytes(4, "little") + pcm(samples)


def test_who_is_silent_for_long_is_no_longer_connected(house, monkeypatch) -> None:
    monkeypatch.setattr(understand_routes.understand_routes, "__defaults__", (0.3,))
    with TestClient(create_app(house)) as client, client.websocket_connect(SOCKET) as socket:
        assert "Nothing came" in socket.receive_json()["message"]
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
        assert closed.value.code == 1001


def test_a_visitor_has_so_many_connections(client) -> None:
    with (
        client.websocket_connect(SOCKET) as one, client.websocket_connect(SOCKET) as two,
        client.websocket_connect(SOCKET) as three, client.websocket_connect(SOCKET) as four,
        client.websocket_connect(SOCKET) as fifth,
    ):  # fmt: skip
        assert fifth.receive_json()["code"] == "too_many"
        for socket in (one, two, three, four):
            socket.send_json({"type": "ping"})
            assert socket.receive_json() == {"type": "pong"}


def test_limits_of_length_number_and_frequency(house) -> None:
    limits = house.settings.limits.model_copy(update={"sent_audio_s": 4.0, "searches_a_minute": 10})
    house.settings = house.settings.model_copy(update={"limits": limits})
    house.understand._limits = limits
    with TestClient(create_app(house)) as client:
        client.get("/health")
        with client.websocket_connect(SOCKET) as socket:
            found = stream(socket, pcm(speech("s015", 6.0)))
            assert found[-1]["code"] == "too_long" and found[-2]["type"] == "speech_ended", "what came before is heard"
            assert stream(socket, bytes(2_000_000), step=2_000_000)[-1]["code"] == "too_large"
            socket.send_json({"type": "start"})
            assert socket.receive_json()["code"] == "too_many"


@pytest.mark.parametrize("headers", [{"origin": "https://evil.org"}, {"sec-fetch-site": "cross-site"}])
def test_pages_of_other_sites_may_not_connect(client, headers) -> None:
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(SOCKET, headers=headers):
        pass


def test_a_login_is_needed_where_there_is_one(house) -> None:
    from speechsearch.api.passwords import hash_password

    users = AuthSettings(users={"ann": hash_password("a tide of bees")})
    house.settings = house.settings.model_copy(update={"auth": users})
    with TestClient(create_app(house)) as client:
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(SOCKET):
            pass
        for key in ("Bearer ann:a tide of bees", f"Basic {base64.b64encode(b'ann:a tide of bees').decode()}"):
            with client.websocket_connect(SOCKET, headers={"authorization": key}) as socket:
                socket.send_json({"type": "ping"})
                assert socket.receive_json() == {"type": "pong"}


def test_who_may_add_nothing_sends_a_questions_length(house) -> None:
    house.settings = house.settings.model_copy(update={"server": ServerSettings(uploads="off")})
    house.browse.settings = house.settings
    with TestClient(create_app(house)) as client, client.websocket_connect(SOCKET) as socket:
        socket.send_json({"type": "start"})
        assert socket.receive_json()["longest_s"] == Limits().query_audio_s


def test_a_speech_language_model_replies_in_place_of_the_cascade(socket, house, monkeypatch) -> None:
    """Marked experimental; it is asked what the context says."""
    monkeypatch.setattr(house.understand, "_speech_model", Hearing())
    for context, response in (("Who speaks?", "from what is said: Who speaks?"), ("", "Write down what is said.")):
        socket.send_json({"type": "transcribe", "audio": base64_of(), "context": context})
        (result,) = told(socket, "result")
        assert result["response"].endswith(response) and result["model"] == "hearing (experimental)"
        assert result["speech_features_shape"] == [1, 7 * len(result["segments"]), 16]


def test_quotes_come_before_the_sentences_of_a_language_model(socket, house, monkeypatch) -> None:
    quote, joined = Sentence("Quoted.", ()), Sentence("Joined.", (), "phrased")

    def answered(*_: Any, **__: Any) -> Iterator[AnswerEvent]:
        yield Quotes((quote,))
        yield joined
        yield Answer("Why?", "all", (joined,))

    monkeypatch.setattr(house.ask, "answer", answered)
    socket.send_json({"type": "transcribe", "audio": base64_of()})
    told(socket, "result")
    socket.send_json({"type": "understand", "question": "Why?", "id": "q"})
    quotes, sentence, answer = told(socket, "answer")
    assert (quotes["type"], quotes["id"], quotes["sentences"][0]["text"]) == ("quotes", "q", "Quoted.")
    assert (sentence["text"], answer["text"]) == ("Joined.", "Joined.")


class Hearing:
    """A speech language model that repeats its instruction."""

    name = fingerprint = "hearing"

    def features_shape(self, sound):
        return 7, 16

    def understand(self, sounds, instruction, max_tokens):
        return [instruction for _ in sounds]


def test_the_document_lists_every_message_and_its_fields() -> None:
    document = (Path(__file__).parents[2] / "docs" / "understand.md").read_text(encoding="utf-8")
    own = (EvidenceTold, QuotesTold, SentenceTold, AnswerTold)  # as the events of another route, which api.md describes
    for model in (*get_args(get_args(ClientMessage)[0]), *get_args(ServerMessage)):
        for kind in get_args(model.model_fields["type"].annotation):
            assert f"| `{kind}`" in document or f", `{kind}`" in document, kind
        fields = set() if model in own else set(model.model_fields) - {"type"}
        assert {name for name in fields if f"`{name}`" not in document} == set(), model


class Saying:
    """Writes the same of every sound; waits for ``go_on``, if there is one."""

    name = fingerprint = "saying"

    def __init__(self, text: str, go_on: threading.Event | None = None) -> None:
        self.text, self.go_on, self.begun, self.times = text, go_on, threading.Event(), 0

    def transcribe(self, sounds, language=None, hotwords=()):
        self.begun.set()
        self.times += bool(sounds)
        assert self.go_on is None or self.go_on.wait(30)
        return [Transcript(self.text, self.name) for _ in sounds]


class Loudness:
    """Writes whether a sound is loud, once a second."""

    name = fingerprint = "loudness"

    def transcribe(self, sounds, language=None, hotwords=()):
        found = []
        for sound in sounds:
            word = "loud" if np.abs(sound.samples).max() > 0.5 * np.abs(speech("s015", 4.0)).max() else "quiet"
            words = tuple(Word(word, float(at_s), at_s + 1.0) for at_s in range(int(sound.duration_s)))
            found.append(Transcript(" ".join(one.text for one in words), self.name, words))
        return found


class BySeconds:
    """Writes a word for each second of a sound, the same for the same samples; the last one is not whole yet."""

    name, fingerprint = "first", "by-seconds"

    def transcribe(self, sounds, language=None, hotwords=()):
        found = []
        for sound in sounds:
            starts = range(0, len(sound.samples), SAMPLE_RATE_HZ)
            texts = [word_of(Audio(sound.samples[start : start + SAMPLE_RATE_HZ])) for start in starts]
            words = tuple(Word(text, float(at_s), at_s + 1.0) for at_s, text in enumerate(texts))
            found.append(Transcript(" ".join(texts), self.name, words))
        return found
