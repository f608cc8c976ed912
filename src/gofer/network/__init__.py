"""From a request to a connection and back: routes, dialling, TLS, the pool, exchanges.

Which way:

    exchange.py             start here: a request takes a connection and gets its response
    router.py               which way a URL takes
    routes.py               a way to an origin: proxy, unix socket, trust, certificate
    proxies.py              what proxy URLs mean, and which proxy a URL goes through
    by_proxy.py             whose credentials a proxy is shown, and what becomes of its 407
    environment.py          proxy variables, NO_PROXY, certificate bundles, netrc

Making a connection:

    connector.py            start here: one within the limits of pool and time, or others' to share
    dial.py                 look up, connect, ask the proxy for a tunnel, do TLS
    addresses.py            where to connect to: the caller's `resolve` before the system
    names.py                addresses, remembered for a while
    dns_over_https.py       name look-ups by HTTPS
    tunnels.py              asking a proxy for a tunnel: CONNECT or SOCKS
    tls.py                  the TLS layer, which does no I/O of its own
    trust.py                whom to trust and what to show: TLS contexts
    pins.py                 certificates and keys that a server must show
    tls_sessions.py         resuming TLS sessions
    tls_info.py             `response.tls`

Keeping connections:

    pool.py                 which are idle, and which others share
    places.py               how many may be open, who waits for one, who has a place on which
    turns.py                taking turns, first come, first served: threads, greenlets, tasks
    bounds.py               what is remembered does not grow without end
    endings.py              what happens to objects that are dropped without being closed
    deadlines.py            when a phase must end, and the exception if it has not
    losses.py               why a connection broke, and the exception for it

HTTP/1.1, one exchange at a time:

    http1.py                the connection
    http1_head.py           the head of a request
    http1_upload.py         its content
    http1_content.py        the content of a response

HTTP/2 and HTTP/3, many exchanges on one connection:

    shared.py               the exchanges
    sharing.py              who reads and who sends for the others
    shared_head.py          the head of a request
    shared_upload.py        its content
    shared_content.py       the content of a response
    http2.py                what is special about HTTP/2
    coalescing.py           one HTTP/2 connection for several origins
    http3.py                what is special about HTTP/3
    quic.py                 making an HTTP/3 connection
    by_http3.py             when HTTP/3 is used, with TCP to fall back on
    alternatives.py         which origins offer HTTP/3: `session.alternatives`

Other protocols:

    duplex.py               bytes both ways once a request has opened the way
    websocket.py            messages both ways on it
    one_reader.py           who reads for the others
    heartbeat.py            when a silent peer is asked for a sign of life, and when it is dead
"""
