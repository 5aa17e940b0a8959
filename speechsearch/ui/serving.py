"""The server: settings become a service, its queue of jobs, and an application with the page mounted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from speechsearch.api.log_lines import write_logs
from speechsearch.api.server import allowed_hosts, frame_ancestors, listen, run, upload_folder
from speechsearch.domain.assets import SAMPLES
from speechsearch.jobs.queue import JobQueue
from speechsearch.jobs.worker import Runner
from speechsearch.library.backup import kept_safe
from speechsearch.service.open import Service
from speechsearch.service.settings import Settings, backup_folder
from speechsearch.service.surroundings import hold_little, keep_private
from speechsearch.service.webhooks import telling

log = logging.getLogger(__name__)

Runners = Callable[[Service, Path], Mapping[str, Runner]]
"""Gives what to do for each kind of job, from the service and the folder of the sample collection."""


Beside = Callable[[Service, JobQueue], AbstractContextManager[None]]
"""Does something beside the page while the block runs."""


def said(line: str) -> None:
    """Show a line to whoever started the server."""
    print(line, flush=True)


def serve_page(settings: Settings, runners: Runners, beside: Beside) -> int:
    """Open the port, then the service, begin to index the samples where that is due, and answer until interrupted.

    Returns:
        The exit code.

    Raises:
        SpeechSearchError: the port, the data folder or what it needs cannot be used.
    """
    keep_private()
    hold_little()
    write_logs(settings.log)
    # Where lines are read by a program, all of them are of one kind.
    say = log.info if settings.log.format == "json" else said
    with upload_folder(), listen(settings) as listener:
        from speechsearch.api import create_app
        from speechsearch.ui.page import build_page, mount

        data_dir = settings.data_dir.expanduser().resolve()
        with kept_safe(backup_folder(settings), data_dir), Service.open(settings) as service:
            jobs = JobQueue(service, runners(service, SAMPLES), say=say)
            page = create_app(
                service, jobs=jobs, frame_ancestors=frame_ancestors(settings), allowed_hosts=allowed_hosts(settings)
            )
            mount(page, build_page(service, jobs), service, jobs)
            jobs.submit_once("samples", "samples")
            jobs.start()
            try:
                with telling(settings, jobs.on_done, jobs.files), beside(service, jobs):
                    return run(page, listener, say)
            finally:
                jobs.stop()
