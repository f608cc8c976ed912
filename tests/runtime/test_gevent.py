"""gevent: greenlets that wait beside each other, in a process that is patched or not."""

import select
import subprocess
import sys
from typing import IO

import pytest

from servers.web import Web

TOGETHER = 10  # requests

PROGRAM = """
import sys
if {patched}:
    from gevent import monkey
    monkey.patch_all()
import gevent
import gofer

session = gofer.Session(**{options})
jobs = [gevent.spawn(lambda: session.get({url!r}).text) for _ in range({together})]
gevent.joinall(jobs, raise_error=True, timeout=20)
print(sorted(job.value for job in jobs) == ["open"] * {together})
"""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("patched", [True, False], ids=["patched", "not patched"])
def test_greenlets_wait_beside_each_other(web: Web, patched: bool, host: str) -> None:
    """No answer comes before all have asked: a greenlet that kept the others would hang."""
    program = PROGRAM.format(
        patched=patched,
        options={} if patched else {"runtime": "gevent"},
        url=f"{web.url}/gate/greenlets/content".replace("127.0.0.1", host),
        together=TOGETHER,
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=-1, stderr=-1, text=True)
    try:
        with web.changed:
            assert web.changed.wait_for(lambda: web.in_flight == TOGETHER, 20)
        web.gates["greenlets"].set()
        output, errors = child.communicate(timeout=20)
    finally:
        child.kill()
        child.communicate()

    assert ("True\n", "") == (output, errors)


BULK_PROGRAM = """
import sys
if {patched}:
    from gevent import monkey
    monkey.patch_all()
import gevent
import gofer

session = gofer.Session(**{options})
job = gevent.spawn(gofer.map, [{url!r}] * {together}, session=session)
gevent.sleep(0.01)
print("I go on", flush=True)
print([r.text for r in job.get(timeout=20)] == ["open"] * {together})
"""


@pytest.mark.parametrize("patched", [True, False], ids=["patched", "not patched"])
def test_other_greenlets_go_on_beside_a_bulk_run(web: Web, patched: bool) -> None:
    """The answers come only after another greenlet has had its say."""
    program = BULK_PROGRAM.format(
        patched=patched,
        options={} if patched else {"runtime": "gevent"},
        url=f"{web.url}/gate/bulk/content",
        together=TOGETHER,
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=-1, stderr=-1, text=True)
    try:
        with web.changed:
            assert web.changed.wait_for(lambda: web.in_flight == TOGETHER, 20)
        assert child.stdout is not None
        heard = beside_the_run(child.stdout)
        web.gates["bulk"].set()
        output, errors = child.communicate(timeout=20)
    finally:
        child.kill()
        child.communicate()

    assert ("I go on", "True\n", "") == (heard, output, errors)


def beside_the_run(output: IO[str]) -> str:
    """What the child says within some seconds."""
    ready, _, _ = select.select([output], [], [], 5.0)
    return output.readline().strip() if ready else ""


def test_without_gevent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for the runtime is told what to install."""
    import gofer

    monkeypatch.setitem(sys.modules, "gevent", None)
    monkeypatch.delitem(sys.modules, "gofer.runtime.gevent", raising=False)

    with pytest.raises(ImportError, match=r"pip install gofer\[gevent\]"):
        gofer.Session(runtime="gevent")
