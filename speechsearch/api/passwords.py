"""Password hashes: scrypt (RFC 7914) with a salt of its own for each, compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

COST, BLOCK_SIZE, PARALLEL = 2**14, 8, 5
"""16 MiB of memory and about a fifth of a second: what OWASP advises where memory is scarce."""
SALT_BYTES = KEY_BYTES = 32


def hash_password(password: str) -> str:
    """Return a password's hash as the settings hold it: ``scrypt:cost:block size:parallel:salt:key``.

    No character of it means anything to a shell, to ``.env`` or to docker compose.

    >>> hash_password("tide")[:16]
    'scrypt:16384:8:5'
    """
    salt = secrets.token_bytes(SALT_BYTES)
    key = _key(password, salt, COST, BLOCK_SIZE, PARALLEL)
    encoded = (base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (salt, key))
    return ":".join(("scrypt", str(COST), str(BLOCK_SIZE), str(PARALLEL), *encoded))


def is_password(password: str, hashed: str) -> bool:
    """Say whether a password is the one that was hashed. Raises ValueError when ``hashed`` is no hash of ours.

    >>> hashed = hash_password("tide")
    >>> is_password("tide", hashed), is_password("Tide", hashed)
    (True, False)
    """
    cost, block_size, parallel, salt, key = _parts(hashed)
    return hmac.compare_digest(_key(password, salt, cost, block_size, parallel), key)


def is_hash(text: str) -> bool:
    """Say whether a text is a hash that ``is_password`` can read.

    >>> is_hash(hash_password("tide")), is_hash("tide"), is_hash("scrypt:3:8:1:AA:AA")
    (True, False, False)
    """
    try:
        _parts(text)
    except ValueError:
        return False
    return True


def _parts(hashed: str) -> tuple[int, int, int, bytes, bytes]:
    name, *fields = hashed.split(":")
    if name != "scrypt" or len(fields) != 5 or not all(field.isdecimal() and len(field) < 9 for field in fields[:3]):
        raise ValueError("not a password hash")
    cost, block_size, parallel = map(int, fields[:3])
    try:
        salt, key = (base64.urlsafe_b64decode(field + "=" * (-len(field) % 4)) for field in fields[3:])
    except binascii.Error as error:
        raise ValueError("not a password hash") from error
    is_power_of_two = cost > 1 and cost & (cost - 1) == 0
    if not is_power_of_two or not 1 <= 128 * cost * block_size <= 2**28 or not 1 <= parallel <= 16 or len(key) < 16:
        raise ValueError("not a password hash")
    return cost, block_size, parallel, salt, key


def _key(password: str, salt: bytes, cost: int, block_size: int, parallel: int) -> bytes:
    memory_bytes = 128 * cost * block_size * 2 + 2**20
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"),
        salt=salt, n=cost, r=block_size, p=parallel, maxmem=memory_bytes, dklen=KEY_BYTES,
    )  # fmt: skip
