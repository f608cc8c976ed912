"""The command line: `python -m gofer URL`, as a process of its own and as `main()`."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gofer.cli import main
from servers import raw
from servers.certificates import Certificates
from servers.proxy import Proxy
from servers.raw import refused_port, serve
from servers.web import Web

SOURCE = Path(__file__).resolve().parents[2] / "src"

Result = tuple[int, bytes, str]
Run = Callable[..., Result]


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """`run(*arguments)`: exit status, standard output and standard error of `main`."""

    def runner(*arguments: str) -> Result:
        try:
            status = main(arguments)
        except SystemExit as exit_:
            status = int(exit_.code or 0)
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return status, out, err.decode()

    return runner


def without(descriptor: int, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """`python -m gofer` with these arguments, and with that descriptor closed."""
    command = [sys.executable, "-m", "gofer", *arguments]
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {descriptor}>&-', "sh", *command],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        timeout=30,
        check=False,
    )


def process(*arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """`python -m gofer` with these arguments."""
    return subprocess.run(
        [sys.executable, "-m", "gofer", *arguments],
        input=stdin,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        timeout=30,
        check=False,
    )


# What is printed ----------------------------------------------------------------------------------


def test_content_goes_to_standard_output(web: Web):
    """As a process: the content byte for byte, and nothing else."""
    done = process(f"{web.url}/bytes/100000")

    assert 0 == done.returncode
    assert b"" == done.stderr
    assert process(f"{web.url}/bytes/100000").stdout == done.stdout
    assert 100_000 == len(done.stdout)


def test_content_is_decoded(web: Web, run: Run):
    """Content codings are taken off."""
    status, out, _ = run(f"{web.url}/gzip")

    assert (0, "gzip") == (status, json.loads(out)["coding"])


def test_include_prints_the_head_first(run: Run):
    """-i prints the status line and the field lines as they came."""
    head = b"HTTP/1.1 200 Fine\r\ncontent-LENGTH: 2\r\nX-A: 1\r\n\r\n"
    with serve(raw.answers(head + b"ok")) as server:
        assert (0, head + b"ok", "") == run("-i", server.url)


def test_output_goes_to_a_file(web: Web, run: Run, tmp_path: Path):
    """-o writes the content to a file and leaves standard output alone."""
    file = tmp_path / "content"

    assert (0, b"", "") == run("-o", str(file), f"{web.url}/bytes/1000")
    assert 1000 == file.stat().st_size


def test_verbose_tells_each_request(web: Web, run: Run):
    """-v writes a line for every request on the wire to standard error."""
    _, _, err = run("-v", f"{web.url}/redirect/1")

    assert [f"{web.url}/redirect/1", f"{web.url}/get"] == [
        line.split("   ")[2] for line in err.splitlines()
    ]


# What is asked ------------------------------------------------------------------------------------


def test_method_and_fields(web: Web, run: Run):
    """-X is the method; -H sets a field, adds to one, and takes a default away."""
    run("-X", "PATCH", "-H", "A: 1", "-H", "A: 2", "-H", "User-Agent:", f"{web.url}/anything")

    (request,) = web.requests
    assert ("PATCH", "1, 2", None) == (
        request.method,
        request.field("a"),
        request.field("user-agent"),
    )


def test_data_is_posted_as_a_form(web: Web, run: Run):
    """-d makes it a POST; several are joined."""
    _, out, _ = run("-d", "a=1", "-d", "b=2", f"{web.url}/anything")

    echo = json.loads(out)
    assert ("POST", {"a": "1", "b": "2"}) == (echo["method"], echo["form"])


def test_data_from_a_file(web: Web, run: Run, tmp_path: Path):
    """-d @FILE sends a file as it is."""
    file = tmp_path / "content"
    file.write_bytes(b"\x00line\r\n")
    _, out, _ = run("-X", "PUT", "-d", f"@{file}", f"{web.url}/upload-count")

    assert {"bytes": 7} == json.loads(out)


def test_data_from_standard_input(web: Web):
    """-d @- sends what comes on standard input, of whatever length."""
    done = process("-d", "@-", f"{web.url}/upload-count", stdin=b"*" * 300_000)

    assert {"bytes": 300_000} == json.loads(done.stdout)


def test_a_file_among_data(web: Web, run: Run, tmp_path: Path):
    """-d @FILE beside others is a part of the form, without its line breaks."""
    file = tmp_path / "part"
    file.write_bytes(b"a=1\r\n")
    _, out, _ = run("-d", f"@{file}", "-d", "b=2", f"{web.url}/anything")

    assert {"a": "1", "b": "2"} == json.loads(out)["form"]


def test_json_is_sent_as_written(web: Web, run: Run):
    """--json sends the text itself, not another spelling of its value."""
    _, out, _ = run("--json", '{"n": 1.10}', f"{web.url}/anything")

    echo = json.loads(out)
    assert ("POST", '{"n": 1.10}') == (echo["method"], echo["data"])
    assert "application/json" == echo["headers"]["Content-Type"]


def test_a_field_of_ones_own_beats_the_media_type(web: Web, run: Run):
    """-H 'Content-Type: …' counts, not what -d or --json would say."""
    run("--json", "{}", "-H", "content-type: application/ld+json", f"{web.url}/anything")

    assert ["application/ld+json"] == web.requests[0].lines("content-type")


def test_redirects_are_not_followed_if_asked_not_to(web: Web, run: Run):
    """--no-redirects prints the redirect itself."""
    assert (0, b"on your way\n", "") == run("--no-redirects", f"{web.url}/redirect/1")


def test_through_a_proxy(web: Web, proxy: Proxy, run: Run):
    """One, or a chain of them."""
    for options in (("-x", proxy.url), ("--proxy", proxy.url, "--proxy", proxy.url)):
        status, out, _ = run(*options, f"{web.url}/get")
        assert 0 == status
        assert json.loads(out)["args"] == {}
    assert ["GET", "CONNECT", "GET"] == [asked.method for asked in proxy.asked]


def test_insecure_skips_the_check(web_tls: Web, run: Run):
    """Without -k a certificate nobody vouches for is an error, with it the answer comes."""
    status, out, err = run(f"{web_tls.url}/robots")
    assert (1, b"") == (status, out)
    assert "certificate" in err

    status, out, err = run("-k", f"{web_tls.url}/robots")
    assert (0, "") == (status, err)
    assert out.startswith(b"User-agent")


def test_trust_comes_from_the_environment(
    web_tls: Web, certificates: Certificates, run: Run, monkeypatch: pytest.MonkeyPatch
):
    """SSL_CERT_FILE says whom to trust."""
    monkeypatch.setenv("SSL_CERT_FILE", certificates.ca_file)

    assert 0 == run(f"{web_tls.url}/robots")[0]


# What goes wrong ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "expected"), [(204, 0), (304, 0), (400, 4), (404, 4), (500, 5), (503, 5)]
)
def test_exit_status_tells_the_class_of_the_answer(web: Web, run: Run, code: int, expected: int):
    """0 below 400, 4 for a 4xx and 5 for a 5xx answer, whose content is printed all the same."""
    status, out, err = run(f"{web.url}/status/{code}")

    content = b"" if code in (204, 304) else b"%d\n" % code
    assert (expected, content, "") == (status, out, err)


def test_errors_are_one_line(run: Run):
    """No answer is status 1 and one line on standard error."""
    status, out, err = run(f"http://127.0.0.1:{refused_port()}/")

    assert (1, b"") == (status, out)
    assert err.startswith("gofer: connecting to 127.0.0.1")
    assert 1 == err.count("\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nowhere",),
        ("http://[::1/",),
        ("-X", "NOT A TOKEN", "http://localhost:1/"),
        ("-H", "a: b\nc: d", "http://localhost:1/"),
        ("-H", "a b: c", "http://localhost:1/"),
        ("-x", "ftp://localhost/", "http://localhost:1/"),
    ],
)
def test_useless_requests_are_one_line(run: Run, arguments: tuple[str, ...]):
    """What cannot be sent is status 2 and one line, before anything is connected to."""
    status, out, err = run(*arguments)

    assert (2, b"", 1) == (status, out, err.count("\n"))
    assert err.startswith("gofer: ")


def test_a_file_that_is_not_there(run: Run):
    """It is status 1 and one line."""
    status, out, err = run("-d", "@/does/not/exist", "http://localhost:1/")

    assert (1, b"", 1) == (status, out, err.count("\n"))
    assert err.startswith("gofer: /does/not/exist")


def test_a_redirect_to_what_is_no_url(run: Run):
    """The arguments were good: the server is wrong, and that is status 1."""
    moved = raw.response(status="302 Found", location="http://[::1/")
    with serve(raw.always(moved)) as server:
        status, out, err = run(server.url)

    assert (1, b"", 1) == (status, out, err.count("\n"))


def test_closed_standard_streams(web: Web):
    """What cannot be read or written to is one line; what is not needed may be closed."""
    for descriptor, arguments in ((0, ("-d", "@-")), (1, ())):
        done = without(descriptor, *arguments, f"{web.url}/anything")
        assert (1, b"", 1) == (done.returncode, done.stdout, done.stderr.count(b"\n"))
        assert b"is closed" in done.stderr

    done = without(2, f"http://127.0.0.1:{refused_port()}/")
    assert (1, b"", b"") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--timeout", "0", "http://localhost/"),
        ("--timeout", "nan", "http://localhost/"),
        ("--deadline", "soon", "http://localhost/"),
        ("--json", "{", "http://localhost/"),
        ("--json", "{}", "-d", "a=1", "http://localhost/"),
        ("-H", "no colon", "http://localhost/"),
        ("-H", ": no name", "http://localhost/"),
        ("--unknown", "http://localhost/"),
        ("--head", "X: not short for --header", "http://localhost/"),
    ],
)
def test_wrong_usage_is_status_2(run: Run, arguments: tuple[str, ...]):
    """Arguments that make no sense are told by the usage, with status 2."""
    status, out, err = run(*arguments)

    assert (2, b"") == (status, out)
    assert err.startswith("usage: gofer")


def test_cut_off_content_is_an_error(run: Run):
    """What came is printed; that it is not all is said, and is status 1."""
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    with serve(raw.always(cut, close=True)) as server:
        status, out, err = run(server.url)

    assert (1, b"half", 1) == (status, out, err.count("\n"))


def test_timeout_ends_the_wait(web: Web, run: Run):
    """--timeout and --deadline end a request whose answer does not come."""
    for option in ("--timeout", "--deadline"):
        status, _, err = run(option, "0.05", f"{web.url}/gate/never")
        assert (1, 1) == (status, err.count("\n"))
    web.gates["never"].set()


def test_a_closed_pipe_is_quiet(web: Web):
    """`gofer … | head -c 1` ends without a word."""
    with subprocess.Popen(
        [sys.executable, "-m", "gofer", f"{web.url}/bytes/5000000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert 1 == len(running.stdout.read(1))
        running.stdout.close()

        assert b"" == running.stderr.read()
    assert 141 == running.returncode


def test_version(run: Run):
    """--version says which gofer this is."""
    import gofer

    assert (0, f"gofer {gofer.__version__}\n".encode(), "") == run("--version")
