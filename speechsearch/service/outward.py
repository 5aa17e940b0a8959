"""Requests to other servers, for addresses that somebody else may have chosen: only to public ones, and only so large.

Every connection is checked where it is made, after names are resolved and for each redirect, and goes to the very
address that was checked. Proxies of the environment are not used: they would resolve names by themselves.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import httpcore
import httpx

from speechsearch.domain.errors import InputError

CONNECT_S, READ_S = 10.0, 30.0
MOST_REDIRECTS = 5
SLOWEST_BYTES_A_S = 50_000
"""An answer that is slower, over all of it, is given up."""
FREE_S = 60.0
"""So long may a short one take in all, headers included."""
MOST_ADDRESSES = 4
"""So many of a name's addresses are tried."""
NAT64, PUBLIC_IPV6 = ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("2000::/3")
ENCODINGS = ("", "identity", "gzip", "x-gzip", "deflate")
"""How an answer may be packed, although we ask for it plain: once, so that it is unpacked in little memory."""
AGENT = "speechsearch"

Resolve = Callable[[str, int], Iterable[str]]
"""Gives the addresses of a name and port."""


class FetchError(InputError):
    """Something cannot be fetched from another server, or must not be."""

    code = "fetch"


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the public internet, whatever way it is written in.

    >>> [is_public(one) for one in ("93.184.216.34", "2606:2800:220:1::1")]
    [True, True]
    >>> [is_public(one) for one in ("127.0.0.1", "10.1.2.3", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1")]
    [False, False, False, False, False, False]
    >>> [is_public(one) for one in ("::1", "fe80::1%eth0", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::")]
    [False, False, False, False, False]
    >>> [is_public(one) for one in ("::7f00:1", "fec0::1", "fd00::1", "64:ff9b:1::1", "::ffff:0:7f00:1")]
    [False, False, False, False, False]
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if found in NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if found not in PUBLIC_IPV6:  # old forms that hold an IPv4 address, or are of one site
            return False
    return found.is_global and not found.is_multicast


def is_among(host: str, names: Iterable[str]) -> bool:
    """Tell whether a host is one of those that a setting names; ``*.`` stands for all below a name.

    >>> [is_among(host, ["a.org", "*.b.org"]) for host in ("A.org", "x.b.org", "b.org", "xa.org")]
    [True, True, False, False]
    """
    host = host.lower().rstrip(".")
    return any(host.endswith(name[1:]) if name.startswith("*.") else host == name for name in map(str.lower, names))


def addresses_of(host: str, port: int) -> list[str]:
    """Return the addresses of a name.

    Raises:
        OSError: there are none.
    """
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


class _TimedStream(httpcore.NetworkStream):
    """A connection whose answers must come fast enough; else one that drips would hold its reader for weeks.

    The clock starts anew with whatever is sent, because a connection may serve several requests.
    """

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self._begun_s, self._read_bytes = time.monotonic(), 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what has come. Raises httpcore.ReadTimeout, also where it comes too slowly in all."""
        left_s = self._begun_s + FREE_S + self._read_bytes / SLOWEST_BYTES_A_S - time.monotonic()
        if left_s <= 0:
            raise httpcore.ReadTimeout("it comes too slowly")
        found = self._stream.read(max_bytes, left_s if timeout is None else min(timeout, left_s))
        self._read_bytes += len(found)
        return found

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send something."""
        self._stream.write(buffer, timeout)
        self._begun_s, self._read_bytes = time.monotonic(), 0

    def close(self) -> None:
        """End the connection."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Return the connection with encryption."""
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """Return what is known of the connection."""
        return self._stream.get_extra_info(info)


class _CheckedConnections(httpcore.NetworkBackend):
    """Connects to public addresses, and to private ones of the hosts for which that is allowed."""

    def __init__(self, private_hosts: Iterable[str], resolve: Resolve) -> None:
        self._private_hosts, self._resolve = tuple(private_hosts), resolve
        self._connections = httpcore.SyncBackend()

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        """Connect to the first address of a host that answers."""
        try:
            found = list(self._resolve(host, port))
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"there is no server {host!r}") from error
        if not is_among(host, self._private_hosts) and not all(map(is_public, found)):
            raise FetchError(
                f"'{host}' is in a private network, from which nothing is fetched.",
                "If it is yours, name it in SPEECHSEARCH_NETWORK__PRIVATE_HOSTS.",
            )
        failed: Exception = httpcore.ConnectError(f"{host!r} has no address")
        for address in found[:MOST_ADDRESSES]:
            try:
                made = self._connections.connect_tcp(address, port, timeout, local_address, socket_options)
                return _TimedStream(made)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Any = None) -> Any:
        """Refuse it."""
        raise FetchError("Nothing is fetched from a socket of this machine.")

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self._connections.sleep(seconds)


class _CheckedTransport(httpx.HTTPTransport):
    """Refuses addresses that are no plain http or https, and hosts that the settings do not name."""

    def __init__(self, hosts: Iterable[str], private_hosts: Iterable[str], resolve: Resolve) -> None:
        super().__init__()
        self._hosts = tuple(hosts)
        # httpx has no argument for it; its pool is made anew with the same certificates.
        backend = _CheckedConnections(private_hosts, resolve)
        self._pool = httpcore.ConnectionPool(ssl_context=httpx.create_ssl_context(), network_backend=backend)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Handle one request, the first or one after a redirect."""
        check_address(str(request.url), self._hosts)
        return super().handle_request(request)


def check_address(url: str, hosts: Iterable[str] = ()) -> None:
    """Do nothing if an address may be asked for.

    Args:
        url: the address.
        hosts: if there are some, only these.

    Raises:
        FetchError: it may not.
    """
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError, UnicodeError) as error:
        raise FetchError(f"{url!r:.200} is no address.", "For example: https://example.org/feed.xml") from error
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo:
        raise FetchError(f"{url!r:.200} is no address of http or https.", "For example: https://example.org/feed.xml")
    if (allowed := tuple(hosts)) and not is_among(parsed.host, allowed):
        raise FetchError(
            f"Nothing may be fetched from '{parsed.host}'.",
            "SPEECHSEARCH_NETWORK__HOSTS names the hosts that may be asked.",
        )


def new_client(
    hosts: Iterable[str] = (), private_hosts: Iterable[str] = (), resolve: Resolve = addresses_of
) -> httpx.Client:
    """Return a client that reaches public addresses only.

    Args:
        hosts: if there are some, only these are asked; ``*.example.org`` for all below a name.
        private_hosts: may also have private addresses.
        resolve: finds the addresses of a name.
    """
    return httpx.Client(
        transport=_CheckedTransport(hosts, private_hosts, resolve),
        follow_redirects=True,
        max_redirects=MOST_REDIRECTS,
        timeout=httpx.Timeout(READ_S, connect=CONNECT_S),
        headers={"User-Agent": AGENT, "Accept-Encoding": "identity"},
        trust_env=False,
    )


def fetch(client: httpx.Client, url: str, target: BinaryIO, most_bytes: int) -> str:
    """Write what is at an address to a stream and return its media type.

    Raises:
        FetchError: it is not there, is larger, comes too slowly, or must not be fetched.
    """
    size_bytes = 0
    with _fetch_errors(url), client.stream("GET", url) as answer:
        answer.raise_for_status()
        if (packed := answer.headers.get("content-encoding", "").strip().lower()) not in ENCODINGS:
            raise FetchError(f"{url!r:.200} comes packed in a way that is not read: {packed!r:.40}.")
        announced = answer.headers.get("content-length", "0")
        if announced.isdecimal() and int(announced[:20]) > most_bytes:
            raise _too_large(url, most_bytes)
        for chunk in answer.iter_bytes():
            size_bytes += len(chunk)
            if size_bytes > most_bytes:
                raise _too_large(url, most_bytes)
            target.write(chunk)
        return str(answer.headers.get("content-type", "")).partition(";")[0].strip().lower()


def fetch_to(client: httpx.Client, url: str, target: Path, most_bytes: int) -> str:
    """Write what is at an address to a file and return its media type; nothing is left of what breaks off.

    Raises:
        FetchError: see ``fetch``.
    """
    try:
        with target.open("wb") as stream:
            return fetch(client, url, stream, most_bytes)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


@contextmanager
def _fetch_errors(url: str) -> Iterator[None]:
    """Turn the errors of the client into ours."""
    try:
        yield
    except httpx.HTTPStatusError as error:
        raise FetchError(f"{url!r:.200} answers with {error.response.status_code}.", "Check the address.") from error
    except httpx.TooManyRedirects as error:
        raise FetchError(f"{url!r:.200} leads on and on.", "Check the address.") from error
    except (httpx.HTTPError, httpx.InvalidURL, httpcore.NetworkError) as error:
        reason = str(error) or type(error).__name__
        raise FetchError(
            f"{url!r:.200} cannot be fetched: {reason:.200}.", "Check the address and the network."
        ) from error


def _too_large(url: str, most_bytes: int) -> FetchError:
    return FetchError(f"{url!r:.200} has more than {most_bytes:,} bytes.")
