"""Tasks in child processes, and what becomes of those that misbehave. The tasks are at the end."""

import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from speechsearch.audio import children
from speechsearch.audio.children import Allowance, ChildError, in_child
from speechsearch.domain.errors import ArchiveError, DecodeError

ENOUGH = Allowance(200 << 20, cpu_s=20, wait_s=60)


def run(task: str, allowance: Allowance = ENOUGH, content: bytes = b"", **arguments: object) -> Iterator:
    return in_child(f"tests.unit.test_audio_children:{task}", arguments, allowance, "a.mp3", DecodeError, content)


def child() -> int:
    """Return the number of the process that takes the next task."""
    return next(iter(list(run("number"))))


def test_values_and_bytes_come_back_in_order() -> None:
    content = os.urandom(5_000_000)
    assert list(run("echo", content=content, value=[1, None, "é\udc80"])) == [[1, None, "é\udc80"], content, b"", "end"]


def test_a_child_is_kept_for_the_next_task() -> None:
    assert child() == child() != os.getpid()


def test_tasks_at_the_same_time_have_a_child_each() -> None:
    first, second = run("number"), run("number")
    assert next(first) != next(second)
    assert list(first) == list(second) == []


def test_many_threads_ask_at_once() -> None:
    found: list[list] = []
    threads = [threading.Thread(target=lambda: found.append(list(run("echo", value=1, content=b"x")))) for _ in "1234"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[1, b"x", b"", "end"]] * 4
    assert len(children._children()._idle) <= children.MOST_IDLE


def test_a_task_waits_for_a_child_that_is_done_soon_rather_than_start_another(monkeypatch) -> None:
    fresh = children.Children()
    monkeypatch.setattr(children, "_children", lambda: fresh)
    monkeypatch.setattr(children, "WORTH_WAITING_S", 60.0)
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(child())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) <= children.MOST_IDLE
    monkeypatch.setattr(children, "WORTH_WAITING_S", 0.0)
    busy = [run("number") for _ in range(3)]
    assert len({next(one) for one in busy}) == 3, "where they are not done, another is started"
    assert [list(one) for one in busy] == [[]] * 3
    fresh.close()


@pytest.mark.parametrize(("task", "allowance", "message"), [
    ("take_memory", Allowance(100 << 20, 20, 60), "a.mp3 was given up: reading it takes more than 105 MB of memory"),
    ("take_memory_unlimited", Allowance(100 << 20, 20, 60), "more than 105 MB of memory"),
    ("burn_in_one_call", Allowance(100 << 20, 1, 60), "reading it takes more than 1 seconds of computing"),
    ("hang", Allowance(100 << 20, 20, 3), "nothing came of it in 3 seconds"),
    ("crash", ENOUGH, r"the process that read it has crashed \(SIGSEGV\)"),
    ("leave", ENOUGH, r"the process that read it has crashed \(code 7\)"),
])  # fmt: skip
def test_a_task_past_its_limits_is_an_error_that_says_which(task, allowance, message, monkeypatch, request) -> None:
    if task == "take_memory_unlimited":  # as on macOS
        monkeypatch.setattr(children, "WATCHES_MEMORY", True)
        fresh = children.Children()
        monkeypatch.setattr(children, "_children", lambda: fresh)
        request.addfinalizer(fresh.close)
    number = child()
    started = time.monotonic()
    answers = run(task, allowance)
    assert next(answers) == "begun"
    with pytest.raises(DecodeError, match=message):
        next(answers)
    assert time.monotonic() - started < 60
    assert child() != number


def test_a_limit_of_time_holds_for_each_task_and_not_for_all() -> None:
    number = child()
    for _ in range(4):
        assert list(run("work", Allowance(100 << 20, 1, 60), seconds=0.35)) == []
    assert child() == number


def test_errors_cross_with_their_kind_and_hint() -> None:
    with pytest.raises(ArchiveError, match=r"^It is broken\. Mend it\.$") as caught:
        list(run("refuse"))
    assert caught.value.hint == "Mend it."
    with pytest.raises(FileNotFoundError, match="No such file"):
        list(run("miss"))
    number = child()
    with pytest.raises(ChildError, match=re.compile("Traceback.*in fail.*KeyError: 'a'", re.DOTALL)):
        list(run("fail"))
    assert child() == number


def test_what_a_library_prints_is_no_answer() -> None:
    assert list(run("talk")) == ["said"]


def test_a_child_writes_no_files(tmp_path) -> None:
    with pytest.raises(OSError, match="File too large"):
        list(run("write", path=str(tmp_path / "a")))


def test_answers_that_nobody_wants_any_more_end_the_child() -> None:
    answers = run("endless")
    number = next(answers)
    answers.close()
    assert not psutil.pid_exists(number)
    assert child() != number


@pytest.mark.parametrize("task", ["hang", "endless"])
def test_children_die_with_a_parent_that_is_killed(task) -> None:
    code = (
        "import time; from tests.unit.test_audio_children import run\n"
        f"idle = list(run('number')); task = run('{task}'); next(task); print(*idle, flush=True); time.sleep(100)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    number = int(parent.stdout.readline())
    started = [one.pid for one in psutil.Process(parent.pid).children()]
    assert number in started
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 40
    while any(is_alive(one) for one in started):
        assert time.monotonic() < until, "a child lives on"
        time.sleep(0.05)


def is_alive(number: int) -> bool:
    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_children_end_with_a_parent_that_ends(tmp_path) -> None:
    code = "from tests.unit.test_audio_children import run; print(*run('number'), flush=True)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert not psutil.pid_exists(int(done.stdout))


# The tasks, which run in the child.


def number(content: bytes) -> Iterator:
    yield os.getpid()


def echo(content: bytes, value: object) -> Iterator:
    yield value
    yield content
    yield b""
    yield "end"


def take_memory(content: bytes) -> Iterator:
    yield "begun"
    yield len(bytearray(1 << 30))


def take_memory_unlimited(content: bytes) -> Iterator:
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    yield "begun"
    kept = b"x" * (300 << 20)
    time.sleep(40)
    yield len(kept)


def burn_in_one_call(content: bytes) -> Iterator:
    yield "begun"
    yield bool(re.search(rb"\d+ hdrcharset=", b"1" * 2_000_000))


def hang(content: bytes) -> Iterator:
    yield "begun"
    time.sleep(100)


def crash(content: bytes) -> Iterator:
    yield "begun"
    os.kill(os.getpid(), signal.SIGSEGV)


def leave(content: bytes) -> Iterator:
    yield "begun"
    os._exit(7)


def work(content: bytes, seconds: float) -> Iterator:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass
    yield from ()


def refuse(content: bytes) -> Iterator:
    raise ArchiveError("It is broken.", "Mend it.")


def miss(content: bytes) -> Iterator:
    yield open("/no/such/file")


def fail(content: bytes) -> Iterator:
    yield {}["a"]


def talk(content: bytes) -> Iterator:
    print("JUNK" * 10, flush=True)
    os.write(1, b"J\0\0\0\x7fmore")
    os.write(2, b"warning")
    yield "said"


def write(content: bytes, path: str) -> Iterator:
    with open(path, "wb") as file:
        yield file.write(b"x" * 100_000)


def endless(content: bytes) -> Iterator:
    while True:
        yield os.getpid()
