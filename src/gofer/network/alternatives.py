"""Where origins can be reached by HTTP/3, as they said themselves (Alt-Svc, RFC 7838).

`session.alternatives`: what is known, for how long it is good, and what did not work when it was
tried. What an origin says is believed over TLS with a certificate that was checked. What its DNS
says is not signed by anybody: it is good enough for a try, since who is found there has to show the
origin's certificate, and is never saved.

State: the alternatives by origin, latest heard of last, and the broken ones by origin and place: no
origin can speak ill of another's. Silence at one place speaks against all of its origin's: UDP does
not get through, more likely than not. Threads may share it: each change replaces or removes one
whole entry.
"""

import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

from gofer.messages.hosts import authority
from gofer.network.bounds import make_room

__all__ = ["Alternatives"]

Origin = tuple[str, str, int]  # scheme, host, port
Place = tuple[str, int]  # host, port

HTTP_3 = "h3"  # by its ALPN name
MAX_PLACES = 4  # remembered of one origin; each may cost a try
MAX_ORIGINS = 1000  # remembered; a crawler must not grow without end
BROKEN_SECONDS = 300.0  # not tried again for so long; each failure doubles it, up to
MOST_BROKEN_SECONDS = 24 * 60 * 60.0
HEARD_SECONDS = 1.0  # for so long what is said once more is no news: servers say it each time

_TIME = "%Y%m%d %H:%M:%S"  # curl's, UTC


class Alternatives:
    """Alternative services, by the origins that named them.

    Attributes:
        places: what each origin named, with the end of its time; for a look whether it did.
    """

    __slots__ = ("_broken", "_hearsay", "_said", "places")

    def __init__(self) -> None:
        self.places: dict[Origin, list[tuple[Place, float]]] = {}  # with the end of their time
        self._said: dict[Origin, tuple[Sequence[str], float]] = {}  # the last of it, and when
        self._hearsay: set[Origin] = set()  # of which nobody but their DNS has spoken
        # Until when, and after how many failures; without a place it is all of the origin's
        self._broken: dict[tuple[Origin, Place | None], tuple[float, int]] = {}

    def find(self, origin: Origin) -> Place | None:
        """Where `origin` can be reached by HTTP/3; None if that is not known, or does not work."""
        places = self.places.get(origin)
        if places is None:
            return None
        now = time.time()
        fresh = [place for place, end in places if end > now]
        if not fresh:
            self.forget(origin)
            return None
        if not self._broken:
            return fresh[0]
        if self._rests(origin, None, now):
            return None
        fit = [place for place in fresh if not self._rests(origin, place, now)]
        return min(fit, key=lambda place: self._failures(origin, place), default=None)

    def _rests(self, origin: Origin, place: Place | None, now: float) -> bool:
        broken = self._broken.get((origin, place))
        return broken is not None and broken[0] > now

    def _failures(self, origin: Origin, place: Place | None) -> int:
        return self._broken.get((origin, place), (0.0, 0))[1]

    def heed(self, origin: Origin, values: Sequence[str]) -> None:
        """Take in what `origin` says in its Alt-Svc fields; it replaces what it has said before."""
        now = time.time()
        before = self._said.get(origin)
        if before is not None and before[0] == values and 0 <= now - before[1] < HEARD_SECONDS:
            return
        from gofer.messages.alt_svc import parse_alt_svc

        places = [
            ((one.host or origin[1], one.port), now + one.max_age)
            for one in parse_alt_svc(values) or ()
            if one.protocol == HTTP_3 and one.max_age
        ]
        self.forget(origin)  # so that it comes to the end
        if places:
            self._keep(origin, places)
        while len(self._said) >= MAX_ORIGINS:
            self._said.pop(next(iter(self._said)), None)
        self._said[origin] = values, now

    def learn(self, origin: Origin, place: Place, seconds: float) -> None:
        """Somebody else says so, its DNS for instance; what `origin` says itself counts before."""
        if origin not in self.places:
            self.forget(origin)
            self._keep(origin, [(place, time.time() + seconds)])
            self._hearsay.add(origin)

    def _keep(self, origin: Origin, places: list[tuple[Place, float]]) -> None:
        while len(self.places) >= MAX_ORIGINS:
            self.forget(next(iter(self.places)))
        self.places[origin] = places[:MAX_PLACES]

    def failed(self, origin: Origin, place: Place, *, is_silent: bool = False) -> None:
        """Nothing came of an attempt to connect there: it is left alone for a while.

        Args:
            is_silent: nobody said so, time passed: then so are the others that `origin` named.
        """
        self._put_off(origin, place)
        if is_silent:
            self._put_off(origin, None)

    def _put_off(self, origin: Origin, place: Place | None) -> None:
        times = min(self._failures(origin, place), 16)
        seconds = min(BROKEN_SECONDS * 2**times, MOST_BROKEN_SECONDS)
        make_room(self._broken, MAX_ORIGINS)
        self._broken[origin, place] = time.time() + seconds, times + 1

    def worked(self, origin: Origin, place: Place) -> None:
        """A connection to it was made."""
        if self._broken:
            self._broken.pop((origin, place), None)
            self._broken.pop((origin, None), None)

    def forget(self, origin: Origin) -> None:
        """As if nothing had been said of `origin`."""
        self.places.pop(origin, None)
        self._said.pop(origin, None)
        self._hearsay.discard(origin)

    def clear(self) -> None:
        """Forget everything: the network is another one, perhaps."""
        self.places.clear()
        self._said.clear()
        self._hearsay.clear()
        self._broken.clear()

    # On disk ------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write what origins said of themselves to a file, in the form of curl's `--alt-svc`.

        Raises:
            OSError: it cannot be written.
        """
        lines = ["# Alternative services, by gofer; curl --alt-svc reads it too.\n"]
        for origin, places in list(self.places.items()):
            for place, end in () if origin in self._hearsay else places:
                until = time.strftime(_TIME, time.gmtime(end))
                lines.append(f'{_line(origin, place)} "{until}" 0 0\n')
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(lines)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Add what a file of `save`, or of curl, knows. Lines that make no sense are left out.

        Raises:
            OSError: it cannot be read.
        """
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                for origin, place, end in _read(line):
                    if origin in self._hearsay:
                        self.forget(origin)
                    places = self.places.get(origin, [])
                    self._keep(origin, [p for p in places if p[0] != place] + [(place, end)])

    def __iter__(self) -> Iterator[tuple[str, str, int]]:
        """(origin's URL, host, port) of everything that is known."""
        for (scheme, host, port), places in list(self.places.items()):
            for place, _ in places:
                yield f"{scheme}://{authority(host, port)}", *place

    def __len__(self) -> int:
        return sum(len(places) for places in self.places.values())

    def __getstate__(self) -> Any:
        return {"places": self.places, "_hearsay": self._hearsay, "_broken": self._broken}

    def __setstate__(self, state: Any) -> None:
        self.places, self._hearsay = state["places"], state["_hearsay"]
        self._said, self._broken = {}, state["_broken"]

    def __repr__(self) -> str:
        return f"<Alternatives {[f'{url} at {host}:{port}' for url, host, port in self]}>"


def _line(origin: Origin, place: Place) -> str:
    _, host, port = origin
    return f"h2 {_bracketed(host)} {port} h3 {_bracketed(place[0])} {place[1]}"


def _read(line: str) -> Iterator[tuple[Origin, Place, float]]:
    """What one line says, if it says anything."""
    import calendar

    parts = line.replace('"', "").split()
    if line.startswith("#") or len(parts) < 8 or parts[3] != HTTP_3:
        return
    try:
        origin = "https", parts[1].strip("[]").lower(), int(parts[2])
        place = parts[4].strip("[]").lower(), int(parts[5])
        end = calendar.timegm(time.strptime(f"{parts[6]} {parts[7]}", _TIME))
    except ValueError:
        return
    if 0 < place[1] < 65536:
        yield origin, place, float(end)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
