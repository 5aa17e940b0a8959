"""Serve the page and the REST routes: settings -> service -> FastAPI with the Gradio page mounted."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from speechsearch.errors import SpeechSearchError

SAMPLES = Path(__file__).parent / "samples"


def main() -> int:
    """Run until interrupted; return the exit code: 0 ended, 2 could not start."""
    from speechsearch.api.server import upload_folder

    try:
        with upload_folder() as uploads:
            return serve(uploads)
    except KeyboardInterrupt:
        return 0
    except SpeechSearchError as error:
        print(f"speechsearch cannot start: {error.message}\n  {error.hint}", file=sys.stderr)
        return 2


def serve(uploads: Path) -> int:
    """Open the port and the service, begin to index the samples where that is due, and answer requests."""
    from speechsearch.api.server import frame_ancestors, listen, run
    from speechsearch.settings import read_settings

    settings = read_settings()
    with listen(settings) as listener:
        import ingest
        from speechsearch.api import create_app
        from speechsearch.service import Service
        from speechsearch.ui import BackgroundRun, build_page, events, mount

        with Service.open(settings) as service:

            def ingest_files(paths: Sequence[Path], collection: str) -> Iterator[object]:
                with tempfile.TemporaryDirectory(dir=uploads) as workspace:
                    found = ingest.discover(paths, settings.limits, Path(workspace))
                    yield from events(lambda report: ingest.run(service, found, collection=collection, progress=report))

            samples = BackgroundRun("the sample collection", say=lambda line: print(line, flush=True))
            app = create_app(service, indexing=samples.progress, frame_ancestors=frame_ancestors())
            mount(app, build_page(service, ingest_files, samples), service)
            if not (done := settings.data_dir.expanduser() / "samples-indexed").exists() and SAMPLES.is_dir():
                samples.start(lambda: ingest_files([SAMPLES], "samples"), done.touch)
            try:
                return run(app, listener)
            finally:
                samples.stop()


if __name__ == "__main__":
    sys.exit(main())
