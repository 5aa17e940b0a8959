"""Serve the page and the REST routes: what a Space, Docker and ``make run`` start."""

from __future__ import annotations

import sys

from speechsearch.domain.errors import SpeechSearchError


def main() -> int:
    """Run until interrupted; return the exit code: 0 ended, 2 could not start."""
    from ingest import runners
    from ingest.watch import watching
    from speechsearch.service.settings import read_settings
    from speechsearch.ui.serving import serve_page

    try:
        return serve_page(read_settings(), runners, watching)
    except KeyboardInterrupt:
        return 0
    except SpeechSearchError as error:
        print(f"speechsearch cannot start: {error.message}\n  {error.hint}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
