"""`Keyring`: payloads sealed with AES-256-GCM, under keys that have names.

A sealed value begins with a version, the name of its key, and a salt; all of that is in the clear. The value
is bound to these and to its place in the store: moved to another run, number or column it does not open.

A key is not used itself. Each keyring draws a salt and derives a key of its own from the two (BLAKE2b, which
is a keyed PRF), and takes another salt after 2^20 values. So nonces of 12 random bytes cannot be expected to
meet, however much all hosts together have sealed under one key.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
import threading
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from flowcage.host.durable.errors import Locked, WrongKeys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_VERSION = b"\x01"
_SALT_BYTES, _NONCE_BYTES, _TAG_BYTES = 16, 12, 16
_VALUES_OF_A_SALT = 2**20
_SALTS_KEPT = 1024
_MOST_BYTES = 1_000_000
_FOR_OTHERS = 0o027  # a group may read, as it does of what is mounted into a container
_ID = re.compile(r"[A-Za-z0-9._-]{1,32}")
_ID_FORM = "1 to 32 of A-Z, a-z, 0-9, '.', '_' and '-'"
_FORM = f"ID:KEY, with {_ID_FORM}, and 32 bytes in base64"
_PLAIN = "accept-plain"


class Keyring:
    """A `Sealer`. The first key seals, and all open.

    Args:
        keys: by their names, 32 bytes each.
        accepts_plain: whether values are read that are not sealed, while a store is being encrypted. Who can
            write to the database can then put others in their place.

    Raises:
        WrongKeys: there is none, or one has another length.
        ImportError: cryptography is not installed; ``flowcage[sealing]`` installs it.
    """

    def __init__(self, keys: Mapping[str, bytes], *, accepts_plain: bool = False) -> None:
        _require_library()
        if not keys:
            raise WrongKeys("there is no key; flowcage store new-key makes one")
        for number, (name, key) in enumerate(keys.items(), 1):
            if _ID.fullmatch(name) is None or len(key) != KEY_BYTES:
                raise WrongKeys(f"key {number} is not of the form {_FORM}")
        self._keys = dict(keys)
        self.sealing_key = next(iter(keys))
        self.accepts_plain = accepts_plain
        self._lock = threading.Lock()
        self._left = 0
        self._salt = b""
        self._derived = lru_cache(_SALTS_KEPT)(self._derive)

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._keys)})"

    @property
    def names(self) -> tuple[str, ...]:
        """Of its keys; the first one seals."""
        return tuple(self._keys)

    def seal(self, data: bytes, place: bytes) -> bytes:
        name, salt, nonce = self.sealing_key, self._next_salt(), os.urandom(_NONCE_BYTES)
        header = _header(name, salt)
        return header + nonce + self._derived(name, salt).encrypt(nonce, data, header + place)

    def open(self, data: bytes, place: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag

        name, rest = _name_and_rest(data)
        if name not in self._keys:
            raise Locked(name, self.names)
        salt, nonce = rest[:_SALT_BYTES], rest[_SALT_BYTES : _SALT_BYTES + _NONCE_BYTES]
        sealed = rest[_SALT_BYTES + _NONCE_BYTES :]
        if len(sealed) < _TAG_BYTES:
            raise ValueError("it is cut off")
        try:
            return self._derived(name, salt).decrypt(nonce, sealed, _header(name, salt) + place)
        except InvalidTag:
            raise ValueError(
                f"the key {name!r} is another one than sealed it, or it was changed or moved"
            ) from None

    def is_current(self, data: bytes) -> bool:
        return key_of(data) == self.sealing_key

    def _next_salt(self) -> bytes:
        with self._lock:
            if self._left == 0:
                self._salt, self._left = os.urandom(_SALT_BYTES), _VALUES_OF_A_SALT
            self._left -= 1
            return self._salt

    def _derive(self, name: str, salt: bytes) -> AESGCM:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(
            blake2b(salt, key=self._keys[name], digest_size=KEY_BYTES, person=b"flowcage seal 1").digest()
        )


def new_key() -> str:
    """A new key as files of keys have it, behind its name."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode("ascii")


def require_name(name: str) -> None:
    """Refuse a name that no key can have. Raises `WrongKeys`."""
    if _ID.fullmatch(name) is None:
        raise WrongKeys(f"a key has a name of {_ID_FORM}, not {name!r:.100}")


def read_keys(text: str) -> Keyring:
    """Keys of the form ``ID:KEY``, separated by spaces, commas or lines; ``#`` begins a comment.

    The word ``accept-plain`` has the keyring accept values that are not sealed.

    Raises:
        WrongKeys: the message has no part of a key.
        ImportError: as `Keyring`.
    """
    lines = (line.partition("#")[0] for line in text.splitlines())
    words = [word for line in lines for word in line.replace(",", " ").split()]
    keys: dict[str, bytes] = {}
    given = [word for word in words if word != _PLAIN]
    for number, word in enumerate(given, 1):
        name, _, key = word.partition(":")
        if name in keys:
            raise WrongKeys(f"key {number} has the name of an earlier one")
        try:
            keys[name] = base64.b64decode(key.replace("-", "+").replace("_", "/"), validate=True)
        except (binascii.Error, ValueError):
            keys[name] = b""  # refused below, by its number
    return Keyring(keys, accepts_plain=len(given) < len(words))


def keys_of_file(path: Path) -> Keyring:
    """Keys of a file, as `read_keys` reads them; it must be nobody else's to read. Raises as `read_keys`."""
    try:
        mode, data = _read(path)
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise WrongKeys(f"the keys cannot be read from {path}: {why}") from None
    if not stat.S_ISREG(mode) or len(data) > _MOST_BYTES:
        why = f"it has more than {_MOST_BYTES:,} bytes" if stat.S_ISREG(mode) else "it is no file"
        raise WrongKeys(f"the keys cannot be read from {path}: {why}")
    if mode & _FOR_OTHERS:
        raise WrongKeys(f"{path} has keys and may be read, or changed, by others; chmod 600 {path}")
    try:
        return read_keys(text)
    except WrongKeys as error:
        raise WrongKeys(f"{path}: {error}") from None


def _read(path: Path) -> tuple[int, bytes]:
    """Mode and content of a file; nothing is waited for, as a pipe without a writer would be."""
    found = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        mode = os.fstat(found).st_mode
        if not stat.S_ISREG(mode):
            return mode, b""
        with open(found, "rb", closefd=False) as file:
            return mode, file.read(_MOST_BYTES + 1)
    finally:
        os.close(found)


def key_of(data: bytes) -> str:
    """The name of the key that a value was sealed with. Raises ValueError."""
    return _name_and_rest(data)[0]


def _header(name: str, salt: bytes) -> bytes:
    encoded = name.encode("ascii")
    return _VERSION + bytes([len(encoded)]) + encoded + salt


def _name_and_rest(data: bytes) -> tuple[str, bytes]:
    end = 2 + data[1] if len(data) > 1 else 0
    name = data[2:end].decode("latin-1")
    if data[:1] != _VERSION or _ID.fullmatch(name) is None:
        raise ValueError("a keyring has not sealed it")
    return name, data[end:]


def _require_library() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise ImportError(f"a Keyring needs cryptography; install flowcage[sealing] ({error})") from None
