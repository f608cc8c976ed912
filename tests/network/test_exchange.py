"""From a request to a response over the pool: what happens when a connection is made."""

import warnings

import pytest

import gofer
from gofer.exceptions import InsecureRequestWarning
from servers.certificates import Certificates
from servers.proxy import Proxy
from servers.raw import refused_port
from servers.web import Web


def test_an_unverified_connection_is_warned_about(web_tls: Web, session: gofer.Session) -> None:
    """A request to https with verify=False warns, at the line of the caller, and goes on."""
    with pytest.warns(InsecureRequestWarning, match=f"127.0.0.1:{web_tls.port}") as caught:
        answer = session.get(web_tls.url + "/get", verify=False)

    assert 200 == answer.status_code
    assert [__file__] == [warning.filename for warning in caught]
    assert "verify" in str(caught[0].message)


def test_an_unverified_origin_is_warned_about_once_a_session(web_tls: Web) -> None:
    """Not for each request, not for each connection."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            with gofer.Session(verify=False, config={"keep_alive": False}) as session:
                for _ in range(3):
                    session.get(web_tls.url + "/get")

    assert [InsecureRequestWarning] * 2 == [warning.category for warning in caught]


@pytest.mark.filterwarnings("error")
def test_verified_and_plain_connections_are_not_warned_about(
    web: Web, web_tls: Web, certificates: Certificates, session: gofer.Session
) -> None:
    """`verify=False` means nothing where there is no TLS; a context is its owner's business."""
    session.get(web.url + "/get", verify=False)
    session.get(web_tls.url + "/get", verify=certificates.ca_file)
    session.get(web_tls.url + "/get", verify=certificates.client())


def test_an_unverified_origin_behind_a_proxy_is_warned_about(web_tls: Web, proxy: Proxy) -> None:
    """The tunnel of a proxy makes no difference."""
    with gofer.Session(proxies={"https": proxy.url}) as session:
        with pytest.warns(InsecureRequestWarning):
            assert 200 == session.get(web_tls.url + "/get", verify=False).status_code


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_unverified_proxy_is_warned_about(
    scheme: str, web: Web, web_tls: Web, certificates: Certificates
) -> None:
    """It is shown credentials, and all of an http URL: by its own name, beside the origin's."""
    origin = web_tls if scheme == "https" else web
    with (
        Proxy(tls=certificates.wrong_host) as proxy,
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        url = f"https://ann:secret@127.0.0.1:{proxy.port}"
        with gofer.Session(proxies={"all": url}, verify=False) as session:
            for _ in range(2):
                assert 200 == session.get(origin.url + "/get").status_code

    texts = [str(warning.message) for warning in caught]
    assert 1 + (scheme == "https") == len(texts)
    assert f"connecting to https://127.0.0.1:{proxy.port} without" in texts[0]
    assert "secret" not in texts[0]


@pytest.mark.filterwarnings("error")
def test_a_warning_that_is_an_error_takes_no_place(session: gofer.Session) -> None:
    """With -W error nothing is connected to, and the pool counts nothing as open."""
    with pytest.raises(InsecureRequestWarning):
        session.get(f"https://127.0.0.1:{refused_port()}/", verify=False)

    assert (0, 0, 0) == session.network.pool.counts
