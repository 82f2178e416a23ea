"""Secrets at rest: sealed with AES-256-GCM under a key from the settings, and bound to their place. TRAP 24

The key is scrypt's answer to PINGUIN_SECRET_KEY, or to what PINGUIN_SECRET_KEY_FILE holds. PINGUIN_SECRET_KEY_OLD opens
what an earlier key sealed; nothing is sealed with it. A sealed text is `sealed:v1:` and, in base64, 12 bytes of nonce,
the ciphertext and its tag.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from msgspec import inspect

from pinguin.errors import InvalidInput, SealBroken, SettingsError
from pinguin.fields.describe import fields_of, plain_type
from pinguin.settings import Settings

PREFIX = "sealed:v1:"
SHORTEST = 16
"""Characters of a key, at least."""
FILE = "secret.key"
_NONCE = 12

NO_KEY = "needs a key to be kept safely: set PINGUIN_SECRET_KEY (16 characters or more, the same for every process)"
WRONG_KEY = (
    "a stored secret does not open with this key: set PINGUIN_SECRET_KEY (or its file) to the one that it was saved "
    "with, or PINGUIN_SECRET_KEY_OLD where the key was changed; else enter the secret again"
)

Seal = Callable[[str, str], str]
Struct = type[msgspec.Struct]


class Keys:
    """Seals with the first key, opens with any. Without a key it opens what was never sealed, and seals nothing."""

    def __init__(self, *keys: str) -> None:
        self._ciphers = [AESGCM(_derived(key)) for key in keys if key]

    @classmethod
    def of(cls, settings: Settings) -> Keys:
        """Raises `SettingsError` where the file cannot be read, or holds too little."""
        newest = settings.secret_key or _from_file(settings.secret_key_file)
        return cls(newest, settings.secret_key_old) if newest else cls()

    def __bool__(self) -> bool:
        return bool(self._ciphers)

    def __repr__(self) -> str:
        return f"Keys({len(self._ciphers)})"

    def seal(self, text: str, place: str) -> str:
        """`place`: where it is kept, such as `channels.password`; it opens there alone. Raises `InvalidInput`."""
        if not self._ciphers:
            raise InvalidInput({place.rpartition(".")[2]: NO_KEY})
        nonce = os.urandom(_NONCE)
        sealed = self._ciphers[0].encrypt(nonce, text.encode("utf-8", "surrogatepass"), place.encode())
        return PREFIX + urlsafe_b64encode(nonce + sealed).decode("ascii")

    def unseal(self, sealed: str, place: str) -> str:
        """Raises `SealBroken` where no key of ours fits, or it was sealed for another place."""
        try:
            raw = urlsafe_b64decode(sealed.removeprefix(PREFIX).encode("ascii"))
        except ValueError:
            raise SealBroken(WRONG_KEY) from None
        for cipher in self._ciphers:
            try:
                plain = cipher.decrypt(raw[:_NONCE], raw[_NONCE:], place.encode())
            except (InvalidTag, ValueError):
                continue
            return plain.decode("utf-8", "surrogatepass")
        raise SealBroken(WRONG_KEY)

    def reseal(self, text: str, place: str) -> str:
        """Under the newest key, whether it was plain or sealed with the old one. What does not open stays as it is."""
        if not self._ciphers or (is_sealed(text) and self.opens(text, place, newest=True)):
            return text
        try:
            return self.seal(self.unseal(text, place) if is_sealed(text) else text, place)
        except SealBroken:
            return text

    def opens(self, sealed: str, place: str, *, newest: bool = False) -> bool:
        """newest: with the key that seals, and no older one."""
        opening = Keys()
        opening._ciphers = self._ciphers[:1] if newest else self._ciphers
        try:
            opening.unseal(sealed, place)
        except SealBroken:
            return False
        return True

    def reseal_fields(self, values: Mapping[str, Any], struct: Struct, place: str) -> dict[str, Any]:
        """`values` with every secret of `struct` as `reseal` makes it; the same where there is nothing to do."""
        return _each(values, struct, place, self.reseal)

    def seal_fields(self, values: Mapping[str, Any], struct: Struct, place: str) -> dict[str, Any]:
        """`values` (plain JSON types) with every text below a secret field of `struct` sealed; nothing twice.

        place: the table, such as `channels`. A missing, empty or null field stays as it is.
        """
        return _each(values, struct, place, lambda text, where: text if is_sealed(text) else self.seal(text, where))

    def unseal_fields(self, values: Mapping[str, Any], struct: Struct, place: str) -> dict[str, Any]:
        """`values` as `seal_fields` got them. What was never sealed stays as it is."""
        return _each(values, struct, place, lambda text, where: self.unseal(text, where) if is_sealed(text) else text)


def is_sealed(text: str) -> bool:
    return text.startswith(PREFIX)


def monitor_place(kind: str) -> str:
    """Where the options of a monitor of this type are kept, as `Keys.seal_fields` wants it."""
    return f"monitors.{kind}"


def secret_fields(struct: Struct) -> set[str]:
    """The names of the fields of `struct` that are secret, or have secrets below them."""
    return set(_secret(struct))


def texts(values: Mapping[str, Any], struct: Struct, place: str) -> list[tuple[str, str]]:
    """Every secret text in `values` that is not empty, as it is, with its place."""
    found: list[tuple[str, str]] = []

    def note(text: str, where: str) -> str:
        found.append((text, where))
        return text

    _each(values, struct, place, note)
    return found


def make_key_file(folder: Path) -> Path:
    """The key file of the data folder, made at the first start, for its owner alone."""
    path = folder / FILE
    if not path.exists():
        new = folder / f"{FILE}.new"
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(os.urandom(32).hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
    return path


def with_key_file(settings: Settings, path: Path) -> Settings:
    """`settings` with the key in `path`, if there is one and no other key was given."""
    if settings.secret_key or settings.secret_key_file or not path.exists():
        return settings
    return msgspec.structs.replace(settings, secret_key_file=str(path))


def _each(values: Mapping[str, Any], struct: Struct, place: str, change: Seal) -> dict[str, Any]:
    changed = dict(values)
    for name, inner in _secret(struct).items():
        value = values.get(name)
        if inner is None and name in values:
            changed[name] = _below(value, f"{place}.{name}", change)
        elif inner is not None and isinstance(value, Mapping):
            changed[name] = _each(value, inner, f"{place}.{name}", change)
    return changed


@cache
def _secret(struct: Struct) -> Mapping[str, Struct | None]:
    """The secret fields of a struct, and those that are structs with fields of their own."""
    found: dict[str, Struct | None] = {}
    for item in fields_of(struct):
        kind, _, extra = plain_type(item.type)
        if extra.get("secret"):
            found[item.encode_name] = None
        elif isinstance(kind, inspect.StructType):
            found[item.encode_name] = kind.cls
    return found


def _below(value: Any, place: str, change: Seal) -> Any:
    if isinstance(value, str):
        return change(value, place) if value else value
    if isinstance(value, Mapping):
        return {name: _below(item, place, change) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_below(item, place, change) for item in value]
    return value


def _from_file(name: str) -> str:
    if not name:
        return ""
    try:
        key = Path(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingsError(f"PINGUIN_SECRET_KEY_FILE={name}: cannot be read ({why})") from None
    if len(key) < SHORTEST:
        raise SettingsError(f"PINGUIN_SECRET_KEY_FILE={name}: must hold {SHORTEST} characters or more")
    return key


@cache
def _derived(key: str) -> bytes:
    """32 bytes. Slow on purpose (some 50 ms): the key may be words that somebody made up."""
    return Scrypt(salt=b"pinguin secrets v1", length=32, n=2**14, r=8, p=1).derive(key.encode())
