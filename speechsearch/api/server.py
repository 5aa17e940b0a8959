"""How the application gets its settings and its port, and runs until it is interrupted."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from speechsearch.api.security import Hosts
from speechsearch.domain.errors import ConfigurationError, DataFolderInUseError
from speechsearch.domain.folder_lock import LOCK_FILE, DataFolderLock
from speechsearch.service.settings import Settings, is_on_space

if TYPE_CHECKING:
    from fastapi import FastAPI

UPLOADS = "speechsearch-uploads-"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
KEPT_S = 75
"""How long a connection without requests is kept: longer than proxies and clients keep theirs, so that none of them
sends a request into one that is just being closed."""
PRIVATE_NETWORKS = ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
"""Where the proxy of a Space is; the visitor's address is the last one that it adds to X-Forwarded-For."""


@contextmanager
def upload_folder() -> Iterator[Path]:
    """Yield a new folder for what visitors ask with; it is removed at the end, also when the process is told to end.

    What a killed process left is removed at the start: the folders whose lock nobody holds.
    """
    _sweep_uploads()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix=UPLOADS) as held, DataFolderLock(Path(held)):
            folder = Path(held) / "uploads"
            folder.mkdir()
            os.environ |= {"GRADIO_TEMP_DIR": str(folder), "GRADIO_ANALYTICS_ENABLED": "False"}
            yield folder
    finally:
        signal.signal(signal.SIGTERM, before)


def _sweep_uploads() -> None:
    for left in Path(tempfile.gettempdir()).glob(f"{UPLOADS}*"):
        is_ours = left.is_dir() and not left.is_symlink() and left.stat().st_uid == os.getuid()
        if not is_ours or not (left / LOCK_FILE).exists():  # no lock yet: a process that is just starting
            continue
        try:
            with DataFolderLock(left):
                shutil.rmtree(left)
        except DataFolderInUseError:
            continue


def frame_ancestors(settings: Settings) -> tuple[str, ...]:
    """Return who may show the page in a frame: itself, the sites of the settings, on a Space the one that frames it."""
    space = ("https://huggingface.co", "https://*.hf.space") if is_on_space() else ()
    return ("'self'", *space, *settings.server.frames)


def allowed_hosts(settings: Settings) -> Hosts | None:
    """Return what the server may be addressed as; None for anything, on a Space, whose proxy has names of its own.

    A web site could give its own name this machine's address, and its scripts would then read the recordings (DNS
    rebinding). So a name counts only if it is this machine's or in the settings; numbers cannot be given away.
    """
    if is_on_space():
        return None
    names = frozenset(("localhost", "127.0.0.1", "[::1]", *(host.lower() for host in settings.server.hosts)))
    if settings.server.host in LOOPBACK:
        return Hosts(names)
    own = socket.gethostname().lower()
    return Hosts(names | {own, own.partition(".")[0], f"{own.partition('.')[0]}.local"}, has_numbers=True)


def listen(settings: Settings) -> socket.socket:
    """Return a listening socket on the host and port of the settings.

    Raises:
        ConfigurationError: the port is taken or the host is none of this machine's.
    """
    host, port = settings.server.host, settings.server.port
    if is_on_space() and "host" not in settings.server.model_fields_set:
        host = "0.0.0.0"  # noqa: S104 - the Space's proxy is the only way in
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on {host}:{port}: {error.strerror or error}.",
            f"Set another port, for example SPEECHSEARCH_SERVER__PORT={port + 1 if 0 < port < 65535 else 8000}.",
        ) from error
    # Its connections inherit it. Without it an answer's body waits 40 ms for the client to confirm its head: asyncio
    # sees to that by itself only for sockets that were opened as TCP's by name.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def run(app: FastAPI, listener: socket.socket, say: Callable[[str], None]) -> int:
    """Answer requests on a listening socket until interrupted; return the exit code. ``say``: gets two lines."""
    import uvicorn

    from speechsearch.api.connections import TimedProtocol

    host, port = listener.getsockname()[:2]
    shown = "localhost" if host in {"0.0.0.0", "::"} else f"[{host}]" if ":" in host else host  # noqa: S104
    say(f"Open http://{shown}:{port} in a browser. Ctrl+C ends the program.")
    # None: FORWARDED_ALLOW_IPS names the proxies that are believed, and without it those of this machine are.
    proxies = PRIVATE_NETWORKS if is_on_space() else None
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=TimedProtocol,
            log_level="warning",
            log_config=None,  # its lines are written as all others are
            access_log=False,
            timeout_graceful_shutdown=3,
            timeout_keep_alive=KEPT_S,
            server_header=False,
            forwarded_allow_ips=proxies,
        )
    )
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        say("Ended.")
    return 0
