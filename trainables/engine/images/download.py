"""Download of images by URL: once, in parallel, into the cache folder.

Proxies of the environment are not used: they would resolve a host's name again, unchecked (see
`url_policy.py`).
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urljoin

from trainables.engine.cache import written_whole
from trainables.engine.errors import UnreachableError, UrlRefusedError
from trainables.engine.images.url_policy import Address, Resolver, public_address, split

_REDIRECTS = (301, 302, 303, 307, 308)
_AGAIN = (408, 425, 429, 500, 502, 503, 504)
_CHUNK = 64 * 1024
_AGENT = "foldrace (research; fetches the images of a data set once)"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a download.

    Attributes:
        bytes_at_most: Largest size of one image.
        answer_s: Number of seconds in which a server must connect or send more.
        whole_s: Number of seconds for one image, redirects and all.
        redirects: Number of redirects that are followed.
        tries: Number of tries where the reason of a failure may pass.
        pause_s: Number of seconds before the second try; doubled before each further one.
        at_once: Number of URLs fetched in parallel.
    """

    bytes_at_most: int = 20_000_000
    answer_s: float = 10.0
    whole_s: float = 60.0
    redirects: int = 5
    tries: int = 3
    pause_s: float = 1.0
    at_once: int = 16


class _PassingError(UnreachableError):
    """A failure that may pass, worth another try."""


def fetch_all(
    urls: Iterable[str],
    folder: Path,
    progress: Callable[[int, int], None],
    limits: Limits | None = None,
    resolver: Resolver = public_address,
) -> dict[str, Path | str]:
    """Return the files of URLs, fetched where they are not there.

    Args:
        urls: URLs to fetch.
        folder: Folder of the files, each named by the sha256 of its URL.
        progress: Callback that gets (URLs done, URLs in all).
        limits: Limits of each download.
        resolver: Function that gives the address to connect to for a host.

    Returns:
        File by URL, or the reason why there is none.
    """
    distinct = list(dict.fromkeys(urls))
    folder.mkdir(parents=True, exist_ok=True)
    download = partial(_file, folder=folder, limits=limits or Limits(), resolver=resolver)
    files: dict[str, Path | str] = {}
    with ThreadPoolExecutor((limits or Limits()).at_once) as pool:
        results = zip(distinct, pool.map(download, distinct), strict=True)
        for done, (url, file) in enumerate(results, start=1):
            files[url] = file
            progress(done, len(distinct))
    return files


def _file(url: str, folder: Path, limits: Limits, resolver: Resolver) -> Path | str:
    path = folder / hashlib.sha256(url.encode()).hexdigest()
    if path.is_file():
        return path
    try:
        content = fetch(url, limits, resolver)
    except UrlRefusedError as error:
        return f"refused: {error}"
    except (UnreachableError, OSError, http.client.HTTPException, ValueError) as error:
        return f"unreachable: {error}"
    with written_whole(path) as draft:
        draft.write(content)
    return path


def fetch(url: str, limits: Limits, resolver: Resolver = public_address) -> bytes:
    """Return the content of a URL.

    Raises:
        UrlRefusedError: if it, or what it redirects to, may not be fetched.
        UnreachableError: if it gives no image of an allowed size in time.
    """
    pause = limits.pause_s
    for left in reversed(range(limits.tries)):
        try:
            return _fetch(url, limits, resolver)
        except _PassingError:
            if not left:
                raise
        time.sleep(pause)
        pause *= 2
    raise UnreachableError(f"tries must be at least 1, got {limits.tries}")


def _fetch(url: str, limits: Limits, resolver: Resolver) -> bytes:
    deadline = time.monotonic() + limits.whole_s
    for _ in range(limits.redirects + 1):
        try:
            answer = _answer(url, limits, resolver, deadline)
        except (TimeoutError, ConnectionError, socket.gaierror) as error:
            raise _PassingError(f"{type(error).__name__}: {error}") from error
        if isinstance(answer, bytes):
            return answer
        url = urljoin(url, answer)
    raise UnreachableError(f"it redirects more than {limits.redirects} times")


def _answer(url: str, limits: Limits, resolver: Resolver, deadline: float) -> bytes | str:
    """Return the content, or the URL that the server redirects to."""
    parts = split(url)
    secure, host = parts.scheme.lower() == "https", str(parts.hostname)
    address = resolver(host, parts.port or (443 if secure else 80))
    connection = _Connection(host, parts.port, address, limits.answer_s, secure)
    with contextlib.closing(connection), _closed_at(deadline, connection, limits):
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        # An encoded answer could unpack to any size.
        headers = {"User-Agent": _AGENT, "Accept": "image/*", "Accept-Encoding": "identity"}
        connection.request("GET", _ascii(target), headers=headers)
        response = connection.getresponse()
        if response.status in _REDIRECTS and response.getheader("Location"):
            return str(response.getheader("Location"))
        if response.status != 200:
            kind = _PassingError if response.status in _AGAIN else UnreachableError
            raise kind(f"the server answered {response.status} {response.reason}")
        return _body(response, limits, deadline)


@contextlib.contextmanager
def _closed_at(deadline: float, connection: _Connection, limits: Limits) -> Iterator[None]:
    """Close a connection at the deadline, whatever the server does until then.

    The socket's own timeout starts anew with every byte: headers that come one at a time, or
    "100 Continue" for ever, would hold a thread for ever.
    """
    late = threading.Event()

    def close() -> None:
        late.set()
        if connection.opened is not None:
            with contextlib.suppress(OSError):
                connection.opened.shutdown(socket.SHUT_RDWR)

    watchdog = threading.Timer(max(0.0, deadline - time.monotonic()), close)
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        if late.is_set():
            raise UnreachableError(f"it took more than {limits.whole_s:g} s") from error
        raise
    finally:
        watchdog.cancel()


def _ascii(target: str) -> str:
    from urllib.parse import quote

    return quote(target, safe="/%:=&?~#+!$,;'@()*[]")


def _body(response: http.client.HTTPResponse, limits: Limits, deadline: float) -> bytes:
    kind = response.headers.get_content_type()
    if not kind.startswith("image/") and kind not in ("application/octet-stream", "text/plain"):
        raise UnreachableError(f"the server sent {kind}, no image")
    header = response.getheader("Content-Length") or ""
    length = int(header) if header.isdigit() else None
    if length is not None and length > limits.bytes_at_most:
        raise UnreachableError(f"it has {length:,} bytes, at most {limits.bytes_at_most:,} may")
    parts: list[bytes] = []
    size = 0
    while chunk := response.read1(_CHUNK):
        parts.append(chunk)
        size += len(chunk)
        if size > limits.bytes_at_most:
            raise UnreachableError(f"it has more than {limits.bytes_at_most:,} bytes")
    if time.monotonic() > deadline:  # a closed connection ends a body without a length
        raise UnreachableError(f"it took more than {limits.whole_s:g} s")
    if length is not None and size < length:
        raise _PassingError(f"the server sent {size:,} of {length:,} bytes")
    return b"".join(parts)


class _Connection(http.client.HTTPConnection):
    """A connection to a checked address.

    The host's name is only sent to the server.
    """

    def __init__(
        self, host: str, port: int | None, address: Address, timeout: float, secure: bool
    ) -> None:
        super().__init__(host, port or (443 if secure else 80), timeout=timeout)
        self._address, self._secure, self._name = address, secure, host
        self.opened: socket.socket | None = None  # `sock` is given up before the body is read
        if secure:
            self.default_port = 443

    def connect(self) -> None:
        where = self._address.ip, self._address.port
        sock = socket.create_connection(where, timeout=self.timeout)
        if self._secure:
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=self._name)
        self.sock = self.opened = sock
