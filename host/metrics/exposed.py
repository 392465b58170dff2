"""Metrics under an address of this machine, for Prometheus to scrape: ``--metrics-addr``.

The server is prometheus_client's own, in threads of its own. Whoever reaches the address reads names of
tenants and models, so the default is loopback.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

LOOPBACK = "127.0.0.1"
_ADDRESS = re.compile(r"(?:(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]*):)?(?P<port>[0-9]{1,5})")


class CannotExpose(Exception):
    """There are no metrics under this address; the message says why, and what to do."""


class Address(NamedTuple):
    """Where metrics are served; port 0 is any that is free."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Of the metrics."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}/metrics"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")


def read_address(text: str) -> Address:
    """``HOST:PORT``, ``:PORT`` or ``PORT``; without a host it is loopback.

    Raises:
        CannotExpose: it is none of these.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None or not int(found["port"]) <= 65_535:
        raise CannotExpose(f"{text!r} is no address: expected HOST:PORT, such as {LOOPBACK}:9464, or PORT")
    return Address((found["host"] or LOOPBACK).strip("[]"), int(found["port"]))


@contextmanager
def exposed(text: str, collector: Callable[[], Collector]) -> Iterator[Address]:
    """Serve these metrics, and those of this process, for the length of a block.

    Args:
        text: as `read_address` takes it.
        collector: makes what is scraped; called where prometheus-client is there.

    Yields:
        Where: with the port that was free, if any was to be had.

    Raises:
        CannotExpose: the address is none or taken, or prometheus-client is not installed.
    """
    address = read_address(text)
    try:
        from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
    except ImportError:
        raise CannotExpose(
            "metrics need prometheus-client, which is not installed: pip install 'flowcage[prometheus]'"
        ) from None
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(collector())
    try:
        server, thread = start_http_server(address.port, address.host, registry)
    except OSError as error:
        raise CannotExpose(
            f"nothing can be served there: {error.strerror or error}; name another address, or port 0 for any"
        ) from None
    try:
        yield address._replace(port=server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
