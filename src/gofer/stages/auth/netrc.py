"""The netrc file: passwords by host, where curl, git and Requests look for them too.

The file is read when first asked for and kept; whether it changed is looked at once a second at
most. State: `_seen`, replaced as a whole, so that no lock is needed. When netrc counts at all
(nothing explicit was given, `trust_env` is on) is decided in `stages/auth`.
"""

import os
import warnings

from gofer.callers import level_of_caller
from gofer.exceptions import GoferWarning

__all__ = ["lookup"]

USUAL_PLACES = ("~/.netrc", "~/_netrc")
LOOK_AGAIN = 1.0  # seconds; os.stat takes 1-2 µs, a request has 50

Login = tuple[str, str]  # user name and password


class _Seen:
    """What one look at the file system found. Does not change, but for `until`."""

    __slots__ = ("default", "logins", "path", "until", "version")

    def __init__(
        self,
        path: str | None,
        until: float,
        version: tuple[object, ...] | None = None,
        logins: dict[str, Login] | None = None,
    ) -> None:
        self.path = path  # as it was asked for
        self.until = until  # monotonic seconds
        self.version = version  # changes with the file; None without one
        self.logins = {} if logins is None else logins  # by host, in lower case
        self.default = self.logins.pop("default", None)


_seen = _Seen(None, float("-inf"))


def lookup(host: str, path: str | None, now: float, *, use_default: bool = True) -> Login | None:
    """User name and password for `host`, or None.

    A file that is missing or malformed holds nothing. One in a usual place that others may read
    or that is not ours gives no passwords either, and is warned about.

    Args:
        host: as in `URL.host`; it is compared as a whole.
        path: the file; None for the usual places in the home folder.
        now: monotonic seconds.
        use_default: whether the `default` entry may answer for a host that has none.
    """
    seen = _seen
    if now >= seen.until or path != seen.path:
        seen = _look(path, now)
    return seen.logins.get(host) or (seen.default if use_default else None)


def _look(path: str | None, now: float) -> _Seen:
    global _seen
    name, status = _find(path)
    version = status and (name, status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode)
    until = now + LOOK_AGAIN
    if path == _seen.path and version == _seen.version:
        _seen.until = until
        return _seen

    logins = _read(name) if status else {}
    refused = _unsafe(logins, status) if status and path is None else set()
    for host in refused:
        del logins[host]
    _seen = seen = _Seen(path, until, version, logins)
    if refused:  # last, so that a warning raised as an error comes once, not with every request
        warnings.warn(
            f"the passwords in {name} are not used: others may read it, or it is not yours;"
            " expected your own file with mode 600",
            GoferWarning,
            stacklevel=level_of_caller(),
        )
    return seen


def _find(path: str | None) -> tuple[str, os.stat_result | None]:
    """The file and its status; None without a file."""
    for candidate in USUAL_PLACES if path is None else (path,):
        name = os.path.expanduser(candidate)
        try:
            return name, os.stat(name)
        except (OSError, ValueError):  # ValueError: a NUL in the name
            continue
    return "", None


def _read(name: str) -> dict[str, Login]:
    from netrc import NetrcParseError, netrc

    try:
        hosts = netrc(name).hosts
    except (NetrcParseError, OSError, ValueError):
        # The file belongs to other programs too, which may know more words than we do.
        return {}
    # An entry without a login has an account in its place, as in ftp(1). One with nothing in it
    # would send "Authorization: Basic Og==" (Requests #6928).
    return {
        host.lower(): (login or account or "", password or "")
        for host, (login, account, password) in hosts.items()
        if login or account or password
    }


def _unsafe(logins: dict[str, Login], status: os.stat_result) -> set[str]:
    """Hosts whose passwords are not to be used from a file in the home folder.

    By the rule of the standard library: the file must be ours, and nobody else's to read.
    """
    if os.name != "posix" or (status.st_uid == os.getuid() and not status.st_mode & 0o077):
        return set()
    return {host for host, (login, _) in logins.items() if login != "anonymous"}
