"""Metrics under an address of this machine, for Prometheus to scrape: ``--metrics-addr``.

prometheus_client writes the answers, and threads of wsgiref serve them, as in its own server; that would
answer whatever name it is asked by. Whoever reaches the address reads names of tenants and models, so the
default is loopback, where only requests by a name of this machine are answered: a page in a browser could
else have its own name resolved to it (DNS rebinding).
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socketserver import TCPServer, ThreadingMixIn
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

LOOPBACK = "127.0.0.1"
_SILENCE_SECONDS = 30.0  # of a connection
_ADDRESS = re.compile(r"(?:(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]*):)?(?P<port>[0-9]{1,5})")


_LOOPBACK = re.compile(r"127(?:\.[0-9]{1,3}){3}")


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
        return self.host in ("localhost", "::1") or _LOOPBACK.fullmatch(self.host) is not None


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
        from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
    except ImportError:
        raise CannotExpose(
            "metrics need prometheus-client, which is not installed: pip install 'flowcage[prometheus]'"
        ) from None
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(collector())
    try:
        server = _Server(address, make_wsgi_app(registry))
    except OSError as error:
        raise CannotExpose(
            f"nothing can be served there: {error.strerror or error}; name another address, or port 0 for any"
        ) from None
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield address._replace(port=server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingMixIn, WSGIServer):
    """One address, a thread for each connection."""

    daemon_threads = True

    def __init__(self, address: Address, app: Callable[..., Iterable[bytes]]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        super().__init__((address.host, address.port), _Handler)
        self.set_app(_for_this_machine(app) if address.is_loopback else app)

    def server_bind(self) -> None:
        """Bind, without looking up the name of the address, which may take a while."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, *_args: Any) -> None:
        """Say nothing of a client that has gone, or has sent what is no request."""


class _Handler(WSGIRequestHandler):
    timeout = _SILENCE_SECONDS

    def log_message(self, *_args: Any) -> None:
        pass


def _for_this_machine(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        name = re.sub(r":[0-9]+$", "", environ.get("HTTP_HOST", "localhost")).strip("[]")
        if Address(name, 0).is_loopback:
            return app(environ, start)
        start("421 Misdirected Request", [("content-type", "text/plain")])
        return [b"metrics are here for this machine: ask by localhost or a loopback address\n"]

    return answer
