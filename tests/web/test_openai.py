"""OpenAI's own client against the application on a real port; its types validate every answer."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx
import numpy as np
import openai
import pytest
from openai.types import Model
from openai.types.audio import (
    Transcription,
    TranscriptionDiarized,
    TranscriptionVerbose,
    Translation,
    TranslationVerbose,
)

from speechsearch.api import create_app, openai_answers
from speechsearch.api.passwords import hash_password
from speechsearch.api.transcription_turns import A_VISITOR, Turns
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import CapabilityError, DecodeError, ModelUnavailableError
from speechsearch.domain.segments import Segment
from speechsearch.domain.speakers import Diarization, Turn, Voice
from speechsearch.domain.values import Span, Word
from speechsearch.jobs.queue import JobQueue
from speechsearch.service.open import Service
from speechsearch.service.settings import AuthSettings, EngineSettings, Settings
from tests.tiny.served import served

SOUND = SAMPLES / "audio" / "s001.opus"
PASSWORD = "a tide of bees"
WORDS = (Word("Who", 0.5, 1.2), Word("built", 1.5, 2.2), Word("it?", 2.5, 3.2))
SAID = (
    Segment(Span(0.5, 4.0), "Who built it?", WORDS, "de", 0.5),
    Segment(Span(5.0, 7.25), "Nobody knows.", (Word("Nobody", 5.0, 5.8), Word("knows.", 6.0, 7.0)), "de"),
)


@dataclass
class FakeTranscriber:
    """Writes down what the test says, or what the file itself holds, a line a segment."""

    said: Sequence[Segment] = SAID
    asked: list[dict[str, Any]] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)
    before_each: Callable[[str], None] = lambda text: None

    def duration_s(self, path: Path, name: str = "") -> float:
        if path.read_bytes() == b"no sound":
            raise DecodeError(f"{name} is not readable sound.")
        return 7.5

    def segments(self, path: Path, **asked: Any) -> Iterator[Segment]:
        self.asked.append(asked)
        if asked["language"] == "xx":
            raise CapabilityError("The recognizer 'mini' does not know the language 'xx'.")
        return self._written(path.read_bytes())

    def _written(self, content: bytes) -> Iterator[Segment]:
        lines = content.decode().split("\n") if content.startswith(b"text") else []
        said = [Segment(Span(n, n + 1.0), line) for n, line in enumerate(lines)] or self.said
        try:
            for one in said:
                self.before_each(one.text)
                yield one
        finally:
            self.closed.set()


class FakeDiarizer:
    def diarize(self, path: Path, **asked: Any) -> Diarization:
        asked["progress"](None)
        voices = tuple(Voice(number, np.ones(1, np.float32), 2.0) for number in (1, 2))
        return Diarization((Turn(Span(0, 2.3), 1), Turn(Span(2.3, 8), 2)), voices)


@dataclass
class Server:
    address: str
    service: Service

    @property
    def transcriber(self) -> FakeTranscriber:
        return self.service.transcriber  # type: ignore[return-value]

    def client(self, key: str = "none", **more: Any) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.address}/v1", api_key=key, max_retries=0, **more)

    def left(self) -> list[Path]:
        """What is kept of what was sent; it goes just after the answer."""
        until_s = time.monotonic() + 10
        while (found := list((self.service.data_dir / "jobs").rglob("*"))) and time.monotonic() < until_s:
            time.sleep(0.02)
        return found


def serving(settings: Settings, loader: Any) -> Iterator[Server]:
    with Service.open(settings, loader=loader) as service:
        app = create_app(service, jobs=JobQueue(service, {}))
        with served(app) as address:
            yield Server(address, service)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, loader) -> Iterator[Server]:
    """A server with real recognisers and no recordings."""
    yield from serving(Settings(data_dir=tmp_path_factory.mktemp("openai")), loader)


@pytest.fixture
def server(real: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The same server, with a recogniser that writes what the test says."""
    monkeypatch.setattr(real.service, "transcriber", FakeTranscriber())
    monkeypatch.setattr(real.service, "diarizer", FakeDiarizer())
    return real


def sent(content: bytes = b"sound", name: str = "talk.wav") -> tuple[str, bytes]:
    return name, content


def test_a_recording_is_really_written_down(real: Server) -> None:
    with real.client() as client, SOUND.open("rb") as file:
        found = client.audio.transcriptions.create(model="mini", file=file, response_format="verbose_json")
        file.seek(0)
        again = client.audio.transcriptions.create(model="whisper-1", file=file)
    assert isinstance(found, TranscriptionVerbose) and isinstance(again, Transcription)
    assert found.text == again.text and len(found.text.split()) > 5
    assert again.usage is not None and again.usage.type == "duration" and again.usage.seconds == found.duration
    assert found.segments and found.segments[-1].end <= found.duration + 0.1
    assert real.left() == []


def test_whisper_says_the_language_the_confidence_and_the_words(real: Server) -> None:
    with real.client() as client, SOUND.open("rb") as file:
        found = client.audio.transcriptions.create(
            model="whisper-tiny.en",
            file=file,
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
            prompt="Wojciechowski",
        )
    assert found.language == "english" and found.words and found.segments
    assert " ".join(word.word for word in found.words) == found.text
    assert all(-1.5 < one.avg_logprob < 0 and 0 < one.compression_ratio < 2.4 for one in found.segments)


def test_models(server: Server) -> None:
    with server.client() as client:
        listed = client.models.list().data
        assert all(isinstance(one, Model) and one.object == "model" for one in listed)
        names = [one.id for one in listed]
        assert names[0] == "whisper-1" and "mini" in names and "given" not in names
        assert client.models.retrieve("mini").id == "mini"
        with pytest.raises(openai.NotFoundError, match="There is no model 'none'") as caught:
            client.models.retrieve("none")
    assert (caught.value.code, caught.value.param, caught.value.type) == (
        "model_not_found", "model", "invalid_request_error"
    )  # fmt: skip


def test_every_format(server: Server) -> None:
    with server.client() as client:

        def written(kind: Any, **more: Any) -> Any:
            return client.audio.transcriptions.create(model="mini", file=sent(), response_format=kind, **more)

        assert written("json").text == "Who built it? Nobody knows."
        assert written("text") == "Who built it? Nobody knows.\n"
        assert written("srt").startswith("1\n00:00:00,500 --> 00:00:03,200\nWho built it?\n\n2\n00:00:05,000")
        assert written("vtt").startswith("WEBVTT\n\n00:00:00.500 --> 00:00:03.200\nWho built it?\n")
        verbose = written("verbose_json")
        assert (verbose.language, verbose.duration, verbose.words) == ("german", 7.5, None)
        assert verbose.model_dump()["task"] == "transcribe"
        first, second = verbose.segments
        assert (first.id, first.seek, first.start, first.end, first.text) == (0, 50, 0.5, 4.0, "Who built it?")
        assert (round(first.avg_logprob, 3), second.avg_logprob) == (-0.693, 0.0)
        words = written("verbose_json", timestamp_granularities=["word"])
        assert words.segments is None
        assert [(one.word, one.start, one.end) for one in words.words][3:] == [
            ("Nobody", 5.0, 5.8),
            ("knows.", 6.0, 7.0),
        ]


def test_who_says_what(server: Server) -> None:
    with server.client() as client:
        found = client.audio.transcriptions.create(
            model="mini", file=sent(), response_format="diarized_json", chunking_strategy="auto"
        )
    assert isinstance(found, TranscriptionDiarized) and found.task == "transcribe"
    assert [(one.speaker, one.text, one.start, one.end) for one in found.segments] == [
        ("A", "Who built", 0.5, 2.2),
        ("B", "it?", 2.5, 3.2),
        ("B", "Nobody knows.", 5.0, 7.25),
    ]
    assert found.text == "Who built it? Nobody knows." and len({one.id for one in found.segments}) == 3


def test_streams(server: Server) -> None:
    with server.client() as client:
        events = list(client.audio.transcriptions.create(model="mini", file=sent(), stream=True))
        assert [one.type for one in events] == ["transcript.text.delta"] * 2 + ["transcript.text.done"]
        assert "".join(one.delta for one in events[:2]) == events[2].text == "Who built it? Nobody knows."
        strategy: Any = {"type": "server_vad", "silence_duration_ms": 300}
        said = client.audio.transcriptions.create(
            model="mini", file=sent(), stream=True, response_format="diarized_json", chunking_strategy=strategy
        )
        spoken = list(said)
    kinds = [one.type.rpartition(".")[2] for one in spoken]
    assert kinds == ["delta", "segment"] * 3 + ["done"]
    assert (spoken[1].speaker, spoken[1].text, spoken[1].id) == ("A", "Who built", spoken[0].segment_id)


def test_what_is_asked_for_reaches_the_recogniser(server: Server) -> None:
    with server.client() as client:
        create = client.audio.transcriptions.create
        create(model="whisper-base", file=sent(), prompt="Ada, Qdrant Edge", language="de", temperature=0.5)
        create(model="mini", file=sent(), prompt="Ada", languages=["fr"])
        create(model="whisper-base", file=sent(), keywords=["Ada"], languages=["fr", "de"])
        translate = client.audio.translations.create
        with pytest.deprecated_call():  # so OpenAI calls its route
            spoken = translate(model="whisper-base", file=sent(), prompt="Ada")
            verbose = translate(model="whisper-base", file=sent(), response_format="verbose_json")
            assert translate(model="whisper-1", file=sent(), response_format="srt")[0] == "1"
    first, second, third, fourth, *_ = server.transcriber.asked
    assert (first["hotwords"], first["language"], first["model"]) == (("Ada", "Qdrant Edge"), "de", "whisper-base")
    assert (second["hotwords"], second["language"], second["to_english"]) == ((), "fr", False)
    assert (third["hotwords"], third["language"], third["name"]) == (("Ada",), None, "talk.wav")
    assert (fourth["hotwords"], fourth["to_english"]) == ((), True)
    assert isinstance(spoken, Translation) and spoken.text == "Who built it? Nobody knows."
    assert isinstance(verbose, TranslationVerbose) and verbose.language == "english" and verbose.segments


@pytest.mark.parametrize(
    ("given", "param", "code", "said"),
    [
        ({"model": "gpt-9"}, "model", "model_not_found", "There is no model 'gpt-9'"),
        ({"file": ("a.wav", b"no sound")}, "file", "decode", "a.wav is not readable sound"),
        ({"response_format": "xml"}, "response_format", "invalid_value", "Input should be 'json'"),
        ({"temperature": 7}, "temperature", "invalid_value", "less than or equal to 1"),
        ({"language": "../etc"}, "language", "invalid_value", "should match pattern"),
        ({"language": "xx"}, None, "capability", "does not know the language 'xx'"),
        ({"include": ["logprobs"]}, "include", "unsupported_value", "No log probabilities"),
        ({"known_speaker_names": ["Ada"]}, "known_speaker_names", "unsupported_parameter", "A, B and so on"),
        ({"chunking_strategy": {"type": "server_vad", "threshold": 5}}, "chunking_strategy", "invalid_value", "than"),
        ({"stream": True, "response_format": "srt"}, "stream", "unsupported_value", "'srt' is not streamed"),
        ({"timestamp_granularities": ["syllable"]}, "timestamp_granularities", "invalid_value", "'word' or 'segment'"),
        ({"extra_body": {"beam_size": "5"}}, "beam_size", "unknown_parameter", "Unknown parameter: 'beam_size'"),
        ({"prompt": "x" * 5000}, "prompt", "invalid_value", "at most 4000 characters"),
    ],
)  # fmt: skip
def test_errors_are_the_clients_own(server: Server, given: dict[str, Any], param: str, code: str, said: str) -> None:
    kind = openai.NotFoundError if code == "model_not_found" else openai.BadRequestError
    with server.client() as client, pytest.raises(kind, match=said) as caught:
        found = client.audio.transcriptions.create(**{"model": "mini", "file": sent(), **given})
        list(found)
    assert (caught.value.param, caught.value.code, caught.value.type) == (param, code, "invalid_request_error")
    assert server.left() == []


def test_forms_that_no_client_sends(server: Server) -> None:
    address = f"{server.address}/v1/audio/transcriptions"

    def said(**form: Any) -> tuple[int, str]:
        answer = httpx.post(address, **form)
        return answer.status_code, answer.json()["error"]["message"]

    file = ("file", ("a.wav", b"x"))
    assert said(data={"model": "mini"}) == (
        400,
        "Files are sent as multipart/form-data. For example: curl -F files=@talk.mp3",
    )
    assert said(files=[("model", (None, "mini"))]) == (400, "Missing required parameter: 'file'.")
    assert said(files=[file]) == (400, "Missing required parameter: 'model'.")
    assert said(files=[("audio", ("a.wav", b"x"))], data={"model": "mini"})[1] == "Missing required parameter: 'file'."
    assert said(files=[file, file], data={"model": "mini"})[0] == 413
    assert said(files=[file], data={"model": "mini", "x" * 999: ""})[1] == f"Unknown parameter: '{'x' * 80}'."
    assert said(files=[file], data={"model": "mini", "chunking_strategy": '{"type":'})[0] == 400
    plain = httpx.get(f"{server.address}/v1/nothing")
    assert (plain.status_code, plain.json()["error"]["type"]) == (403, "invalid_request_error")
    assert httpx.get(address).json()["error"]["type"] == "invalid_request_error"


def test_what_goes_wrong_on_the_server(server: Server, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    failures = iter([ModelUnavailableError("There is too little memory."), RuntimeError("a secret"), RuntimeError("b")])

    def fail(text: str) -> None:
        raise next(failures)

    server.transcriber.before_each = fail
    with server.client() as client:
        with pytest.raises(openai.InternalServerError, match="too little memory") as caught:
            client.audio.transcriptions.create(model="mini", file=sent())
        assert caught.value.status_code == 503 and caught.value.response.headers["x-should-retry"] == "false"
        with pytest.raises(openai.InternalServerError, match="The log says more, under") as caught:
            client.audio.transcriptions.create(model="mini", file=sent())
        assert "secret" not in str(caught.value) and "a secret" in caplog.text
        server.transcriber.before_each = lambda text: fail(text) if text.startswith("Nobody") else None
        stream = client.audio.transcriptions.create(model="mini", file=sent(), stream=True)
        assert next(stream).type == "transcript.text.delta"
        with pytest.raises(openai.APIError, match="Its log says why"):
            next(stream)
    assert server.left() == []


def test_clients_do_not_mix(server: Server) -> None:
    found: dict[int, str] = {}

    def ask(number: int) -> None:
        lines = "\n".join(f"text {number} line {line}" for line in range(20))
        with server.client() as client:
            stream = client.audio.transcriptions.create(model="mini", file=sent(lines.encode()), stream=True)
            *deltas, done = stream
        assert "".join(one.delta for one in deltas) == done.text
        found[number] = done.text

    running: list[int] = []

    def one_at_a_time(text: str) -> None:
        running.append(1)
        assert len(running) == 1
        time.sleep(0.001)
        running.pop()

    server.transcriber.before_each = one_at_a_time
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {n: " ".join(f"text {n} line {line}" for line in range(20)) for n in range(6)}


@pytest.mark.parametrize("is_stream", [True, False])
def test_nobody_works_for_a_client_that_has_gone(server: Server, is_stream: bool) -> None:
    begun, written = threading.Event(), []

    def slowly(text: str) -> None:
        begun.set()
        written.append(text)
        time.sleep(0.05)

    server.transcriber.before_each = slowly
    lines = "\n".join(f"text {line}" for line in range(1000)).encode()
    with server.client(timeout=None if is_stream else 0.5) as client:
        if is_stream:
            stream = client.audio.transcriptions.create(model="mini", file=sent(lines), stream=True)
            next(stream)
            stream.close()
        else:
            with pytest.raises(openai.APITimeoutError):
                client.audio.transcriptions.create(model="mini", file=sent(lines))
        assert server.transcriber.closed.wait(10) and begun.is_set()
        assert len(written) < 100
        server.transcriber.before_each = lambda text: None
        assert client.audio.transcriptions.create(model="mini", file=sent(b"text next"), timeout=20).text == "text next"
    assert server.left() == []


def test_a_stream_that_has_nothing_to_say_shows_that_it_lives(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_answers, "SILENT_S", 0.0)  # as often as it can be
    server.transcriber.before_each = lambda text: time.sleep(0.02)
    form = {"model": "mini", "stream": "true"}
    answer = httpx.post(f"{server.address}/v1/audio/transcriptions", data=form, files={"file": sent()})
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.text.startswith(": still at work\n\n") and answer.text.endswith("\n\n")
    with server.client() as client:
        events = list(client.audio.transcriptions.create(model="mini", file=sent(), stream=True))
    assert events[-1].text == "Who built it? Nobody knows."


def test_too_many_at_once_are_refused(server: Server) -> None:
    go, said = threading.Event(), []
    server.transcriber.before_each = lambda text: go.wait(30) and None

    def ask() -> None:
        try:
            said.append(client.audio.transcriptions.create(model="mini", file=sent()).text)
        except openai.RateLimitError as error:
            said.append(error.code)
            go.set()

    with server.client(timeout=60) as client:
        client.models.list()  # from now on it has the visitor's cookie
        threads = [threading.Thread(target=ask) for _ in range(A_VISITOR + 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert sorted(said) == ["Who built it? Nobody knows."] * A_VISITOR + ["rate_limit_exceeded"]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, loader) -> Iterator[Server]:
    users = AuthSettings(users={"ann": hash_password(PASSWORD)}, visitors="read")
    yield from serving(Settings(data_dir=tmp_path_factory.mktemp("guarded"), auth=users), loader)


def test_the_key_is_name_and_password(guarded: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded.service, "transcriber", FakeTranscriber())
    with guarded.client(f"ann:{PASSWORD}") as client:
        assert client.audio.transcriptions.create(model="mini", file=sent()).text
    with guarded.client("sk-anything") as client:
        assert client.models.list().data
        with pytest.raises(openai.PermissionDeniedError, match="the key is your name, a colon and your password"):
            client.audio.transcriptions.create(model="mini", file=sent())
    with guarded.client("ann:wrong") as client, pytest.raises(openai.AuthenticationError, match="wrong") as caught:
        client.models.list()
    assert (caught.value.code, caught.value.type) == ("invalid_api_key", "invalid_request_error")


def test_an_address_has_half_of_the_turns() -> None:
    async def ask() -> list[bool]:
        turns = Turns(at_once=4)
        with contextlib.ExitStack() as stack:
            wanted = [("a", "1"), ("a", "1"), ("b", "1"), ("c", "1"), ("d", "2"), ("e", "3"), ("f", "4")]
            places = [stack.enter_context(turns.place(*one)) for one in wanted]
            async with anyio.create_task_group() as group:
                for place in places:
                    group.start_soon(turns.begin, place)
                await anyio.sleep(0.01)
                running = [place.is_running for place in places]
                group.cancel_scope.cancel()
        return running

    assert anyio.run(ask) == [True, False, True, False, True, True, False]


def test_a_short_file_does_not_wait_for_anothers_long_one(server: Server) -> None:
    long = "\n".join(f"text {line}" for line in range(500)).encode()
    written: list[str] = []

    def slowly(text: str) -> None:
        written.append(text)
        time.sleep(0.01)

    server.transcriber.before_each = slowly
    with server.client() as ann, server.client() as bob:
        for client in (ann, bob):
            client.models.list()  # from now on each has a visitor's cookie
        stream = ann.audio.transcriptions.create(model="mini", file=sent(long), stream=True)
        next(stream)
        assert bob.audio.transcriptions.create(model="mini", file=sent(b"text short")).text == "text short"
        assert len(written) < 400
        assert list(stream)[-1].text.endswith("text 499")


def test_visitors_take_turns() -> None:
    order: list[str] = []

    async def ask(turns: Turns, visitor: str) -> None:
        with turns.place(visitor, "10.0.0.7") as place:
            await turns.begin(place)
            order.append(visitor)
            await anyio.sleep(0.01)

    async def flood() -> None:
        turns = Turns(at_once=1)
        async with anyio.create_task_group() as group:
            for visitor in ("ann", "ann", "ann", "ann", "bob", "cas", "bob"):
                group.start_soon(ask, turns, visitor)

    anyio.run(flood)
    assert order == ["ann", "bob", "cas", "ann", "bob", "ann", "ann"]


def test_a_page_of_another_site_cannot_ask(server: Server) -> None:
    answer = httpx.post(f"{server.address}/v1/audio/transcriptions", headers={"Origin": "https://evil.org"})
    assert answer.status_code == 403 and "another site" in answer.json()["error"]["message"]
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_reference_describes_the_routes(server: Server) -> None:
    paths = httpx.get(f"{server.address}/api/openapi.json").json()["paths"]
    form = paths["/v1/audio/transcriptions"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["required"] == ["file", "model"] and "timestamp_granularities[]" in form["properties"]
    assert "OpenAiErrorBody" in str(paths["/v1/models"]["get"]["responses"]["401"])
    assert "known_speaker" not in str(paths["/v1/audio/translations"])


def test_without_a_recogniser_there_is_no_alias(tmp_path: Path, loader) -> None:
    settings = Settings(data_dir=tmp_path / "data", engines=EngineSettings(recognizer="none"))
    for server in serving(settings, loader):
        with server.client() as client:
            assert "whisper-1" not in [one.id for one in client.models.list().data]
            with pytest.raises(openai.NotFoundError, match="There is no model 'whisper-1'"):
                client.audio.transcriptions.create(model="whisper-1", file=sent())
