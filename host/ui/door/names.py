"""The names under which a browser may ask for the server.

A page of somewhere else whose name is made to point at this machine (DNS rebinding) asks under its own name,
and is refused.
"""

from __future__ import annotations

import ipaddress

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def allowed(host: str, port: int, more: tuple[str, ...] = ()) -> frozenset[str]:
    """Values of the header Host, in lower case.

    Args:
        host: that is listened on.
        port: of it.
        more: further names, with a port of their own or with the server's.
    """
    names = {*LOOPBACK, _in_brackets(host), *more}
    return frozenset(with_port for name in names for with_port in _with_port(name.lower(), port))


def is_loopback(host: str) -> bool:
    """Whether nothing outside of this machine reaches it."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def address_of(host: str, port: int) -> str:
    """The origin that a browser on this machine asks for."""
    try:
        if ipaddress.ip_address(host).is_unspecified:
            host = "127.0.0.1"
    except ValueError:
        pass
    return f"http://{_in_brackets(host)}:{port}"


def _in_brackets(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _with_port(name: str, port: int) -> tuple[str, ...]:
    rest = name.rpartition("]")[2]
    if ":" in rest:
        return (name,)
    return (f"{name}:{port}", name) if port == 80 else (f"{name}:{port}",)
