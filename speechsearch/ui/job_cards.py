"""What the Add tab and the banner say about tasks: pure functions from jobs to HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape

from speechsearch.domain.progress import Progress
from speechsearch.domain.values import Coverage
from speechsearch.domain.visitors import shown_name
from speechsearch.jobs.queue import CATCH_UP
from speechsearch.store import Job, JobFile
from speechsearch.ui import view
from speechsearch.ui.texts import Add, Nouns, Page

MOST_ROWS = 200
ACTIONS = {
    "queued": ("pause", "cancel"),
    "running": ("pause", "cancel"),
    "paused": ("resume", "cancel"),
}
ORDER = {"failed": 0, "warning": 1, "duplicate": 2, "updated": 3, "indexed": 4, "unchanged": 5, "skipped": 6}


def title(job: Job) -> str:
    """Return what a job is about, in words.

    >>> title(Job("1", "ann", "files", "@ann/talks", message="3 files")), title(Job("1", "ann", "reindex", ""))
    ('3 files to talks', 'Rebuilding the index')
    """
    if job.kind == "samples":
        return Add.SAMPLES
    if job.kind == "reindex":
        return Add.REINDEX
    if job.kind == CATCH_UP:
        return Add.TRANSCRIPTS
    about = job.message if job.state != "failed" and job.message else Add.RECORDINGS
    return Add.TO_COLLECTION.format(what=about, collection=shown_name(job.collection))


def card(
    job: Job, progress: Progress | None, files: Sequence[JobFile], before: int = 0, *, is_open: bool = False
) -> str:
    """Return the card of a job: what it is, how far, what can be done about it, and what became of each file.

    Args:
        progress: of the job that runs, None for others.
        before: how many jobs are before it in the queue.
        is_open: whether the files are listed at once when some need a look.
    """
    about = title(job)
    chip = f'<span class="ss-state" data-state="{escape(job.state)}">{Add.STATES[job.state]}</span>'
    what = about[: view.LONGEST_TITLE]
    buttons = "".join(
        f'<button type="button" class="ss-small" data-job="{escape(job.job_id)}" data-action="{action}" '
        f'aria-label="{escape(Add.ACTION_ON.format(action=verb(action, job.kind), what=what), quote=True)}">'
        f"{verb(action, job.kind)}</button>"
        for action in ACTIONS.get(job.state, ())
    )
    return (
        f'<article class="ss-job" data-state="{escape(job.state)}"><header><h2>{view.text(about)}</h2>{chip}'
        f'<span class="ss-job-actions">{buttons}</span></header>'
        f"{_bar(progress, job.kind) if progress else ''}{_words(job, files, before)}{_results(files, is_open)}"
        "</article>"
    )


def verb(action: str, kind: str) -> str:
    """Return what the button of an action says.

    >>> verb("cancel", CATCH_UP), verb("cancel", "files")
    ('Stop', 'Cancel')
    """
    return Add.STOP if action == "cancel" and kind == CATCH_UP else Add.ACTIONS[action]


def _bar(progress: Progress, kind: str) -> str:
    """Return how far the running job is, how fast, and how long it will take."""
    percent = round(100 * progress.fraction)
    words = Add.PASSAGES_DONE if kind == CATCH_UP else Page.DONE_OF
    done = words.format(done=f"{int(progress.done):,}", total=f"{int(progress.total):,}")
    parts = [done] if progress.total else []
    stage = Add.STAGES.get(progress.stage, "") if kind == CATCH_UP else ""
    name = f"{stage} {progress.name}".strip()
    if progress.rate:
        parts.append(Page.TIMES_REAL_TIME.format(rate=f"{progress.rate:.0f}"))
    if progress.remaining_s is not None:
        parts.append(Page.TIME_LEFT.format(time=view.duration(progress.remaining_s)))
    return (
        f'<div class="ss-bar" role="progressbar" aria-label="{Page.PROGRESS}" aria-valuenow="{percent}" '
        f'aria-valuemin="0" aria-valuemax="100"><span style="width:{percent}%"></span></div>'
        f'<p class="ss-about"><span>{view.text(name or Add.STARTING)}</span>'
        f"<span>{view.text(' · '.join(parts))}</span></p>"
    )


def _words(job: Job, files: Iterable[JobFile], before: int) -> str:
    if job.state == "failed":
        return view.notice(Add.FAILED, job.message, "problem")
    said = ""
    if job.state == "queued" and before:
        said = Add.BEFORE.format(tasks=view.count(before, Nouns.TASK))
    elif job.state == "cancelled":
        said = Add.STOPPED_WRITING if job.kind == CATCH_UP else Add.CANCELLED
    return f'<p class="ss-about">{said}</p>' if said else ""


def summary(files: Iterable[JobFile]) -> str:
    """Return how many files came to what.

    >>> summary([JobFile("a", "indexed", 3), JobFile("b", "indexed", 1), JobFile("c", "failed")])
    '2 added (4 passages), 1 could not be added'
    """
    listed = list(files)
    counted = Counter(file.state for file in listed)
    passages = sum(file.passages for file in listed if file.state == "indexed")
    parts = []
    for state, words in Add.RESULTS.items():
        if counted[state]:
            more = f" ({view.count(passages, Nouns.PASSAGE)})" if state == "indexed" else ""
            parts.append(f"{counted[state]:,} {words}{more}")
    return ", ".join(parts)


def _results(files: Sequence[JobFile], is_open: bool) -> str:
    """Return what became of each file, what needs a look first."""
    if not files:
        return ""
    shown = sorted(files, key=lambda file: (ORDER.get(file.state, 9), file.name))
    rest = len(shown) - MOST_ROWS
    rest_words = Add.MORE_FILES.format(files=view.count(rest, Nouns.FILE))
    more = f'<p class="ss-about">{rest_words}</p>' if rest > 0 else ""
    is_open = is_open and any(file.state in ("failed", "warning", "duplicate") for file in files)
    rows = "".join(_file(file) for file in shown[:MOST_ROWS])
    return (
        f'<details class="ss-more"{" open" if is_open else ""}><summary>{view.text(summary(files), 400)}</summary>'
        f'<ul class="ss-files" tabindex="0" aria-label="{Add.FILE_LIST}">{rows}</ul>{more}</details>'
    )


def _file(file: JobFile) -> str:
    """Return what became of one file, why, and what to do."""
    parts = [view.count(file.passages, Nouns.PASSAGE)] if file.passages else []
    parts += [view.clock(file.duration_s)] if file.duration_s else []
    why = f'<p class="ss-reason">{view.text(file.message, 600)}</p>' if file.message else ""
    return (
        f'<li><span class="ss-state" data-state="{escape(file.state)}">'
        f"{escape(Add.FILE_STATES.get(file.state, file.state))}</span>"
        f'<span class="ss-name">{view.text(file.name)}</span>'
        f'<span class="ss-size">{" · ".join(parts)}</span>{why}</li>'
    )


def calm(said: str, with_time: str, remaining_s: float | None, **shown: str) -> str:
    """Return a line above the tabs about what nobody waits for; ``with_time``: where it is known how long it takes."""
    words = said.format(**shown) if remaining_s is None else with_time.format(time=view.duration(remaining_s), **shown)
    return f'<p class="ss-calm">{words}</p>'


def calm_banner(coverage: Coverage, is_only_samples: bool, remaining_s: float | None) -> str:
    """Return the line above the tabs while transcripts are written, which is no reason to wait.

    >>> calm_banner(Coverage(12, 95, 100.0, 900.0), True, None)
    '<p class="ss-calm">Sample collection ready. Transcripts: 12 of 95 passages.</p>'
    """
    done = {"done": f"{coverage.passages:,}", "total": f"{coverage.of_passages:,}"}
    ready = Add.READY_SAMPLES if is_only_samples else Add.READY
    return calm(Add.CALM, Add.CALM_LEFT, remaining_s, ready=ready, **done)


def hearing_banner(is_only_samples: bool, remaining_s: float | None) -> str:
    """Return the line above the tabs while it is heard who speaks, which is no reason to wait.

    >>> hearing_banner(False, 61.0)
    '<p class="ss-calm">Ready to search by sound. Hearing who speaks, 1 min left.</p>'
    """
    ready = Add.READY_SAMPLES if is_only_samples else Add.READY
    return calm(Add.CALM_SPEAKERS, Add.CALM_SPEAKERS_LEFT, remaining_s, ready=ready)


def similar_banner(is_only_samples: bool, remaining_s: float | None) -> str:
    """Return the line above the tabs while it is kept what recordings sound like, which is no reason to wait.

    >>> similar_banner(False, None)
    '<p class="ss-calm">Ready to search. Preparing to find similar recordings.</p>'
    """
    ready = Add.READY_SAMPLES if is_only_samples else Add.READY_ALL
    return calm(Add.CALM_SIMILAR, Add.CALM_SIMILAR_LEFT, remaining_s, ready=ready)


def banner(job: Job, progress: Progress) -> str:
    """Return the line above the tabs while a job runs."""
    names = {"samples": Add.BANNER_SAMPLES, "reindex": Add.BANNER_ALL, CATCH_UP: Add.BANNER_ALL}
    return view.progress_bar(progress, names.get(job.kind, progress.name))
