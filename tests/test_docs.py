"""The documentation is true: every example in it runs, and nothing public is missing from it.

The examples are run as they stand. What makes that possible is the resolver: while a page runs,
`socket.getaddrinfo` knows a few names only, and they lead to servers on loopback that have
certificates for them.

    python    runs; the blocks of a page share their variables, from top to bottom
    pycon     a dialogue, compared with what really comes back (doctest, with ELLIPSIS)
    console   `$ gofer …` and what it prints; `$ echo $?` is the exit status
    sh        installing and make: looked at, not run
    text      not run
"""

import contextlib
import doctest
import inspect
import os
import re
import shlex
import socket
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from servers.certificates import Certificates
from servers.listener import Gate
from servers.proxy import Proxy
from servers.web import Reply, Request, Web

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")),
    *sorted(DOCS.rglob("*.md")),
]

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """An example: its language, its text, and the line of the page before it."""

    language: str
    text: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(found[1], found[2], text.count("\n", 0, found.start(2)))
        for found in FENCE.finditer(text)
    ]


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


# The world of the examples ------------------------------------------------------------------------


class Httpbin(Web):
    """The web server, with what the examples need besides: a slow answer, and pages with links."""

    def answer(self, request: Request) -> Reply:
        if request.path.startswith("/delay/"):
            self.gates["delay"].wait()
        if request.path.startswith("/site/"):
            links = [f'<a href="{number}#top">page {number}</a>' for number in (1, 2, 3)]
            return Reply(" ".join(links).encode(), fields=[("Content-Type", "text/html")])
        return super().answer(request)


class Names:
    """Stands in for the resolver: where each host and port of the examples really is."""

    def __init__(self, ports: dict[tuple[str, int], int], servers: list[Web]) -> None:
        self.ports = ports
        self.servers = servers

    def getaddrinfo(self, host: Any, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else host
        if name == "127.0.0.1":
            there = port
        elif (name, port) in self.ports:
            there = self.ports[name, port]
        else:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", there))]


HOSTS = ("httpbin.org", "example.com", "api.example.com")


@pytest.fixture(scope="module")
def names(certificates: Certificates) -> Iterator[Names]:
    """Servers for every name of the examples."""
    tls = certificates.server(certificates.authority.issue_cert(*HOSTS))
    stranger = certificates.server(certificates.other_authority.issue_cert("intranet.example.com"))
    with contextlib.ExitStack() as stack:
        plain, secure = (stack.enter_context(Httpbin(tls=context)) for context in (None, tls))
        intranet = stack.enter_context(Httpbin(tls=stranger))
        ports = {(name, 80): plain.port for name in HOSTS}
        ports |= {(name, 443): secure.port for name in HOSTS}
        ports["intranet.example.com", 443] = intranet.port
        reach = {f"{name}:{port}": ("127.0.0.1", there) for (name, port), there in ports.items()}
        proxy = stack.enter_context(Proxy(hosts=reach))
        ports["proxy.example.com", 3128] = proxy.port
        yield Names(ports, [plain, secure, intranet])


@pytest.fixture
def world(
    names: Names, certificates: Certificates, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """An empty folder with a few files to work in, trust in our authority, and our names only."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
    monkeypatch.setenv("SSL_CERT_FILE", certificates.ca_file)
    certificate, key = (Path(path).read_bytes() for path in certificates.client_cert)
    files = {
        "company-ca.pem": Path(certificates.other_ca_file).read_bytes(),
        "client.pem": certificate,
        "client.key": key,
        "report.csv": b"name,count\ntea,3\n",
        "urls.txt": b"https://httpbin.org/html\nhttps://nowhere.example/\nhttps://httpbin.org/status/404\n",
        "photo.jpg": b"\xff\xd8\xff not really",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    yield
    for server in names.servers:
        server.gates.pop("delay", Gate(server)).set()  # nobody waits any more


# Running ------------------------------------------------------------------------------------------


def run_python(block: Block, page: Path, variables: dict[str, Any]) -> None:
    code = compile("\n" * block.line + block.text, str(page), "exec")
    exec(code, variables)


def run_dialogue(block: Block, page: Path, variables: dict[str, Any]) -> None:
    examples = doctest.DocTestParser().get_examples(block.text)
    assert examples, f"{page_id(page)}:{block.line}: a dialogue without >>>"
    test = doctest.DocTest(examples, variables, page_id(page), str(page), block.line, block.text)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    runner.run(test, out=report.append, clear_globs=False)
    variables.update(test.globs)
    assert not runner.failures, "".join(report)


def run_console(block: Block, page: Path, capture: pytest.CaptureFixture[bytes]) -> None:
    from gofer.cli import main

    status = 0
    checker = doctest.OutputChecker()
    for call in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, expected = call.partition("\n")
        if command == "echo $?":
            actual = f"{status}\n"
        else:
            program, *arguments = shlex.split(command)
            assert program == "gofer", f"{page_id(page)}: cannot run {program!r}"
            capture.readouterr()
            try:
                status = main(arguments)
            except SystemExit as exit_:
                status = int(exit_.code or 0)
            sys.stdout.flush()
            actual = "".join(part.decode() for part in capture.readouterr())
        assert checker.check_output(expected, actual, FLAGS), (
            f"{page_id(page)}: $ {command}\nexpected {expected}\ngot {actual}"
        )


def look_at_commands(block: Block) -> None:
    """What is installed exists, and so does what is made."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for line in block.text.splitlines():
        words = shlex.split(line, comments=True)
        if words[:2] == ["pip", "install"]:
            for extra in re.findall(r"\[([a-z,]+)\]", line):
                assert set(extra.split(",")) <= set(project["optional-dependencies"])
        elif words[:1] == ["make"]:
            assert words[1] in targets
        else:
            raise AssertionError(f"nobody checks {line!r}; is it a console block?")


@pytest.mark.parametrize("page", PAGES, ids=page_id)
@pytest.mark.usefixtures("world")
def test_examples_run(page: Path, capfdbinary: pytest.CaptureFixture[bytes]):
    """Every code block of the page does what the page says."""
    variables: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks_of(page):
        match block.language:
            case "python":
                run_python(block, page, variables)
            case "pycon":
                run_dialogue(block, page, variables)
            case "console":
                run_console(block, page, capfdbinary)
            case "sh":
                look_at_commands(block)
            case "text":
                pass
            case other:
                pytest.fail(f"{page_id(page)}:{block.line}: nobody runs {other!r} blocks")


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page: Path):
    """Every link to a file of ours, and to a heading in it, has an end."""
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors_of(target), link


def anchors_of(page: Path) -> set[str]:
    """What headings are called in links, by GitHub's rule."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# Nothing is missing -------------------------------------------------------------------------------


def documented(*pages: str) -> set[str]:
    """The words in code spans of reference pages: `get(url)` documents get."""
    text = "".join((REFERENCE / f"{page}.md").read_text(encoding="utf-8") for page in pages)
    words: set[str] = set()
    for span in re.findall(r"`([^`\n]+)`", text):
        words.update(re.findall(r"[\w.-]+", span))
    return words


def test_generated_parts_are_up_to_date():
    """`python docs/generate.py` would change nothing."""
    generate = load(DOCS / "generate.py")

    for page in generate.PAGES:
        assert generate.filled(page) == page.read_text(encoding="utf-8")


def test_the_picture_is_up_to_date():
    """`python docs/pictures/architecture.py` would change nothing."""
    picture = load(DOCS / "pictures" / "architecture.py")

    assert picture.draw() == picture.FILE.read_text(encoding="utf-8")


def test_the_summary_of_performance_is_that_of_its_tables(monkeypatch: pytest.MonkeyPatch):
    """`python benchmarks/summary.py` would change nothing."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    summary = load(ROOT / "benchmarks" / "summary.py")

    assert summary.current().markdown() in summary.PAGE.read_text(encoding="utf-8")


def load(script: Path) -> Any:
    """A script as a module, its `main` not run."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(script.stem, script)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_setting_is_documented():
    """Each config key is on the page about them."""
    from gofer.config import SETTINGS

    assert set() == {setting.name for setting in SETTINGS} - documented("config")


def test_every_exception_is_documented():
    """Each exception and warning is on the page about them."""
    from gofer import exceptions

    assert set() == set(exceptions.__all__) - documented("exceptions")


def test_everything_of_a_response_is_documented():
    """Each attribute and method of a response is on the page about it."""
    from gofer import Response

    ours = {"discard"}  # the stages': what they do with an answer that nobody will read
    assert set() == public_names(Response) - ours - documented("response")


def test_everything_of_a_session_is_documented():
    """Each attribute and method of a session, and each argument, is on the page about them."""
    from gofer import Request, Retry, Session, Timeouts

    callables = (Session, Session.request, Request, Retry, Timeouts)
    arguments = {name for one in callables for name in inspect.signature(one).parameters}
    named = public_names(Session) | (arguments - {"self", "options"})
    assert set() == named - documented("api")


def test_everything_of_websockets_and_events_is_documented():
    """Each method and attribute, and each argument that opens one, is on the page about them."""
    from gofer import Session
    from gofer.listening import AsyncEventStream, EventStream
    from gofer.messages.events import ServerSentEvent
    from gofer.websocket import AsyncWebSocket, WebSocket

    both = (WebSocket, AsyncWebSocket, EventStream, AsyncEventStream)
    named = set().union(*map(public_names, (*both, ServerSentEvent)))
    methods = (Session.websocket, Session.events, WebSocket.close)
    named |= {name for one in methods for name in inspect.signature(one).parameters}
    assert set() == named - {"self"} - documented("websocket-and-events")


def test_everything_public_says_what_it_is():
    """Each public class and function, and each member of ours, has a docstring of its own."""
    import gofer

    missing = set()
    for name in gofer.__all__:
        thing = getattr(gofer, name)
        if not callable(thing) or not thing.__module__.startswith("gofer"):
            continue
        if not thing.__doc__:
            missing.add(name)
        if not inspect.isclass(thing):
            continue
        for owner in thing.__mro__:
            if owner.__module__.startswith("gofer"):
                missing |= {f"{name}.{member}" for member in silent_members(owner)}
    assert set() == missing


def silent_members(owner: type) -> Iterator[str]:
    """Functions and properties that a class defines and says nothing about."""
    for name, member in vars(owner).items():
        is_ours = isinstance(member, property | staticmethod | classmethod)
        if (is_ours or inspect.isfunction(member)) and not (name[0] == "_" or member.__doc__):
            yield name


def test_every_name_of_the_modules_is_documented():
    """Each name of the modules that Requests' users import is on the page about them."""
    import importlib

    import gofer

    missing = {
        f"{face}.{name}"
        for face in gofer._FACES
        for name in importlib.import_module(f"gofer.{face}").__all__
        if name not in documented("modules")
    }
    assert set() == missing


def test_every_option_is_documented():
    """Each option of the command is on the page about it."""
    from gofer.cli import _parser

    options = {option for action in _parser()._actions for option in action.option_strings}
    assert set() == options - documented("cli")


def test_every_variable_is_documented():
    """Each variable of the environment that is looked at is on the page about them."""
    from gofer.network.environment import _NAMES

    assert set() == set(_NAMES) - documented("config")


def public_names(cls: type) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


def test_every_page_is_reached_from_the_index():
    """A page that nobody links to is not read."""
    linked = {
        os.path.normpath(DOCS / link.partition("#")[0])
        for link in LINK.findall((DOCS / "index.md").read_text(encoding="utf-8"))
    }

    pages = {str(page) for page in DOCS.rglob("*.md") if not has_moved(page)}
    assert set() == pages - linked - {str(DOCS / "index.md")}


def has_moved(page: Path) -> bool:
    """True for what a renamed page leaves behind for links to its old name."""
    return page.read_text(encoding="utf-8").startswith("# Moved\n")
