"""The Add recordings tab: choose files, a folder, an archive or a dataset, say what they are, and watch the queue.

The form sends to the same routes as programs do, so files go straight to the disk; ``static/add.js`` fills the table of
what was chosen and asks for the state of the queue, which ``page_routes`` returns as HTML.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import gradio as gr
from fastapi import APIRouter, Request
from pydantic import BaseModel

from speechsearch.api.identity import visitor_of
from speechsearch.domain.limits import Limits
from speechsearch.domain.progress import Progress
from speechsearch.domain.visitors import Visitor, shown_name
from speechsearch.jobs.queue import CATCH_UP, only_writes_transcripts
from speechsearch.service.browse import SAMPLES
from speechsearch.service.manage import LONGEST_NAME
from speechsearch.store import CollectionSummary, Job
from speechsearch.ui import job_cards, view
from speechsearch.ui.texts import Add

if TYPE_CHECKING:
    from speechsearch.jobs.queue import JobQueue
    from speechsearch.service.open import Service


MOST_JOBS, LONGEST_ADDRESS = 12, 2000
CALM_STAGES = {"speakers": job_cards.hearing_banner, "similar": job_cards.similar_banner}
"""The stages of a task for which nobody waits to search -> the line that says so."""
BUSY_S, BEHIND_S, IDLE_S = 1.0, 2.5, 15.0
"""How often the page asks: while recordings are indexed, while transcripts are written, and else."""


class JobCard(BaseModel):
    """One task of the queue as HTML."""

    job_id: str
    html: str


class PageState(BaseModel):
    """What the page shows of the queue, and what the visitor may do.

    ``is_busy``: whether recordings are being made searchable; writing transcripts does not count. ``look_again_s``:
    after how long the page should ask again. ``closed``: why nothing can be added, as HTML; empty when it can.
    ``may_add_from_elsewhere``: feeds and datasets.
    """

    is_busy: bool
    look_again_s: float
    banner: str
    held: str
    closed: str
    may_add_from_elsewhere: bool
    collections: list[str]
    jobs: list[JobCard]


class QueuePage:
    """Draws the queue; the cards of jobs that have ended are kept, because they change no more."""

    def __init__(self, service: Service, jobs: JobQueue) -> None:
        self._service, self._jobs = service, jobs
        self._ended = lru_cache(maxsize=256)(self._card)

    def state(self, visitor: Visitor) -> PageState:
        """Return what the page shows a visitor now: the newest tasks first."""
        seen, current = self._jobs.jobs(visitor), self._jobs.current()
        unfinished = [job for job in seen if job.state in ("queued", "running")]
        waiting = [job.job_id for job in sorted(unfinished, key=lambda job: job.kind == CATCH_UP)]
        cards = []
        shown = told(seen)
        newest = [job for job in shown if job.kind != CATCH_UP][-1:]
        for job in shown[: -MOST_JOBS - 1 : -1]:
            before = waiting.index(job.job_id) if job.job_id in waiting else 0
            draw = self._ended if job.has_ended else self._card
            html = draw(job.job_id, job.updated_at, before, job in newest)
            cards.append(JobCard(job_id=job.job_id, html=html))
        is_behind = current is not None and only_writes_transcripts(*current)
        is_told = current is not None and (
            current[0].kind in ("samples", "reindex", CATCH_UP) or current[0].job_id in [job.job_id for job in seen]
        )
        is_busy = (is_told and not is_behind) or any(job.kind != CATCH_UP for job in unfinished)
        collections = self._service.browse.collections(visitor)
        return PageState(
            is_busy=is_busy,
            look_again_s=BUSY_S if is_busy else BEHIND_S if is_behind else IDLE_S,
            banner=self._banner(current, collections, visitor) if is_told and current else "",
            held=view.holdings(collections),
            closed="" if visitor.may_add else CLOSED,
            may_add_from_elsewhere=visitor.is_owner,
            collections=[shown_name(one.name) for one in collections if visitor.may_change(one.name)],
            jobs=cards,
        )

    def _banner(self, current: tuple[Job, Progress], collections: Sequence[CollectionSummary], visitor: Visitor) -> str:
        """Return the line above the tabs: a bar, or where only transcripts are written a calm line."""
        if not only_writes_transcripts(*current):
            return job_cards.banner(*current)
        coverage = self._service.search.coverage(self._service.search.baseline(), visitor)
        is_only_samples = [one.name for one in collections if one.passages] == [SAMPLES]
        if coverage.is_whole and (calm := CALM_STAGES.get(current[1].stage)):
            return calm(is_only_samples, current[1].remaining_s)
        if coverage.is_whole:  # the visitor's own and everybody's are written; it is another's turn
            return ""
        return job_cards.calm_banner(coverage, is_only_samples, current[1].remaining_s)

    def _card(self, job_id: str, updated_at: str, before: int, is_newest: bool) -> str:
        """Return a job's card as of the time of its last change; it may have ended since the list was made."""
        job, progress = self._jobs.job_now(job_id)
        is_open = is_newest and job.has_ended
        return job_cards.card(job, progress, self._jobs.files(job_id), before, is_open=is_open)


def told(jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs that the page tells of: of those that write transcripts, one after every upload, the last.

    >>> kinds = ("files", CATCH_UP, "files", CATCH_UP)
    >>> [job.job_id for job in told([Job(str(number), "ann", kind, "") for number, kind in enumerate(kinds)])]
    ['0', '2', '3']
    """
    last = [job for job in jobs if job.kind == CATCH_UP][-1:]
    return [job for job in jobs if job.kind != CATCH_UP or job in last]


def page_routes(service: Service, jobs: JobQueue) -> APIRouter:
    """Return the route that the page's script asks for the state of the queue."""
    router, queue = APIRouter(include_in_schema=False), QueuePage(service, jobs)

    @router.get("/page/jobs")
    def jobs_page(request: Request) -> PageState:
        """Return the queue as HTML."""
        return queue.state(visitor_of(request))

    return router


CLOSED = view.told(Add.CLOSED)


def form(limits: Limits) -> str:
    """Return the form; the script reads the limits from it."""
    heads = "".join(f'<th scope="col">{name}</th>' for name in Add.FIELDS.values())
    return f"""
<div id="add-closed"></div>
<form id="add-form" class="ss-add" autocomplete="off" data-file-bytes="{limits.file_bytes}"
  data-total-bytes="{limits.archive_bytes}" data-files="{limits.archive_files}">
  <div class="ss-drop" id="add-drop">
    <p><strong>{Add.DROP}</strong> <span>{Add.DROP_WHAT}</span></p>
    <p class="ss-choose">
      <button type="button" class="ss-button" data-choose="add-files">{Add.CHOOSE_FILES}</button>
      <button type="button" class="ss-button" data-choose="add-folder">{Add.CHOOSE_FOLDER}</button></p>
    <input type="file" id="add-files" aria-label="{Add.FILES}" multiple hidden>
    <input type="file" id="add-folder" aria-label="{Add.FOLDER}" webkitdirectory multiple hidden>
  </div>
  <div id="add-chosen" hidden>
    <p class="ss-chosen-head"><strong id="add-count"></strong>
      <button type="button" class="ss-small" id="add-clear">{Add.CLEAR}</button></p>
    <div class="ss-table ss-edit" role="group" aria-label="{Add.DESCRIBE}" tabindex="0"><table>
      <thead><tr><th scope="col">{Add.FILE}</th>{heads}<td></td></tr></thead><tbody id="add-rows"></tbody></table></div>
    <p class="ss-about" id="add-rest"></p>
  </div>
  <div class="ss-target">
    <label>{Add.COLLECTION} <input id="collection" list="add-collections" value="{Add.COLLECTION_NAME}"
      maxlength="{LONGEST_NAME}" required></label>
    <datalist id="add-collections"></datalist>
    <button type="submit" class="ss-button ss-primary" id="add">{Add.GO}</button>
  </div>
  <div id="add-sending" hidden>
    <div class="ss-bar" role="progressbar" aria-label="{Add.SENT}" aria-valuemin="0" aria-valuemax="100"><span></span>
    </div>
    <p class="ss-about"><span id="add-sent"></span>
      <button type="button" class="ss-small" id="add-abort">{Add.CANCEL}</button></p>
  </div>
  <div id="add-message" role="status"></div>
</form>
<details id="add-feed" class="ss-more" hidden>
  <summary>{Add.FEED}</summary>
  <form id="feed-form" class="ss-add ss-dataset ss-feed" autocomplete="off">
    <label>{Add.FEED_ADDRESS}
      <input name="url" type="url" placeholder="{Add.FEED_EXAMPLE}" required maxlength="{LONGEST_ADDRESS}"></label>
    <label>{Add.FEED_LIMIT} <input name="limit" type="number" min="1" placeholder="{Add.FEED_ALL}"></label>
    <button type="submit" class="ss-button">{Add.FEED_GO}</button>
    <p class="ss-about">{Add.FEED_ABOUT}</p>
  </form>
</details>
<details id="add-dataset" class="ss-more" hidden>
  <summary>{Add.DATASET}</summary>
  <form id="dataset-form" class="ss-add ss-dataset" autocomplete="off">
    <label>{Add.DATASET_NAME} <input name="name" placeholder="{Add.DATASET_EXAMPLE}" required maxlength="200"></label>
    <label>{Add.DATASET_CONFIGURATION}
      <input name="configuration" placeholder="{Add.DATASET_CONFIGURATION_EXAMPLE}" maxlength="100"></label>
    <label>{Add.DATASET_SPLIT} <input name="split" value="train" required maxlength="100"></label>
    <label>{Add.DATASET_COLUMN}
      <input name="audio_column" placeholder="{Add.DATASET_COLUMN_PLACEHOLDER}" maxlength="100"></label>
    <label>{Add.DATASET_LIMIT} <input name="limit" type="number" min="1" value="100"></label>
    <button type="submit" class="ss-button">{Add.DATASET_GO}</button>
    <p class="ss-about">{Add.DATASET_ABOUT}</p>
  </form>
</details>
<section id="add-queue" aria-label="{Add.TASKS}"></section>
"""


def build(limits: Limits) -> None:
    """Lay out the tab inside the open Blocks."""
    gr.HTML(form(limits), apply_default_css=False, js_on_load=None)
