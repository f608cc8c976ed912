"""Programs and SDKs that use Requests inside, against a server that stands for their service."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from servers.web import Web


class Service:
    """Answers by method and path, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], Any] = {}
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = self.path.partition("?")[0]
                fields = {name.lower(): value for name, value in self.headers.items()}
                service.asked.append((self.command, self.path, fields, content))
                known = service.answers.get((self.command, path))
                status, answer = (404, {"message": "unknown"}) if known is None else (200, known)
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_LIST = handle_any  # noqa: N815

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    thread = Thread(target=service.server.serve_forever)
    thread.start()
    yield service
    service.server.shutdown()
    thread.join()
    service.server.server_close()


def test_pygithub(service: Service) -> None:
    """PyGithub: a repository is read and an issue is written, with a token."""
    import github

    repo = {"full_name": "ann/tea", "name": "tea", "url": service.url + "/repos/ann/tea"}
    issue = {"number": 7, "title": "Too hot", "url": service.url + "/repos/ann/tea/issues/7"}
    service.answers["GET", "/repos/ann/tea"] = repo
    service.answers["POST", "/repos/ann/tea/issues"] = issue

    hub = github.Github(auth=github.Auth.Token("secret"), base_url=service.url, retry=None)
    created = hub.get_repo("ann/tea").create_issue("Too hot", body="Ouch")
    hub.close()

    assert (7, "Too hot") == (created.number, created.title)
    assert "token secret" == service.asked[0][2]["authorization"]
    assert {"title": "Too hot", "body": "Ouch"} == json.loads(service.asked[1][3])


def test_python_gitlab(service: Service) -> None:
    """python-gitlab: a project and its pages of issues."""
    import gitlab

    service.answers["GET", "/api/v4/projects/1"] = {"id": 1, "name": "tea"}
    service.answers["GET", "/api/v4/projects/1/issues"] = [{"iid": 1, "title": "a"}]

    with gitlab.Gitlab(service.url, private_token="secret") as client:
        project = client.projects.get(1)
        titles = [issue.title for issue in project.issues.list(iterator=True)]
        with pytest.raises(gitlab.exceptions.GitlabGetError):
            client.projects.get(2)

    assert ("tea", ["a"]) == (project.name, titles)
    assert "secret" == service.asked[0][2]["private-token"]


def test_docker(service: Service) -> None:
    """docker: the SDK of the engine, which mounts adapters and subclasses the session."""
    import docker

    service.answers["GET", "/v1.44/containers/json"] = [{"Id": "abc", "Names": ["/tea"]}]
    service.answers["GET", "/v1.44/version"] = {"ApiVersion": "1.44", "Version": "25"}

    client = docker.APIClient(base_url=service.url.replace("http", "tcp"), version="1.44")
    assert [["/tea"]] == [one["Names"] for one in client.containers()]
    assert "25" == client.version()["Version"]
    with pytest.raises(docker.errors.NotFound):
        client.inspect_container("nothing")
    client.close()


def test_hvac(service: Service) -> None:
    """hvac: a secret is read and written, with the token of Vault."""
    import hvac

    path = "/v1/secret/data/tea"
    service.answers["GET", path] = {"data": {"data": {"kind": "mint"}, "metadata": {}}}
    service.answers["POST", path] = {"data": {"version": 2}}

    client = hvac.Client(url=service.url, token="root")
    store = client.secrets.kv.v2
    read = store.read_secret_version("tea", raise_on_deleted_version=True)
    assert {"kind": "mint"} == read["data"]["data"]
    assert 2 == store.create_or_update_secret("tea", {"kind": "black"})["data"]["version"]
    client.adapter.close()

    assert "root" == service.asked[0][2]["x-vault-token"]


def test_jira(service: Service) -> None:
    """jira: an issue, with Basic credentials and the session's retries."""
    import jira

    service.answers["GET", "/rest/api/2/issue/TEA-1"] = {
        "id": "1", "key": "TEA-1", "self": service.url, "fields": {"summary": "Too hot"},
    }  # fmt: skip
    client = jira.JIRA(
        service.url, basic_auth=("ann", "secret"), get_server_info=False, max_retries=0
    )
    assert "Too hot" == client.issue("TEA-1").fields.summary
    client.close()

    assert service.asked[0][2]["authorization"].startswith("Basic ")


def test_httpie(web: Web) -> None:
    """HTTPie: the whole program, in a process of its own, on gofer."""

    def http(*arguments: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "gofer.as_requests", "-m", "httpie", "--ignore-stdin",
             "--body", *arguments],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        return json.loads(done.stdout)

    answer = http("POST", web.url + "/post", "a=1", "b:=2", "X-Field: yes")
    assert {"a": "1", "b": 2} == answer["json"]
    assert "yes" == answer["headers"]["X-Field"]
    assert {"q": "mint tea"} == http(web.url + "/get", "q==mint tea")["args"]
    assert http("--follow", "-a", "user:pass", web.url + "/basic-auth/user/pass")
