"""A pytest plugin that runs Requests' own test-suite with gofer in the place of Requests.

`make requests-suite` fetches the suite and runs it with `-p requests_suite`; nothing of it is in
this project. The tests below are refused on purpose, each for the reason given: they must fail, so
that a reason cannot outlive its cause.
"""

import os

import pytest

import gofer

for _name in (
    "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "NETRC",
):  # fmt: skip
    os.environ.pop(_name, None)

gofer.install_as_requests()

URLLIB3 = "looks at objects of urllib3's, which gofer does not stand on"

REFUSED = {
    # urllib3
    "test_different_connection_pool_for_tls_settings_verify_True": URLLIB3,
    "test_different_connection_pool_for_tls_settings_verify_bundle_expired_cert": URLLIB3,
    "test_different_connection_pool_for_tls_settings_verify_bundle_unexpired_cert": URLLIB3,
    "test_stream_timeout": f"{URLLIB3}: an exception inside the exception",
    # Differences that gofer means, see docs/explanation/differences-from-requests.md
    "test_DIGESTAUTH_QUOTES_QOP_VALUE": "qop is not quoted (RFC 7616, 3.4)",
    "test_digestauth_401_count_reset_on_redirect": (
        "on the same origin the nonce is used again, without being challenged (RFC 7616, 3.6)"
    ),
    "test_cookie_quote_wrapped": "a cookie's value is kept as it came (RFC 6265bis, 5.6)",
    "test_empty_stream_with_auth_does_not_set_content_length_header": (
        "an empty file is sent with Content-Length: 0, which every server takes"
    ),
    "test_preparing_url[http://[1200:0000:ab00:1234:0000:2552:7777:1313]:12345/": (
        "an IPv6 address has one spelling (RFC 5952)"
    ),
    "test_should_bypass_proxies_no_proxy_domain_boundary[http://d.o.t/": (
        ".d.o.t in NO_PROXY is for the names below d.o.t"
    ),
}

# These connect to an address that must never answer; on some machines something does.
OUTSIDE = ("test_connect_timeout[", "test_total_timeout_connect[")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for name, reason in REFUSED.items():
            if item.name.startswith(name):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
        if item.name.startswith(OUTSIDE):
            item.add_marker(pytest.mark.xfail(reason="an address outside answers", strict=False))
