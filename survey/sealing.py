"""A stream that only the holder of a key can read, and that cannot be cut or changed unnoticed.

Magic line, 16 random bytes of salt, then chunks of AES-256-GCM. Each file has a key of its own
(HKDF of the key and the salt), so the chunk's number may serve as nonce; its last byte marks the
last chunk, so that a file that was cut off does not open (the STREAM construction).
"""

import base64
import binascii
import io
import secrets
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC = b"honmono sealed 1\n"
SALT_BYTES = 16
CHUNK = 1 << 16
TAG_BYTES = 16


class SealError(Exception):
    """The key is unusable or does not fit, or the stream was changed or cut."""


def read_key(text: str) -> bytes:
    """The 32 bytes behind a key as the environment holds it."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise SealError(
            "BACKUP_KEY must be 32 bytes in base64. Make one with `openssl rand -base64 32`, and "
            "keep it where the backups are not."
        )
    return key


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=salt, info=MAGIC).derive(key))


def _nonce(number: int, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


class Sealed(io.RawIOBase):
    """Writes sealed to another stream; closing it writes the last chunk."""

    def __init__(self, out: BinaryIO, key: bytes) -> None:
        salt = secrets.token_bytes(SALT_BYTES)
        self._out, self._cipher = out, _cipher(key, salt)
        self._number, self._waiting = 0, bytearray()
        out.write(MAGIC + salt)

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._waiting += data
        while len(self._waiting) > CHUNK:  # the last chunk is held back until it is known as such
            self._seal(bytes(self._waiting[:CHUNK]), is_last=False)
            del self._waiting[:CHUNK]
        return len(data)

    def _seal(self, chunk: bytes, is_last: bool) -> None:
        self._out.write(self._cipher.encrypt(_nonce(self._number, is_last), chunk, None))
        self._number += 1

    def close(self) -> None:
        if not self.closed:
            self._seal(bytes(self._waiting), is_last=True)
        super().close()


class Opened(io.RawIOBase):
    """Reads what was sealed, from a stream whose magic line has been read already."""

    def __init__(self, source: BinaryIO, key: bytes) -> None:
        self._source, self._cipher = source, _cipher(key, source.read(SALT_BYTES))
        self._number, self._ready = 0, b""
        self._ahead: bytes | None = source.read(CHUNK + TAG_BYTES)

    def readable(self) -> bool:
        return True

    def readinto(self, target: bytearray) -> int:  # type: ignore[override]
        while not self._ready and self._ahead is not None:
            self._ready = self._open_next()
        given = self._ready[: len(target)]
        self._ready = self._ready[len(given) :]
        target[: len(given)] = given
        return len(given)

    def _open_next(self) -> bytes:
        chunk, after = self._ahead, self._source.read(CHUNK + TAG_BYTES)
        self._ahead = after or None
        try:
            opened = self._cipher.decrypt(_nonce(self._number, not after), chunk or b"", None)
        except (InvalidTag, ValueError) as error:
            raise SealError("The key does not fit, or the file was changed or cut.") from error
        self._number += 1
        return opened
