"""Serve the page and the REST routes: settings -> service -> FastAPI with the Gradio page mounted."""

from __future__ import annotations

import sys

from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import SpeechSearchError


def main() -> int:
    """Run until interrupted; return the exit code: 0 ended, 2 could not start."""
    from speechsearch.api.server import upload_folder

    try:
        with upload_folder():
            return serve()
    except KeyboardInterrupt:
        return 0
    except SpeechSearchError as error:
        print(f"speechsearch cannot start: {error.message}\n  {error.hint}", file=sys.stderr)
        return 2


def serve() -> int:
    """Open the port and the service, begin to index the samples where that is due, and answer requests."""
    from speechsearch.api.server import allowed_hosts, frame_ancestors, listen, run
    from speechsearch.service.settings import read_settings

    settings = read_settings()
    with listen(settings) as listener:
        from ingest import runners
        from speechsearch.api import create_app
        from speechsearch.jobs.queue import JobQueue
        from speechsearch.library.backup import kept_safe
        from speechsearch.service.open import Service
        from speechsearch.ui import build_page, mount

        with kept_safe(settings), Service.open(settings) as service:
            jobs = JobQueue(service, runners(service, SAMPLES), say=lambda line: print(line, flush=True))
            app = create_app(
                service, jobs=jobs, frame_ancestors=frame_ancestors(), allowed_hosts=allowed_hosts(settings)
            )
            mount(app, build_page(service, jobs), service, jobs)
            if SAMPLES.is_dir():
                jobs.submit_once("samples", "samples")
            jobs.start()
            try:
                return run(app, listener)
            finally:
                jobs.stop()


if __name__ == "__main__":
    sys.exit(main())
