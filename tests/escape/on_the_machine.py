"""Attacks on the whole machine. Behind the filter their arguments are wrong as well, and most are never tried
with a layer removed: a test suite must not be what reboots a machine.
"""

from __future__ import annotations

import os
import struct

from .attack import Attack, call

_FAMILY = "the whole machine"
_NO_FILE = b"/nonexistent/file"
_IMPOSSIBLE_TIME = struct.pack("qq", 0, 2**40)
_NAME = os.uname().nodename.encode()

_ONLY_CAGED = [
    ("restart it", call("reboot", 1, 2, 3, 0)),
    ("load another kernel", call("kexec_load", 0, 17, 0, 0)),
    ("load another kernel from a file", call("kexec_file_load", -1, -1, 0, 0, 8)),
    ("load a module", call("init_module", 0, 0, 0)),
    ("load a module from a file", call("finit_module", -1, 0, 0)),
    ("remove a module", call("delete_module", b"flowcage-none", 0o4000)),
    ("swap to a file", call("swapon", _NO_FILE, 0)),
    ("stop swapping to a file", call("swapoff", _NO_FILE)),
    ("set its clock", call("clock_settime", 0, _IMPOSSIBLE_TIME)),
    ("set its time of day", call("settimeofday", _IMPOSSIBLE_TIME, 0)),
    ("adjust its clock", call("adjtimex", 8)),
    ("adjust one of its clocks", call("clock_adjtime", 0, 8)),
    ("keep accounts of it", call("acct", _NO_FILE)),
    ("hang its terminal up", call("vhangup")),
    ("clear its messages", call("syslog", 99, 0, 0)),
    ("use its ports", call("iopl", 4)),
    ("use one of its ports", call("ioperm", 2**63 - 1, 2, 1)),
]
_ALSO_OUTSIDE = [
    ("give it its own name", call("sethostname", _NAME, len(_NAME))),
    ("give it a domain of no length", call("setdomainname", b"", -1)),
]

ATTACKS = [
    *(Attack(_FAMILY, name, prepare, caged_only=True) for name, prepare in _ONLY_CAGED),
    *(Attack(_FAMILY, name, prepare) for name, prepare in _ALSO_OUTSIDE),
]
