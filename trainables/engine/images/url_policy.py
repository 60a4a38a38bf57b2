"""The policy for URLs found in data: public http and https alone.

A table is written by strangers. An image's URL could name a service of this machine, of its
network, or a cloud's own (169.254.169.254); and a name that resolves to a public address when it is
checked could resolve to a private one a moment later. So a host is resolved once, every address is
checked, and the connection is made to the checked address.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from trainables.engine.errors import UrlRefusedError

SCHEMES = ("http", "https")
PORTS = (80, 443, 8000, 8080, 8443)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Address(NamedTuple):
    """An address to connect to: an IP in numbers, and a port."""

    ip: str
    port: int


Resolver = Callable[[str, int], Address]
"""Gives the address to connect to for a host and a port; raises UrlRefusedError."""


def is_url(reference: str) -> bool:
    """Return True for a reference with a scheme, allowed or not.

    `C:` of a path is no scheme.
    """
    head, colon, _ = reference.partition(":")
    return bool(colon) and len(head) > 1 and head.isascii() and head.replace("+", "").isalnum()


def split(url: str) -> SplitResult:
    """Return the parts of a URL.

    Raises:
        UrlRefusedError: for another scheme, a name and password, or no host.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise UrlRefusedError(f"it is no URL ({error})") from error
    if parts.scheme.lower() not in SCHEMES:
        raise UrlRefusedError(f"its scheme is {parts.scheme!r}, allowed are {', '.join(SCHEMES)}")
    if parts.username is not None or parts.password is not None:
        raise UrlRefusedError("it holds a user's name or password")
    if not parts.hostname:
        raise UrlRefusedError("it names no host")
    if port is not None and port not in PORTS:
        raise UrlRefusedError(f"its port is {port}, allowed are {', '.join(map(str, PORTS))}")
    return parts


def public_address(host: str, port: int) -> Address:
    """Return an address of a host on the public internet.

    Raises:
        UrlRefusedError: if any address of the host is not public.
        OSError: if the host has none.
    """
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in entries]
    for address in addresses:
        if not is_public(address):
            raise UrlRefusedError(f"its host {host!r} is {address}, which is no public address")
    return Address(addresses[0], port)


def is_public(address: str) -> bool:
    """Return True for a public IP address, whatever it is wrapped in."""
    try:
        number = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    except ValueError:
        return False
    if isinstance(number, ipaddress.IPv6Address):
        inside = number.ipv4_mapped or number.sixtofour
        if number in _NAT64:
            inside = ipaddress.IPv4Address(int(number) & 0xFFFFFFFF)
        if number.teredo is not None:
            return False
        if inside is not None:
            return is_public(str(inside))
    return number.is_global and not (
        number.is_multicast or number.is_reserved or number.is_unspecified or number.is_loopback
    )
