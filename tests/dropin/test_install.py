"""gofer in the place of Requests: `install_as_requests`, and the command that runs a program on it.

Each in a process of its own: what is imported cannot be unimported for other tests.
"""

import subprocess
import sys
from pathlib import Path

import pytest

import gofer
from gofer.dropin.giving_way import OURS
from servers.web import Web

MODULES = (
    "adapters", "api", "auth", "certs", "compat", "cookies", "exceptions", "help", "hooks",
    "models", "packages", "sessions", "status_codes", "structures", "utils",
)  # fmt: skip


def run(program: str, *arguments: str, code: int = 0) -> str:
    """What `program` prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *(arguments or ("-c", program))],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (code, "") == (done.returncode, done.stderr if code == 0 else "")
    return done.stdout if code == 0 else done.stderr


def test_requests_and_its_modules_are_gofers() -> None:
    """The very same modules and classes, not copies; and the version is one of Requests'."""
    run(f"""
import gofer
gofer.install_as_requests()
import requests, importlib
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError
import gofer.adapters
assert HTTPAdapter is gofer.adapters.HTTPAdapter
assert ConnectionError is gofer.ConnectionError is requests.ConnectionError
assert requests.Session is gofer.Session
for name in {MODULES!r}:
    assert importlib.import_module("requests." + name) is importlib.import_module("gofer." + name)
    assert getattr(requests, name) is getattr(gofer, name)
from requests import *
assert get is gofer.get and Session is gofer.Session
assert tuple(map(int, requests.__version__.split("."))) >= (2, 34)
from requests.__version__ import __build__
assert requests.__build__ == __build__
assert hasattr(requests, "get") and not hasattr(requests, "nothing")
""")


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_one_by_all_of_its_names(name: str) -> None:
    """However it is imported first."""
    run(f"""
import importlib
one = importlib.import_module("gofer.{name}")
import gofer
assert one is getattr(gofer, "{name}") is importlib.import_module("gofer.{name}")
assert one.__spec__.name == one.__name__
""")


def test_a_response_is_one_of_gofer_models(web: Web) -> None:
    """`from gofer.models import Response` is for isinstance."""
    run(f"""
import gofer
from gofer.models import PreparedRequest, Response
response = gofer.get({web.url + "/get"!r})
assert isinstance(response, Response) and isinstance(response.request, PreparedRequest)
""")


def test_requests_defaults_come_with_it_and_go_again(web: Web) -> None:
    """Content is read at once, and nothing is given up for taking long."""
    run(f"""
import gofer
from gofer.defaults import defaults
before = dict(defaults)
gofer.install_as_requests()
gofer.install_as_requests()
import requests
with requests.Session() as session:
    assert session.stream is False
    response = session.get({web.url + "/get"!r})
    assert response.raw.read() == b""
    assert session.get({web.url + "/get"!r}, stream=True).raw.read() != b""
    assert response.request.settings.timeouts.read is None
gofer.uninstall_as_requests()
gofer.uninstall_as_requests()
assert dict(defaults) == before
try:
    import requests
except ImportError:
    pass
else:
    assert requests.Session is not gofer.Session
""")


def test_too_late_is_said(tmp_path: Path) -> None:
    """Whoever imported the real one would keep it."""
    (tmp_path / "requests.py").write_text("")
    run(f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import requests, gofer
try:
    gofer.install_as_requests()
except ImportError as error:
    assert "imported before" in str(error) and {str(tmp_path)!r} in str(error)
else:
    raise AssertionError
assert not any("requests" in str(finder) for finder in sys.meta_path)
""")


def test_a_program_run_on_gofer(web: Web, tmp_path: Path) -> None:
    """Unchanged: its arguments, its folder and its name are as ever."""
    (tmp_path / "beside.py").write_text("import requests\n")
    program = tmp_path / "program.py"
    program.write_text("""
import sys, beside, requests
if __name__ == "__main__":
    response = requests.get(sys.argv[1], params={"a": "b"})
    print(type(response).__module__, response.json()["args"], sys.argv[2:])
""")
    printed = run("", "-m", "gofer.as_requests", str(program), web.url + "/get", "-x")

    assert "gofer.dropin.models {'a': 'b'} ['-x']\n" == printed


def test_the_command_without_a_program() -> None:
    """Says how it is used."""
    assert "usage" in run("", "-m", "gofer.as_requests", code=2)


def test_nothing_of_it_is_imported_unasked(web: Web) -> None:
    """A program that only gets pays for none of it."""
    printed = run(f"""
import sys, gofer
gofer.get({web.url + "/get"!r}).json()
print([name for name in sys.modules if name.startswith("gofer.dropin")])
""")

    assert "['gofer.dropin', 'gofer.dropin.models', 'gofer.dropin.replaced']\n" == printed


def test_idioms_of_packages(web_tls: Web) -> None:
    """`requests.packages.urllib3`, whether or not urllib3 is there."""
    for hide in ("", "sys.modules['urllib3'] = None\n"):
        run(f"""
import sys, warnings
{hide}import gofer
gofer.install_as_requests()
import requests
from requests.packages.urllib3.util.retry import Retry
from requests.packages.urllib3.exceptions import InsecureRequestWarning
requests.packages.urllib3.disable_warnings(InsecureRequestWarning)
requests.packages.urllib3.disable_warnings()
with requests.Session() as session:
    session.mount("https://", requests.adapters.HTTPAdapter(max_retries=Retry(3, backoff_factor=0)))
    assert session.get({web_tls.url + "/get"!r}, verify=False).ok
""")


SUBCLASS = """
import gofer
gofer.install_as_requests()
import requests

class Events:
    def events(self):
        return "theirs"

class Network:
    network = "theirs"

class Api(requests.Session, Events, Network):
    def __init__(self):
        self.timeout = 7  # before the session is there
        super().__init__()
        self.config = "a file"

class More(Api, Events):
    pass
"""


def test_a_subclass_keeps_the_names_that_requests_has_not(web: Web) -> None:
    """A method of another base, an attribute of its own: gofer's give way, and it works on."""
    run(f"""{SUBCLASS}
for api in Api(), More():
    assert ("theirs", "theirs", "a file", 7) == (
        api.events(), api.network, api.config, api.timeout
    )
    for name in "config", "events", "network", "pins", "prefetch", "timeout", "websocket":
        for value in "x", ["x"], {{"x": "y"}}, None, object():
            setattr(api, name, value)
            assert value is getattr(api, name)
    api.prefetch = True
    assert api.adapters and api.get({web.url + "/get"!r}).ok
    api.hooks["args"] = lambda arguments: arguments
    api.config = {{"a setting": "of theirs"}}
    assert api.get({web.url + "/get"!r}).ok
""")


def test_what_a_subclass_means_for_gofer_counts() -> None:
    """A number as timeout, settings as config; and gofer's own names where there are no others."""
    run(f"""{SUBCLASS}
class Plain(requests.Session):
    pass

plain = Plain()
plain.timeout = 3
plain.config = {{"max_redirects": 5}}
plain.config["keep_alive"] = False
assert (3, 5) == (plain.timeout, plain.max_redirects)
assert (3, False) == (plain._settings_now_().timeouts.read, plain._settings_now_().keep_alive)
assert callable(plain.events) and plain.network is not None
""")


def test_nothing_gives_way_unasked() -> None:
    """Without `install_as_requests`, or in a session that is no subclass."""
    run("""
import gofer

class Events:
    def events(self):
        return "theirs"

class Mine(gofer.Session, Events):
    pass

assert Mine.events is gofer.Session.events
for session in Mine(), gofer.Session():
    for name, value in ("config", "x"), ("timeout", "x"):
        try:
            setattr(session, name, value)
        except (TypeError, ValueError):
            continue
        raise AssertionError(name)
""")


def test_every_name_of_ours_gives_way() -> None:
    """A session's public names are Requests', or are listed."""
    theirs = (
        "adapters auth cert close cookies delete get get_adapter get_redirect_target head headers"
        " hooks max_redirects merge_environment_settings mount options params patch post"
        " prepare_request proxies put rebuild_auth rebuild_method rebuild_proxies request"
        " resolve_redirects send should_strip_auth stream trust_env verify"
    )
    ours = {name for name in dir(gofer.Session) if not name.startswith("_")} - {*theirs.split()}

    assert ours == set(OURS)
