"""Secrets at rest: sealed, bound to their place, opened by the old key too; the key never seen. TRAP 24"""

from __future__ import annotations

import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinguin.alerts.channels import channel_types
from pinguin.errors import InvalidInput, SealBroken, SettingsError
from pinguin.fields import StrictOptions, field
from pinguin.secrets import PREFIX, Keys, is_sealed, make_key_file, with_key_file
from pinguin.settings import Settings

KEYS = Keys("the first key of these tests")
OTHERS = Keys("another key, made up elsewhere")
ROTATED = Keys("another key, made up elsewhere", "the first key of these tests")
ANY = st.text(min_size=1).filter(lambda text: not text.startswith(PREFIX))


class Login(StrictOptions, frozen=True):
    user: str = ""
    token: Annotated[str, field("Token", secret=True)] = ""


class Options(StrictOptions, frozen=True):
    host: str = ""
    password: Annotated[str, field("Password", secret=True)] = ""
    headers: Annotated[dict[str, str], field("Headers", secret=True)] = msgspec.field(default_factory=dict)
    urls: Annotated[list[str], field("URLs", secret=True)] = msgspec.field(default_factory=list)
    pin: Annotated[str | None, field("PIN", secret=True)] = None
    login: Login = msgspec.field(default_factory=Login)


@given(text=st.text(), place=st.text())
def test_what_is_sealed_opens_again(text: str, place: str) -> None:
    sealed = KEYS.seal(text, place)
    assert is_sealed(sealed)
    assert KEYS.unseal(sealed, place) == text


@given(text=st.text(min_size=4))
def test_a_sealed_text_says_nothing_of_what_it_holds(text: str) -> None:
    sealed = KEYS.seal(text, "channels.password")
    assert text not in sealed.removeprefix(PREFIX)
    assert sealed != KEYS.seal(text, "channels.password")


@given(text=st.text(), change=st.integers(min_value=0))
def test_any_change_breaks_the_seal(text: str, change: int) -> None:
    raw = bytearray(urlsafe_b64decode(KEYS.seal(text, "here").removeprefix(PREFIX)))
    raw[change % len(raw)] ^= 1
    with pytest.raises(SealBroken):
        KEYS.unseal(PREFIX + urlsafe_b64encode(raw).decode(), "here")


@pytest.mark.parametrize("sealed", [PREFIX, PREFIX + "é", PREFIX + "AAAA", PREFIX + "not base64!", PREFIX + "A"])
def test_what_is_no_seal_is_broken_and_not_a_crash(sealed: str) -> None:
    with pytest.raises(SealBroken):
        KEYS.unseal(sealed, "here")


def test_it_opens_in_its_own_place_alone() -> None:
    sealed = KEYS.seal("hunter2", "channels.password")
    with pytest.raises(SealBroken):
        KEYS.unseal(sealed, "channels.signing_secret")


def test_another_key_does_not_open_it_and_the_words_say_what_to_do() -> None:
    with pytest.raises(SealBroken, match="PINGUIN_SECRET_KEY_OLD"):
        OTHERS.unseal(KEYS.seal("hunter2", "here"), "here")


def test_after_a_change_of_the_key_both_open_and_the_new_one_seals() -> None:
    assert ROTATED.unseal(KEYS.seal("old", "here"), "here") == "old"
    assert OTHERS.unseal(ROTATED.seal("new", "here"), "here") == "new"
    with pytest.raises(SealBroken):
        KEYS.unseal(ROTATED.seal("new", "here"), "here")


def test_without_a_key_nothing_is_sealed_and_the_field_says_how_to_set_one() -> None:
    assert not Keys()
    with pytest.raises(InvalidInput, match="PINGUIN_SECRET_KEY") as refusal:
        Keys().seal_fields({"password": "hunter2"}, Options, "channels")
    assert list(refusal.value.fields) == ["password"]
    with pytest.raises(SealBroken):
        Keys().unseal(KEYS.seal("hunter2", "here"), "here")
    assert Keys().seal_fields({"host": "a", "password": ""}, Options, "channels") == {"host": "a", "password": ""}


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "host": ANY,
            "password": ANY,
            "headers": st.dictionaries(st.text(), ANY),
            "urls": st.lists(ANY),
            "pin": st.none() | ANY,
            "login": st.fixed_dictionaries({"user": ANY, "token": ANY}),
        },
    )
)
def test_fields_open_again_as_they_were_and_only_secret_ones_are_sealed(values: dict[str, Any]) -> None:
    sealed = KEYS.seal_fields(values, Options, "channels")
    assert KEYS.unseal_fields(sealed, Options, "channels") == values
    assert KEYS.seal_fields(sealed, Options, "channels") == sealed  # nothing twice
    assert sealed.get("host") == values.get("host")
    assert sealed.get("login", {}).get("user") == values.get("login", {}).get("user")
    for name in ("password", "pin"):
        assert not sealed.get(name) or is_sealed(sealed[name])
    texts = [*sealed.get("headers", {}).values(), *sealed.get("urls", []), sealed.get("login", {}).get("token", PREFIX)]
    assert all(map(is_sealed, texts))


def test_what_was_never_sealed_is_taken_as_it_is() -> None:
    assert KEYS.unseal_fields({"password": "typed just now"}, Options, "channels") == {"password": "typed just now"}


def test_the_options_of_every_channel_kind_can_be_sealed() -> None:
    for kind in channel_types().values():
        for _, values in kind.examples:
            sealed = KEYS.seal_fields(values, kind.options, "channels")
            assert kind.parse(KEYS.unseal_fields(sealed, kind.options, "channels")) == kind.parse(values)


# The key


def test_the_key_comes_from_the_variable_or_its_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("the first key of these tests\n")
    sealed = KEYS.seal("hunter2", "here")
    for settings in (
        Settings(secret_key="the first key of these tests"),
        Settings(secret_key_file=str(path)),
        Settings(secret_key="a new key, set today", secret_key_old="the first key of these tests"),
    ):
        assert Keys.of(settings).unseal(sealed, "here") == "hunter2"
    assert not Keys.of(Settings())


def test_a_file_that_is_missing_or_too_short_names_itself(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="PINGUIN_SECRET_KEY_FILE"):
        Keys.of(Settings(secret_key_file=str(tmp_path / "none")))
    short = tmp_path / "short"
    short.write_text("hunter2")
    with pytest.raises(SettingsError, match="16 characters") as refusal:
        Keys.of(Settings(secret_key_file=str(short)))
    assert "hunter2" not in str(refusal.value)


def test_settings_take_one_key_of_length_and_never_show_it() -> None:
    with pytest.raises(SettingsError, match="16 characters") as refusal:
        Settings.from_environment({"PINGUIN_SECRET_KEY": "hunter2"})
    assert "hunter2" not in str(refusal.value)
    with pytest.raises(SettingsError, match="both set"):
        Settings.from_environment({"PINGUIN_SECRET_KEY": "x" * 16, "PINGUIN_SECRET_KEY_FILE": "/y"})
    settings = Settings(
        secret_key="canary-key-5f3a77", secret_key_old="canary-old-key-77", redis_url="redis://:canary@h"
    )
    assert "canary" not in repr(settings)
    assert "canary" not in repr(Keys.of(settings))


def test_the_first_start_makes_a_key_file_for_its_owner_alone(tmp_path: Path) -> None:
    made = make_key_file(tmp_path)
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    key = made.read_text()
    assert len(key.strip()) == 64
    assert make_key_file(tmp_path).read_text() == key
    assert Keys.of(with_key_file(Settings(), made))
    assert with_key_file(Settings(secret_key="x" * 16), made) == Settings(secret_key="x" * 16)
    assert with_key_file(Settings(), tmp_path / "none") == Settings()


def test_a_start_that_was_cut_off_leaves_no_half_key(tmp_path: Path) -> None:
    (tmp_path / "secret.key.new").write_text("ha")
    assert len(make_key_file(tmp_path).read_text().strip()) == 64
