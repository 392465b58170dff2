"""Attacks on files. Those that merely ask are refused, so that a late import fails softly; others kill."""

from __future__ import annotations

import struct

from .attack import EACCES, Attack, Call, at, call, host, victim

_AT_CWD, _NOFOLLOW_EMPTY_PATH = -100, 0x1000
_READ, _WRITE, _READ_WRITE, _CREATE, _PATH, _TMPFILE = 0, 1, 2, 0o101, 0o10000000, 0o20200002
_BAIT, _FOLDER, _NEW = at("bait"), at("folder"), at("new")
_FIFO = 0o010666

_ASKING: list[tuple[str, Call]] = [
    ("open a file to read it", call("open", _BAIT, _READ)),
    ("open a file to write to it", call("open", _BAIT, _WRITE)),
    ("open a file into being", call("open", _NEW, _CREATE, 0o600)),
    ("openat a file to read it", call("openat", _AT_CWD, _BAIT, _READ)),
    ("openat a file to write to it", call("openat", _AT_CWD, _BAIT, _READ_WRITE)),
    ("openat a file into being", call("openat", _AT_CWD, _NEW, _CREATE, 0o600)),
    ("openat a file without a name", call("openat", _AT_CWD, _FOLDER, _TMPFILE, 0o600)),
    ("openat a path handle", call("openat", _AT_CWD, _BAIT, _PATH)),
    ("open a file only the host may read", call("openat", _AT_CWD, at("private"), _READ)),
    ("open /etc/passwd", call("openat", _AT_CWD, b"/etc/passwd", _READ)),
    ("open its own memory", call("openat", _AT_CWD, b"/proc/self/mem", _READ_WRITE)),
    ("open its own memory map", call("openat", _AT_CWD, b"/proc/self/maps", _READ)),
    ("open a descriptor of its own again", call("openat", _AT_CWD, b"/proc/self/fd/4", _READ_WRITE)),
    (
        "open the host's memory",
        call("openat", _AT_CWD, lambda scene: b"/proc/%d/mem" % host(scene), _READ_WRITE),
    ),
    (
        "open the host's environment",
        call("openat", _AT_CWD, lambda scene: b"/proc/%d/environ" % host(scene), _READ),
    ),
    ("open the host's stdin", call("openat", _AT_CWD, lambda scene: b"/proc/%d/fd/0" % host(scene), _READ)),
    (
        "open another process's memory",
        call("openat", _AT_CWD, lambda scene: b"/proc/%d/mem" % victim(scene), _READ_WRITE),
    ),
    (
        "open another process's root",
        call("openat", _AT_CWD, lambda scene: b"/proc/%d/root/etc/passwd" % victim(scene), _READ),
    ),
    ("open the terminal", call("openat", _AT_CWD, b"/dev/tty", _READ_WRITE)),
    ("open the machine's memory", call("openat", _AT_CWD, b"/dev/mem", _READ)),
    ("stat a file", call("stat", _BAIT, bytes(256))),
    ("stat a file without following", call("lstat", _BAIT, bytes(256))),
    ("stat a file at a folder", call("newfstatat", _AT_CWD, _BAIT, bytes(256), 0)),
    ("statx a file", call("statx", _AT_CWD, _BAIT, 0, 0x7FF, bytes(256))),
    ("ask what a descriptor is", call("fstat", 4, bytes(256))),
    ("ask whether a file is there", call("access", _BAIT, 0)),
    ("ask whether a file is there, at a folder", call("faccessat", _AT_CWD, _BAIT, 0)),
    ("ask whether a file is there, with flags", call("faccessat2", _AT_CWD, _BAIT, 0, 0)),
    ("read a symbolic link", call("readlink", b"/proc/self/exe", bytes(256), 256)),
    ("read a symbolic link at a folder", call("readlinkat", _AT_CWD, b"/proc/self/exe", bytes(256), 256)),
    ("ask for its folder", call("getcwd", bytes(256), 256)),
]

_DOING: list[tuple[str, Call]] = [
    ("openat2 a file", call("openat2", _AT_CWD, _BAIT, struct.pack("QQQ", _READ, 0, 0), 24)),
    ("openat2 a file below a folder", call("openat2", _AT_CWD, _BAIT, struct.pack("QQQ", _WRITE, 0, 0), 24)),
    ("creat a file", call("creat", _NEW, 0o600)),
    ("make a folder", call("mkdir", _NEW, 0o700)),
    ("make a folder at a folder", call("mkdirat", _AT_CWD, _NEW, 0o700)),
    ("make a named pipe", call("mknod", _NEW, _FIFO, 0)),
    ("make a named pipe at a folder", call("mknodat", _AT_CWD, _NEW, _FIFO, 0)),
    ("unlink a file", call("unlink", _BAIT)),
    ("unlink a file at a folder", call("unlinkat", _AT_CWD, _BAIT, 0)),
    ("remove a folder", call("rmdir", _FOLDER)),
    ("rename a folder", call("rename", _FOLDER, _NEW)),
    ("rename a folder at a folder", call("renameat", _AT_CWD, _FOLDER, _AT_CWD, _NEW)),
    ("rename a folder with flags", call("renameat2", _AT_CWD, _FOLDER, _AT_CWD, _NEW, 1)),
    ("link a file", call("link", _BAIT, _NEW)),
    ("link a file at a folder", call("linkat", _AT_CWD, _BAIT, _AT_CWD, _NEW, 0)),
    ("make a symbolic link", call("symlink", b"/etc/passwd", _NEW)),
    ("make a symbolic link at a folder", call("symlinkat", b"/etc/passwd", _AT_CWD, _NEW)),
    ("chmod a file", call("chmod", _BAIT, 0o777)),
    ("chmod a file at a folder", call("fchmodat", _AT_CWD, _BAIT, 0o777)),
    ("chmod a file with flags", call("fchmodat2", _AT_CWD, _BAIT, 0o777, 0)),
    ("chmod the wire", call("fchmod", 4, 0o777)),
    ("chown a file", call("chown", _BAIT, -1, -1)),
    ("chown a file at a folder", call("fchownat", _AT_CWD, _BAIT, -1, -1, 0)),
    ("chown the wire", call("fchown", 4, -1, -1)),
    ("truncate a file", call("truncate", _BAIT, 0)),
    ("truncate the file of stderr", call("ftruncate", 2, 0)),
    ("set an attribute", call("setxattr", _BAIT, b"user.a", b"x", 1, 0)),
    ("set an attribute without following", call("lsetxattr", _BAIT, b"user.a", b"x", 1, 0)),
    ("read an attribute", call("getxattr", _BAIT, b"user.a", bytes(8), 8)),
    ("list attributes", call("listxattr", _BAIT, bytes(8), 8)),
    ("remove an attribute", call("removexattr", _BAIT, b"user.a")),
    ("change a file's times", call("utimensat", _AT_CWD, _BAIT, 0, 0)),
    ("take a handle of a file", call("name_to_handle_at", _AT_CWD, _BAIT, bytes(8), bytes(8), 0)),
    ("open a file by its handle", call("open_by_handle_at", _AT_CWD, struct.pack("IiQ", 8, 1, 0), 0)),
    ("ask about a file system", call("statfs", b"/", bytes(256))),
    ("change its folder", call("chdir", b"/tmp")),
    ("change its folder by a descriptor", call("fchdir", 3)),
    ("grow the file of a descriptor", call("fallocate", 2, 0, 0, 4096)),
    ("lock a file", call("flock", 2, 2)),
    ("watch files", call("inotify_init1", 0)),
    ("watch all files", call("fanotify_init", 0, 0)),
    ("ask for quotas", call("quotactl", 0, 0, 0, 0)),
]

# What the kernel says only to those who got past every permission.
_REACHED = {
    "read an attribute": ("ENODATA",),
    "remove an attribute": ("ENODATA",),
    "take a handle of a file": ("EOVERFLOW",),
    "change its folder by a descriptor": ("ENOTDIR",),
    "truncate the file of stderr": ("EINVAL",),
    "grow the file of a descriptor": ("ESPIPE",),
    "open a file by its handle": ("ESTALE",),
    "ask for quotas": ("EINVAL", "ENODEV", "ENOTBLK"),
}

ATTACKS = [
    *(Attack("files that it asks for", name, prepare, (EACCES,)) for name, prepare in _ASKING),
    *(
        Attack("files that it changes", name, prepare, reached=_REACHED.get(name, ()))
        for name, prepare in _DOING
    ),
]
