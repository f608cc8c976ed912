"""Requests' API: its module names, and `import requests` answered by gofer.

`gofer/__init__.py` binds the modules: `gofer.auth` is `dropin/auth.py`, and so on. Most of them
only name what lives elsewhere.

    models.py               `Request`, `PreparedRequest` and `Response` as Requests has them
    adapters.py             `HTTPAdapter`, and what `Session.mount` takes
    connection_pools.py     `PoolManager` and its like: what adapters ask of connections
    urllib3_pools.py        adapters that bring urllib3's own pools and responses
    replaced.py             whether somebody replaced a step of a session
    steps.py                its steps one by one, if so
    deciding.py             which proxies those steps hand on
    auth.py                 names of `stages/auth/`
    cookies.py              the jar that is a dict
    foreign_jar.py          any other `http.cookiejar.CookieJar` as a session's jar
    utils.py                functions that users import, those of 2012 included
    structures.py           `CaseInsensitiveDict`, `LookupDict`
    hooks.py                the events
    status_codes.py         `codes`
    certs.py                where the certificates are
    compat.py               names of the standard library
    packages.py             `requests.packages.urllib3` and its like
    urllib3_face/           what stands there if urllib3 is not installed
    help.py                 `python -m gofer.help`
    defaults.py             the package defaults of 2012
    async.py                `gofer.async`, which no import statement can name

In place of Requests:

    install.py              `install_as_requests()`
    as_requests.py          `python -m gofer.as_requests program.py`
    requests_face.py        the module that `import requests` gives
    requests_version.py     its `__version__`
    aliases.py              one module by two names, never two copies
    giving_way.py           names of a session that subclasses may have for themselves
    incidental.py           names that programs take from Requests' modules by accident
"""
