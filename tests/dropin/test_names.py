"""Every name that programs import from Requests' modules is there while gofer stands in for it."""

import re
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

from gofer.utils import HEADER_VALIDATORS

# The public names of Requests 2.34, with those that its modules import for themselves and programs
# take from there. Left out: what is for type checkers; versions of packages it depends on; what
# `help` and `packages` need for a moment.
NAMES = {
    "requests": """
        ConnectTimeout ConnectionError DependencyWarning FileModeWarning HTTPError JSONDecodeError
        NullHandler PreparedRequest ReadTimeout Request RequestException RequestsDependencyWarning
        Response Session Timeout TooManyRedirects URLRequired adapters api auth certs
        check_compatibility codes compat cookies delete exceptions get head hooks logging models
        options packages patch post put request session sessions ssl status_codes structures urllib3
        utils warnings
    """,
    "requests.adapters": """
        BaseAdapter CaseInsensitiveDict ClosedPoolError ConnectTimeout ConnectTimeoutError
        ConnectionError DEFAULT_CA_BUNDLE_PATH DEFAULT_POOLBLOCK DEFAULT_POOLSIZE
        DEFAULT_POOL_TIMEOUT DEFAULT_RETRIES HTTPAdapter InvalidHeader InvalidProxyURL InvalidSchema
        InvalidURL LocationValueError MaxRetryError NewConnectionError PoolManager ProtocolError
        ProxyError ReadTimeout ReadTimeoutError Response ResponseError Retry RetryError SSLError
        TimeoutSauce basestring extract_cookies_to_jar get_auth_from_url get_encoding_from_headers
        os prepend_scheme_if_needed select_proxy socket urldefragauth urlparse warnings
    """,
    "requests.api": """
        Response delete get head options patch post put request sessions
    """,
    "requests.auth": """
        AuthBase CONTENT_TYPE_FORM_URLENCODED CONTENT_TYPE_MULTI_PART HTTPBasicAuth HTTPDigestAuth
        HTTPProxyAuth _basic_auth_str b64encode basestring extract_cookies_to_jar hashlib os
        parse_dict_header re str threading time to_native_string urlparse warnings
    """,
    "requests.certs": """
        where
    """,
    "requests.compat": """
        JSONDecodeError Morsel OrderedDict StringIO basestring builtin_str bytes chardet cookielib
        getproxies getproxies_environment has_simplejson importlib integer_types is_py2 is_py3
        is_urllib3_1 json numeric_types parse_http_list proxy_bypass proxy_bypass_environment quote
        quote_plus str sys unquote unquote_plus urldefrag urlencode urljoin urlparse urlsplit
        urlunparse
    """,
    "requests.cookies": """
        Cookie CookieConflictError CookieJar CookiePolicy MockRequest MockResponse Morsel
        RequestsCookieJar calendar cookiejar_from_dict cookielib copy create_cookie
        extract_cookies_to_jar get_cookie_header merge_cookies morsel_to_cookie
        remove_cookie_by_name threading time to_native_string urlparse urlunparse
    """,
    "requests.exceptions": """
        BaseHTTPError ChunkedEncodingError CompatJSONDecodeError ConnectTimeout ConnectionError
        ContentDecodingError FileModeWarning HTTPError InvalidHeader InvalidJSONError
        InvalidProxyURL InvalidSchema InvalidURL JSONDecodeError MissingSchema ProxyError
        ReadTimeout RequestException RequestsDependencyWarning RequestsWarning RetryError SSLError
        StreamConsumedError Timeout TooManyRedirects URLRequired UnrewindableBodyError
    """,
    "requests.help": """
        info json main platform ssl sys
    """,
    "requests.hooks": """
        HOOKS default_hooks dispatch_hook
    """,
    "requests.models": """
        CONTENT_CHUNK_SIZE CaseInsensitiveDict ChunkedEncodingError ConnectionError
        ContentDecodingError DEFAULT_REDIRECT_LIMIT DecodeError HTTPBasicAuth HTTPError
        ITER_CHUNK_SIZE InvalidJSONError InvalidURL JSONDecodeError LocationParseError MissingSchema
        PreparedRequest ProtocolError REDIRECT_STATI ReadTimeoutError Request RequestEncodingMixin
        RequestHooksMixin RequestsJSONDecodeError RequestsSSLError Response SSLError
        StreamConsumedError UnsupportedOperation basestring builtin_str chardet
        check_header_validity codes complexjson cookiejar_from_dict cookielib datetime default_hooks
        encodings get_auth_from_url get_cookie_header guess_filename guess_json_utf iter_slices
        parse_header_links requote_uri stream_decode_response_unicode super_len to_key_val_list
        to_native_string unicode_is_ascii urlencode urlsplit urlunparse
    """,
    "requests.packages": """
        idna urllib3
    """,
    "requests.sessions": """
        CaseInsensitiveDict ChunkedEncodingError ContentDecodingError DEFAULT_PORTS
        DEFAULT_REDIRECT_LIMIT HTTPAdapter InvalidSchema OrderedDict PreparedRequest REDIRECT_STATI
        Request RequestsCookieJar Response Session SessionRedirectMixin TooManyRedirects codes
        cookiejar_from_dict cookielib default_headers default_hooks dispatch_hook
        extract_cookies_to_jar get_auth_from_url get_environ_proxies get_netrc_auth merge_cookies
        merge_hooks merge_setting os preferred_clock requote_uri resolve_proxies rewind_body session
        should_bypass_proxies sys time timedelta to_key_val_list to_native_string urljoin urlparse
    """,
    "requests.status_codes": """
        LookupDict _codes codes
    """,
    "requests.structures": """
        CaseInsensitiveDict LookupDict OrderedDict
    """,
    "requests.utils": """
        CaseInsensitiveDict DEFAULT_ACCEPT_ENCODING DEFAULT_CA_BUNDLE_PATH DEFAULT_PORTS
        FileModeWarning HEADER_VALIDATORS InvalidHeader InvalidURL NETRC_FILES OrderedDict
        UNRESERVED_SET UnrewindableBodyError add_dict_to_cookiejar address_in_network atomic_open
        bytes certs check_header_validity codecs contextlib cookiejar_from_dict default_headers
        default_user_agent dict_from_cookiejar dict_to_sequence dotted_netmask extract_zipped_paths
        from_key_val_list get_auth_from_url get_encoding_from_headers get_encodings_from_content
        get_environ_proxies get_netrc_auth get_unicode_from_response getproxies
        getproxies_environment guess_filename guess_json_utf integer_types io is_ipv4_address
        is_urllib3_1 is_valid_cidr iter_slices os parse_dict_header parse_header_links
        parse_list_header prepend_scheme_if_needed proxy_bypass proxy_bypass_environment quote re
        requote_uri resolve_proxies rewind_body select_proxy set_environ should_bypass_proxies
        socket str stream_decode_response_unicode struct super_len sys tempfile to_key_val_list
        to_native_string unquote unquote_header_value unquote_unreserved urldefragauth urlparse
        urlunparse warnings zipfile
    """,
    "requests._internal_utils": """
        HEADER_VALIDATORS builtin_str re to_native_string unicode_is_ascii
    """,
}

# Those that are urllib3's alone
OF_URLLIB3 = {
    "requests.adapters": "parse_url proxy_from_url",
    "requests.models": "RequestField encode_multipart_formdata parse_url",
    "requests.utils": "make_headers parse_url",
}


def run(program: str) -> str:
    """What `program` prints, in a process of its own, with gofer in the place of Requests."""
    done = subprocess.run(
        [
            sys.executable, "-W", "error", "-c",
            f"import gofer\ngofer.install_as_requests()\n{program}",
        ],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "" == done.stderr
    return done.stdout


def missing(names: dict[str, str]) -> list[str]:
    """Those of `names` that are not there."""
    return run(f"""
import importlib
for module, names in {names!r}.items():
    found = importlib.import_module(module)
    print(*[f"{{module}}.{{name}}" for name in names.split() if not hasattr(found, name)])
""").split()


def test_every_name() -> None:
    """In the module where Requests has it."""
    assert [] == missing(NAMES)


def test_names_of_urllib3() -> None:
    """They are there if urllib3 is."""
    wanted = [f"{module}.{name}" for module, names in OF_URLLIB3.items() for name in names.split()]

    assert (wanted if find_spec("urllib3") is None else []) == missing(OF_URLLIB3)


def test_names_mean_what_they_do_in_requests() -> None:
    """The very same things, by whichever of their names."""
    run("""
import io, json, requests, time
assert requests.RequestsDependencyWarning is gofer.exceptions.RequestsDependencyWarning
assert requests.urllib3 is requests.packages.urllib3
assert requests.sessions.HTTPAdapter is requests.adapters.HTTPAdapter
assert requests.models.complexjson is requests.compat.json is json
assert requests.models.HTTPError is requests.exceptions.HTTPError is requests.HTTPError
assert requests.models.UnsupportedOperation is io.UnsupportedOperation
assert requests.sessions.preferred_clock is time.perf_counter
assert requests.auth.to_native_string is requests.utils.to_native_string
assert not hasattr(requests.auth, "nothing")
""")


def test_a_class_in_the_place_of_session() -> None:
    """`requests.get` looks for `requests.sessions.Session` when it is called."""
    run("""
import requests
from unittest import mock
assert requests.get  # is there before
with mock.patch("requests.sessions.Session") as replaced:
    requests.get("http://example.com/")
replaced.assert_called_once_with()
""")


def test_header_validators() -> None:
    """A pattern for names and one for values, of text and of bytes, as `match` takes them."""
    for kind in (str, bytes):
        name, value = HEADER_VALIDATORS[kind]

        def fits(pattern: re.Pattern[Any], text: str, kind: type = kind) -> bool:
            return pattern.match(text if kind is str else text.encode("latin-1")) is not None

        assert [True, False, False, False] == [
            fits(name, text) for text in ("X-A", "", "a:b", "a\n")
        ]
        assert [True, True, True, False, False] == [
            fits(value, text) for text in ("", "a b", "caf\xe9", " a", "a\r\nb")
        ]
