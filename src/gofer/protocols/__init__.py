"""How messages look on the wire: bytes to events, events to bytes. No socket, no clock.

    http1_request.py        HTTP/1.1: a request's head and chunks, and what must not be sent
    http1.py                HTTP/1.1: reading a response
    http1_whole.py          the same, faster, for an ordinary response that arrived in one piece
    http1_mending.py        malformed responses that the RFCs let a client repair
    streams.py              what HTTP/2 and HTTP/3 have in common: many streams
    http2.py                HTTP/2, by ngh2
    http2_by_h2.py          the same by h2, where only that is installed
    http3.py                HTTP/3, by qh3
    http3_fields.py         its field sections, checked
    quic.py                 QUIC, by qh3
    websocket.py            WebSocket, by the core of websockets
    proxy.py                CONNECT and its answer
    socks.py                SOCKS 4, 4a and 5
    dns.py                  DNS messages, by dnspython

Optional libraries are imported in the one file that needs them.
"""
