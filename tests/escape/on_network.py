"""Attacks through sockets, of every family that Linux has."""

from __future__ import annotations

import struct

from .attack import Attack, call

_STREAM, _DATAGRAM, _RAW, _SEQUENCED = 1, 2, 3, 5
_NOT_A_SOCKET = ("ENOTSOCK",)

# linux/socket.h. A kernel without the family says EAFNOSUPPORT, which is not to have got through.
_SOCKETS = {
    "a UNIX": (1, _STREAM, 0),
    "a TCP": (2, _STREAM, 0),
    "a UDP": (2, _DATAGRAM, 0),
    "an ICMP": (2, _RAW, 1),
    "an IPv6 TCP": (10, _STREAM, 0),
    "an IPv6 UDP": (10, _DATAGRAM, 0),
    "an AX.25": (3, _DATAGRAM, 0),
    "an IPX": (4, _DATAGRAM, 0),
    "an AppleTalk": (5, _DATAGRAM, 0),
    "an X.25": (9, _SEQUENCED, 0),
    "a PF_KEY": (15, _RAW, 2),
    "a netlink": (16, _RAW, 0),
    "a netfilter netlink": (16, _RAW, 12),
    "a packet": (17, _RAW, 0),
    "an RDS": (21, _SEQUENCED, 0),
    "a PPPoX": (24, _STREAM, 0),
    "an LLC": (26, _STREAM, 0),
    "a CAN": (29, _RAW, 1),
    "a TIPC": (30, _STREAM, 0),
    "a Bluetooth": (31, _RAW, 1),
    "an RxRPC": (33, _DATAGRAM, 2),
    "an 802.15.4": (36, _DATAGRAM, 0),
    "a kernel crypto": (38, _SEQUENCED, 0),
    "an NFC": (39, _SEQUENCED, 0),
    "a vsock": (40, _STREAM, 0),
    "a KCM": (41, _DATAGRAM, 0),
    "a Qualcomm IPC": (42, _DATAGRAM, 0),
    "an SMC": (43, _STREAM, 0),
    "an XDP": (44, _RAW, 0),
    "an MCTP": (45, _DATAGRAM, 0),
}
_LOCALHOST = struct.pack("=HHI8x", 2, 0, 0x0100007F)
_MESSAGE = bytes(56)

_WITH_SOCKETS = [
    ("make a pair of sockets", call("socketpair", 1, _STREAM, 0, bytes(8))),
    ("bind a descriptor", call("bind", 3, _LOCALHOST, 16)),
    ("listen on a descriptor", call("listen", 3, 1)),
    ("accept from a descriptor", call("accept", 3, 0, 0)),
    ("accept from a descriptor with flags", call("accept4", 3, 0, 0, 0)),
    ("connect a descriptor", call("connect", 3, _LOCALHOST, 16)),
    ("send over a descriptor", call("sendto", 4, b"x", 1, 0, 0, 0)),
    ("send a descriptor to the host", call("sendmsg", 4, _MESSAGE, 0)),
    ("send many messages", call("sendmmsg", 4, bytes(64), 1, 0)),
    ("receive over a descriptor", call("recvfrom", 3, bytes(8), 8, 0x40, 0, 0)),
    ("receive a descriptor from the host", call("recvmsg", 3, _MESSAGE, 0x40)),
    ("receive many messages", call("recvmmsg", 3, bytes(64), 1, 0x40, 0)),
    ("set a socket's option", call("setsockopt", 3, 1, 2, bytes(4), 4)),
    ("ask for a socket's option", call("getsockopt", 3, 1, 3, bytes(4), struct.pack("i", 4))),
    ("ask who is at the other end", call("getpeername", 3, bytes(16), struct.pack("i", 16))),
    ("ask for its own address", call("getsockname", 3, bytes(16), struct.pack("i", 16))),
    ("shut a descriptor down", call("shutdown", 3, 2)),
]

ATTACKS = [
    *(
        Attack("sockets", f"make {name} socket", call("socket", *arguments))
        for name, arguments in _SOCKETS.items()
    ),
    *(Attack("sockets", name, prepare, reached=_NOT_A_SOCKET) for name, prepare in _WITH_SOCKETS),
]
