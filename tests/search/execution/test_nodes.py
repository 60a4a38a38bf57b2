"""A cluster that is not there is named in seconds; what nodes must have is in tests/integration."""

from __future__ import annotations

import socket

import pytest

from search.errors import InputError
from search.execution.nodes import check_address


@pytest.mark.parametrize("address", ["local", "auto"])
def test_what_ray_looks_up_itself_passes(address: str) -> None:
    check_address(address)


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_an_address_that_answers_passes_and_one_that_does_not_is_named(form: str) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        address = form.format(server.getsockname()[1])
        check_address(address)
    with pytest.raises(InputError, match=r"No Ray cluster answers at .*ray start --head"):
        check_address(address)


@pytest.mark.parametrize("address", ["", "head", "head:", ":6379", "http://head", "head:port"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="must be local, auto or HOST:PORT"):
        check_address(address)


def test_a_port_that_cannot_be_is_no_answer() -> None:
    with pytest.raises(InputError, match=r"No Ray cluster answers at 127\.0\.0\.1:99999"):
        check_address("127.0.0.1:99999")
