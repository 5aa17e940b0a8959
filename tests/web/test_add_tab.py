"""What the Add tab and the banner say."""

from __future__ import annotations

import re

import pytest

from speechsearch.api.job_routes import DatasetRequest, FeedRequest
from speechsearch.domain.limits import Limits
from speechsearch.domain.progress import Progress
from speechsearch.jobs.queue import CATCH_UP
from speechsearch.store import Job, JobFile
from speechsearch.ui import add_tab, job_cards

HOSTILE = '<script>alert(1)</script> "quoted" \' ${document.title} {{value}}'


def job(state: str = "running", **changes: str) -> Job:
    return Job(
        "1", "ann", changes.pop("kind", "files"), "@ann/my talks", state=state, **{"message": "3 files", **changes}
    )


def test_a_running_job_tells_how_far_how_fast_and_how_long() -> None:
    html = job_cards.card(job(), Progress("ingest", "a.mp3", 1.5, 3, 85.0, 12.0), [])
    for said in ("3 files to my talks", "a.mp3", "1 of 3 · 85 × real time · 12 s left", 'aria-valuenow="50"'):
        assert said in html
    assert "@ann" not in html
    assert html.count("<button") == 2
    assert 'data-action="pause" aria-label="Pause: 3 files to my talks"' in html


@pytest.mark.parametrize(
    ("state", "actions"),
    [
        ("queued", ["pause", "cancel"]),
        ("paused", ["resume", "cancel"]),
        ("done", []),
        ("failed", []),
        ("cancelled", []),
    ],
)
def test_only_what_can_be_done_is_offered(state: str, actions: list[str]) -> None:
    html = job_cards.card(job(state), None, [], before=2)
    assert [action for action in ("pause", "resume", "cancel") if f'data-action="{action}"' in html] == actions
    assert ("2 tasks before it" in html) == (state == "queued")


def test_files_that_need_a_look_come_first() -> None:
    files = [
        JobFile("a.mp3", "indexed", 12, 200.0),
        JobFile("b.mp3", "failed", message="There is no speech in it. Nothing was added."),
        JobFile("c.mp3", "duplicate", 3, 60.0, "Same sound as 'Opening' in collection 'talks'."),
    ]
    html = job_cards.card(job("done"), None, files, is_open=True)
    assert html.index("b.mp3") < html.index("c.mp3") < html.index("a.mp3")
    assert "1 added (12 passages), 1 already there under another name, 1 could not be added" in html
    assert "12 passages · 3:20" in html
    assert "Same sound as &#x27;Opening&#x27;" in html
    assert '<details class="ss-more" open>' in html
    assert " open>" not in job_cards.card(job("done"), None, files)


def test_long_lists_are_cut() -> None:
    files = [JobFile(f"{number}.mp3", "indexed", 1) for number in range(1000)]
    html = job_cards.card(job("done"), None, files)
    assert html.count("<li>") == job_cards.MOST_ROWS
    assert "And 800 files more." in html


def test_everything_is_escaped() -> None:
    file = JobFile(HOSTILE, "failed", message=HOSTILE)
    html = job_cards.card(job("failed", message=HOSTILE), Progress("ingest", HOSTILE, 0, 1), [file], is_open=True)
    html += job_cards.card(Job("1", "ann", "files", HOSTILE, state="queued", message=HOSTILE), None, [file])
    html += job_cards.banner(job(), Progress("ingest", HOSTILE, 0, 1))
    assert "<script" not in html
    assert 'onerror="' not in html
    assert '"quoted"' not in html.replace("&quot;", "")


def test_a_failed_job_says_why() -> None:
    html = job_cards.card(job("failed", message="The disk is full. Make room."), None, [])
    assert "The disk is full. Make room." in html
    assert 'role="alert"' in html
    assert "Recordings to my talks" in html


def test_the_banner_names_the_samples() -> None:
    html = job_cards.banner(job(kind="samples"), Progress("ingest", "samples/s001.opus", 34, 67, 80.0, 12.0))
    assert "Indexing the sample collection: 34 of 67, 12 s left" in html


def test_the_third_pass_is_named_and_is_no_reason_to_wait() -> None:
    progress = Progress("speakers", "talk.wav", 1, 4, 30.0, 61.0)
    assert "Hearing who speaks: talk.wav" in job_cards.card(job(kind=CATCH_UP), progress, [])
    assert job_cards.hearing_banner(True, None) == '<p class="ss-calm">Sample collection ready. Hearing who speaks.</p>'


def test_the_form_carries_the_limits_and_names_its_controls() -> None:
    html = add_tab.form(Limits(file_bytes=123))
    assert 'data-file-bytes="123"' in html
    for name in ("Recordings", "A folder of recordings"):
        assert f'aria-label="{name}"' in html


def test_a_feed_and_a_dataset_are_asked_for_as_their_routes_take_them() -> None:
    html = add_tab.form(Limits())
    for name, body in (("feed", FeedRequest), ("dataset", DatasetRequest)):
        (form,) = re.findall(rf'<details id="add-{name}" class="ss-more" hidden>.*?</details>', html, re.DOTALL)
        asked = set(re.findall(r'<input name="(\w+)"', form))
        assert asked == set(body.model_fields) - {"collection"}, "the collection is that of the form above"
