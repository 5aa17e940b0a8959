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

MOST_ROWS = 200
STATES = {
    "queued": "waiting",
    "running": "running",
    "paused": "paused",
    "done": "done",
    "failed": "failed",
    "cancelled": "cancelled",
}
ACTIONS = {
    "queued": ("pause", "cancel"),
    "running": ("pause", "cancel"),
    "paused": ("resume", "cancel"),
}
ORDER = {"failed": 0, "warning": 1, "duplicate": 2, "updated": 3, "indexed": 4, "unchanged": 5, "skipped": 6}
STAGES = {"encode": "Hearing again:", "transcribe": "Writing down:"}
"""What the second pass does with a recording."""
RESULTS = {
    "indexed": "added",
    "updated": "updated",
    "unchanged": "known already",
    "duplicate": "there under another name",
    "skipped": "left out",
    "warning": "with a remark",
    "failed": "could not be used",
}


def title(job: Job) -> str:
    """Return what a job is about, in words.

    >>> title(Job("1", "ann", "files", "@ann/talks", message="3 files")), title(Job("1", "ann", "reindex", ""))
    ('3 files to talks', 'The index anew')
    """
    if job.kind == "samples":
        return "The sample collection"
    if job.kind == "reindex":
        return "The index anew"
    if job.kind == CATCH_UP:
        return "Writing transcripts"
    about = job.message if job.state != "failed" and job.message else "Recordings"
    return f"{about} to {shown_name(job.collection)}"


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
    chip = f'<span class="ss-state" data-state="{escape(job.state)}">{escape(STATES[job.state])}</span>'
    buttons = "".join(
        f'<button type="button" class="ss-small" data-job="{escape(job.job_id)}" data-action="{action}" '
        f'aria-label="{verb(action, job.kind)}: {escape(about[: view.LONGEST_TITLE], quote=True)}">'
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
    return "Stop" if action == "cancel" and kind == CATCH_UP else action.capitalize()


def _bar(progress: Progress, kind: str) -> str:
    """Return how far the running job is, how fast, and how long it will take."""
    percent = round(100 * progress.fraction)
    done = f"{int(progress.done):,} of {int(progress.total):,}"
    parts = [f"{done} passages" if kind == CATCH_UP else done] if progress.total else []
    stage = STAGES.get(progress.stage, "") if kind == CATCH_UP else ""
    name = f"{stage} {progress.name}".strip()
    if progress.rate:
        parts.append(f"{progress.rate:.0f} × real time")
    if progress.remaining_s is not None:
        parts.append(f"{view.duration(progress.remaining_s)} left")
    return (
        f'<div class="ss-bar" role="progressbar" aria-label="Done" aria-valuenow="{percent}" aria-valuemin="0" '
        f'aria-valuemax="100"><span style="width:{percent}%"></span></div>'
        f'<p class="ss-about"><span>{view.text(name or "Beginning …")}</span>'
        f"<span>{view.text(' · '.join(parts))}</span></p>"
    )


def _words(job: Job, files: Iterable[JobFile], before: int) -> str:
    if job.state == "failed":
        return view.notice("This task has failed.", job.message, "problem")
    if job.state == "queued" and before:
        return f'<p class="ss-about">{view.count(before, "task")} before it.</p>'
    if job.state == "cancelled" and job.kind == CATCH_UP:
        return '<p class="ss-about">What is written stays. The rest is written after the next task.</p>'
    if job.state == "cancelled":
        return '<p class="ss-about">What had been added before stays.</p>'
    return ""


def summary(files: Iterable[JobFile]) -> str:
    """Return how many files came to what.

    >>> summary([JobFile("a", "indexed", 3), JobFile("b", "indexed", 1), JobFile("c", "failed")])
    '2 added (4 passages), 1 could not be used'
    """
    listed = list(files)
    counted = Counter(file.state for file in listed)
    passages = sum(file.passages for file in listed if file.state == "indexed")
    parts = []
    for state, words in RESULTS.items():
        if counted[state]:
            more = f" ({view.count(passages, 'passage')})" if state == "indexed" else ""
            parts.append(f"{counted[state]:,} {words}{more}")
    return ", ".join(parts)


def _results(files: Sequence[JobFile], is_open: bool) -> str:
    """Return what became of each file, what needs a look first."""
    if not files:
        return ""
    shown = sorted(files, key=lambda file: (ORDER.get(file.state, 9), file.name))
    rest = len(shown) - MOST_ROWS
    more = f'<p class="ss-about">And {view.count(rest, "file")} more.</p>' if rest > 0 else ""
    is_open = is_open and any(file.state in ("failed", "warning", "duplicate") for file in files)
    rows = "".join(_file(file) for file in shown[:MOST_ROWS])
    return (
        f'<details class="ss-more"{" open" if is_open else ""}><summary>{view.text(summary(files), 400)}</summary>'
        f'<ul class="ss-files" tabindex="0" aria-label="Files">{rows}</ul>{more}</details>'
    )


def _file(file: JobFile) -> str:
    """Return what became of one file, why, and what to do."""
    parts = [view.count(file.passages, "passage")] if file.passages else []
    parts += [view.clock(file.duration_s)] if file.duration_s else []
    why = f'<p class="ss-reason">{view.text(file.message, 600)}</p>' if file.message else ""
    return (
        f'<li><span class="ss-state" data-state="{escape(file.state)}">{escape(file.state)}</span>'
        f'<span class="ss-name">{view.text(file.name)}</span>'
        f'<span class="ss-size">{" · ".join(parts)}</span>{why}</li>'
    )


def calm_banner(coverage: Coverage, is_only_samples: bool, remaining_s: float | None) -> str:
    """Return the line above the tabs while transcripts are written, which is no reason to wait.

    >>> calm_banner(Coverage(12, 95, 100.0, 900.0), True, None)
    '<p class="ss-calm">Sample collection ready; transcripts 12 of 95.</p>'
    """
    ready = "Sample collection ready" if is_only_samples else "Ready to search by sound"
    left = f", {view.duration(remaining_s)} left" if remaining_s is not None else ""
    return f'<p class="ss-calm">{ready}; transcripts {coverage.passages:,} of {coverage.of_passages:,}{left}.</p>'


def banner(job: Job, progress: Progress) -> str:
    """Return the line above the tabs while a job runs."""
    name = {"samples": "the sample collection", "reindex": "all recordings anew", CATCH_UP: "all recordings anew"}.get(
        job.kind, progress.name
    )
    return view.progress_bar(progress, name)
