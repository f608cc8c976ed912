"""Passwords from the netrc file."""

import os
from itertools import count
from pathlib import Path

import pytest

from gofer.exceptions import GoferWarning
from gofer.stages.auth.netrc import LOOK_AGAIN, lookup

_later = count(1e12, 10 * LOOK_AGAIN)  # past whatever other tests have looked at


@pytest.fixture
def now() -> float:
    """A time at which the file is looked at."""
    return next(_later)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


def write(path: Path, text: str, mode: int = 0o600) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(
    ("text", "host", "expected"),
    [
        ("machine one.example login u password p", "one.example", ("u", "p")),
        ("machine one.example\n  login u\n  password p\n", "one.example", ("u", "p")),
        ("machine ONE.example login u password p", "one.example", ("u", "p")),
        ("machine one.example login u password p", "two.example", None),
        ("machine one.example login u password p", "a.one.example", None),
        ("machine one.example login u password p", "one.example.evil", None),
        ("machine one.example login u password p", "one.example:80", None),
        ("machine one.example login u", "one.example", ("u", "")),
        ("machine one.example password p", "one.example", ("", "p")),
        ("machine one.example account a password p", "one.example", ("a", "p")),
        ("machine one.example login u account a password p", "one.example", ("u", "p")),
        ("machine one.example", "one.example", None),
        ('machine one.example login "" password ""', "one.example", None),
        ("machine ::1 login u password p", "::1", ("u", "p")),
        ("default login d password p", "any.example", ("d", "p")),
        ("default login d password p", "default", ("d", "p")),
        ("machine x login y password z\ndefault login d password p", "x", ("y", "z")),
        ("machine one.example nonsense u password p", "one.example", None),
        ("machine", "one.example", None),
        ("", "one.example", None),
        ('machine one.example login "', "one.example", None),
    ],
)
def test_an_entry_is_found(
    tmp_path: Path, now: float, text: str, host: str, expected: tuple[str, str] | None
) -> None:
    """The whole host counts; empty entries and malformed files hold nothing."""
    path = write(tmp_path / "passwords", text)

    assert expected == lookup(host, path, now)


def test_bytes_that_are_no_text(tmp_path: Path, now: float) -> None:
    """A file in no charset is malformed, or read in some other one; it never raises."""
    path = tmp_path / "passwords"
    path.write_bytes(b"machine one.example login \xff\x81 password \xff")

    lookup("one.example", str(path), now)


def test_default_is_not_for_hosts_that_servers_name(tmp_path: Path, now: float) -> None:
    """The default entry is only for the host that the user asked for."""
    text = "machine one.example login u password p\ndefault login d password p"
    path = write(tmp_path / "passwords", text)

    assert ("d", "p") == lookup("two.example", path, now)
    assert None is lookup("two.example", path, now, use_default=False)
    assert None is lookup("default", path, now, use_default=False)
    assert ("u", "p") == lookup("one.example", path, now, use_default=False)


@pytest.mark.parametrize("path", ["", "/nowhere/at/all", "/", "with\0nul"])
def test_no_file(path: str, now: float) -> None:
    """A path where nothing can be read holds nothing."""
    assert None is lookup("one.example", path, now)


def test_the_usual_places(home: Path) -> None:
    """Without a path, ~/.netrc is read, else ~/_netrc."""
    assert None is lookup("one.example", None, next(_later))

    write(home / "_netrc", "machine one.example login second password p")
    assert ("second", "p") == lookup("one.example", None, next(_later))

    write(home / ".netrc", "machine one.example login first password p")
    assert ("first", "p") == lookup("one.example", None, next(_later))


def test_a_path_may_start_in_the_home_folder(home: Path, now: float) -> None:
    """NETRC=~/passwords works without a shell."""
    write(home / "passwords", "machine one.example login u password p")

    assert ("u", "p") == lookup("one.example", "~/passwords", now)


def test_a_change_is_seen_after_a_second(tmp_path: Path, now: float) -> None:
    """The file is looked at again after LOOK_AGAIN, not before."""
    path = write(tmp_path / "passwords", "machine one.example login u password old")
    assert ("u", "old") == lookup("one.example", path, now)

    write(tmp_path / "passwords", "machine one.example login u password changed")

    assert ("u", "old") == lookup("one.example", path, now + LOOK_AGAIN * 0.99)
    assert ("u", "changed") == lookup("one.example", path, now + LOOK_AGAIN)
    os.unlink(path)
    assert None is lookup("one.example", path, now + 2 * LOOK_AGAIN)


def test_another_path_is_looked_at_at_once(tmp_path: Path, now: float) -> None:
    """Setting NETRC has its effect on the next request."""
    one = write(tmp_path / "one", "machine one.example login u password 1")
    two = write(tmp_path / "two", "machine one.example login u password 2")

    assert ("u", "1") == lookup("one.example", one, now)
    assert ("u", "2") == lookup("one.example", two, now)


def test_an_unchanged_file_is_not_read_again(
    tmp_path: Path, now: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking again costs a stat; reading happens only after a change."""
    path = write(tmp_path / "passwords", "machine one.example login u password p")
    lookup("one.example", path, now)
    monkeypatch.setattr("netrc.netrc", None)

    assert ("u", "p") == lookup("one.example", path, now + LOOK_AGAIN)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_passwords_that_others_may_read_are_not_used(home: Path, mode: int) -> None:
    """In a usual place; it is said once, and anonymous entries are no secret."""
    text = "machine one.example login u password p\nmachine two.example login anonymous password p"
    write(home / ".netrc", text, mode)

    with pytest.warns(GoferWarning, match=r"\.netrc are not used"):
        assert None is lookup("one.example", None, next(_later))
    assert ("anonymous", "p") == lookup("two.example", None, next(_later))
    (home / ".netrc").chmod(0o600)
    assert ("u", "p") == lookup("one.example", None, next(_later))


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_a_file_that_was_named_is_used_as_it_is(tmp_path: Path, now: float) -> None:
    """NETRC is a choice; its mode is not questioned."""
    path = write(tmp_path / "passwords", "machine one.example login u password p", 0o644)

    assert ("u", "p") == lookup("one.example", path, now)
