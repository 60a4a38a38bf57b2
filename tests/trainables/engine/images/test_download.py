"""Images by URL: what may be fetched, from where, how much of it, how often it is tried."""

from __future__ import annotations

import contextlib
import io
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote

import pytest
from PIL import Image

from trainables.engine.errors import UnreachableError, UrlRefusedError
from trainables.engine.images import download
from trainables.engine.images.download import Limits, fetch, fetch_all
from trainables.engine.images.url_policy import (
    Address,
    Resolver,
    is_public,
    is_url,
    public_address,
    split,
)

LIMITS = Limits(bytes_at_most=50_000, answer_s=2.0, whole_s=4.0, pause_s=0.01)


def jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 30, 60)).save(buffer, "JPEG")
    return buffer.getvalue()


class Handler(BaseHTTPRequestHandler):
    asked: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        type(self).asked[self.path] += 1
        name, _, rest = self.path.removeprefix("/").partition("/")
        getattr(self, f"give_{name}")(rest)

    def send(self, body: bytes, kind: str = "image/jpeg", length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def give_good(self, rest: str) -> None:
        self.send(jpeg())

    def give_page(self, rest: str) -> None:
        self.send(b"<html>", "text/html")

    def give_gone(self, rest: str) -> None:
        self.send_error(404)

    def give_shaky(self, rest: str) -> None:
        if type(self).asked[self.path] < 3:
            self.send_error(503)
        else:
            self.send(jpeg())

    def give_large(self, rest: str) -> None:
        self.send(b"x" * 60_000)

    def give_endless(self, rest: str) -> None:
        # No length told: the limit must hold while it is read.
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.end_headers()
        for _ in range(200):
            self.wfile.write(b"x" * 1000)

    def give_short(self, rest: str) -> None:
        self.send(b"x" * 100, length=5_000)

    def give_drip(self, rest: str) -> None:
        """Headers, one byte at a time, each well within the server's time to answer."""
        with contextlib.suppress(OSError):
            for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 10_000:
                self.wfile.write(bytes([byte]))
                time.sleep(0.1)

    def give_continue(self, rest: str) -> None:
        with contextlib.suppress(OSError):
            for _ in range(1000):
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                time.sleep(0.1)

    def give_slow(self, rest: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(1000):
                self.wfile.write(b"x")
                time.sleep(0.1)

    def give_to(self, rest: str) -> None:
        self.send_response(302)
        self.send_header("Location", unquote(rest).replace("|", "/"))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[int]:
    Handler.asked = Counter()
    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield running.server_address[1]
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture
def resolver(server: int) -> Resolver:
    """The test's server under a public name; any other host goes the real way."""

    def at(host: str, port: int) -> Address:
        if host == "pictures.example":
            return Address("127.0.0.1", server)
        return public_address(host, port)

    return at


URL = "http://pictures.example"


def test_an_image_is_fetched(resolver: Resolver) -> None:
    assert fetch(f"{URL}/good/a.jpg?x=1 2", LIMITS, resolver) == jpeg()
    assert fetch(f"{URL}/to/|good", LIMITS, resolver) == jpeg()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("page", "sent text/html, no image"),
        ("gone", "answered 404"),
        ("large", "60,000 bytes, at most 50,000"),
        ("endless", "more than 50,000 bytes"),
        ("short", "sent 100 of 5,000 bytes"),
        ("to/|to||to||to||good", "redirects more than 2"),
    ],
)
def test_what_is_no_image_is_said(path: str, message: str, resolver: Resolver) -> None:
    few = Limits(bytes_at_most=50_000, answer_s=2.0, pause_s=0.01, redirects=2)
    with pytest.raises(UnreachableError, match=message):
        fetch(f"{URL}/{path}", few, resolver)


def test_a_fault_that_may_pass_is_tried_again_and_another_is_not(resolver: Resolver) -> None:
    assert fetch(f"{URL}/shaky", LIMITS, resolver) == jpeg()
    assert Handler.asked["/shaky"] == 3
    with pytest.raises(UnreachableError, match="404"):
        fetch(f"{URL}/gone", LIMITS, resolver)
    assert Handler.asked["/gone"] == 1


def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        quick = Limits(answer_s=0.2, tries=1)
        with pytest.raises(UnreachableError, match="TimeoutError"):
            fetch(f"{URL}/x", quick, lambda host, _: Address("127.0.0.1", port))


@pytest.mark.parametrize("path", ["drip", "continue", "slow", "to/|drip"])
def test_a_server_that_drips_is_left_at_the_deadline(path: str, resolver: Resolver) -> None:
    with pytest.raises(UnreachableError, match="it took more than 1 s"):
        fetch(f"{URL}/{path}", Limits(answer_s=0.9, whole_s=1.0), resolver)
    assert set(Handler.asked.values()) == {1}, "one try, and no second one"


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1/secret",
        "http://localhost:8080/secret",
        "http://[::1]/secret",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.7/a.jpg",
        "http://[::ffff:192.168.0.1]/a.jpg",
        "http://0.0.0.0/a.jpg",
        "http://2130706433/a.jpg",  # 127.0.0.1 as one number
        "file:///etc/passwd",
        "ftp://pictures.example/a.jpg",
        "gopher://pictures.example/",
        "http://user:word@pictures.example/a.jpg",
        "http://pictures.example:22/",
    ],
)
@pytest.mark.parametrize("redirected", [False, True])
def test_local_addresses_and_other_schemes_are_refused_also_behind_a_redirect(
    target: str, redirected: bool, resolver: Resolver
) -> None:
    url = f"{URL}/to/{target.replace('/', '|')}" if redirected else target
    with pytest.raises(UrlRefusedError):
        fetch(url, LIMITS, resolver)


def test_a_connection_goes_to_the_address_that_was_looked_at(server: int) -> None:
    """A name that resolves to another address a moment later is not resolved again."""
    asked = []

    def resolver(host: str, port: int) -> Address:
        asked.append(host)
        return Address("127.0.0.1", server)

    assert fetch("http://no-such-host.invalid/good", LIMITS, resolver) == jpeg()
    assert asked == ["no-such-host.invalid"]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("172.16.3.4", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("no address", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_what_is_a_url() -> None:
    assert is_url("https://a.example/b.jpg")
    assert is_url("javascript:alert(1)")
    assert not is_url("images/1.jpg")
    assert not is_url("C:\\images\\1.jpg")
    with pytest.raises(UrlRefusedError, match="names no host"):
        split("http:///nothing")
    assert split("HTTPS://a.example/b").hostname == "a.example"


def test_all_are_fetched_once_in_parallel(tmp_path: Path, resolver: Resolver) -> None:
    urls = [f"{URL}/good/{i}" for i in range(12)] + [
        f"{URL}/gone",
        "http://127.0.0.1/",
        f"{URL}/good/0",
    ]
    told: list[tuple[int, int]] = []
    first = fetch_all(urls, tmp_path, lambda *at: told.append(at), LIMITS, resolver)
    assert told[-1] == (14, 14)
    files = [got for got in first.values() if isinstance(got, Path)]
    assert len(files) == len(set(files)) == 12
    assert all(path.read_bytes() == jpeg() for path in files)
    assert str(first[f"{URL}/gone"]).startswith("unreachable: the server answered 404")
    assert str(first["http://127.0.0.1/"]).startswith("refused: its host '127.0.0.1'")
    assert fetch_all(urls, tmp_path, lambda *_: None, LIMITS, resolver).keys() == first.keys()
    assert all(Handler.asked[f"/good/{i}"] == 1 for i in range(12))
    assert not list(tmp_path.glob("*.draft"))
    assert download.fetch_all([], tmp_path, lambda *_: None) == {}
