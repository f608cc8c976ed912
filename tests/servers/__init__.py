"""The servers that the tests talk to, all on loopback and all inside the test's own process.

    listener      accepts connections, gives each a thread, counts them, stops for certain
    raw           scripted servers: a small function of a connection decides every byte
    raw_websocket scripted WebSocket servers: openings, frames, and what goes on then
    web           a strict HTTP/1.1 server on h11, with routes like httpbin's
    routes        what the web server answers
    digest        the server's side of Digest authentication (RFC 7616)
    proxy         a forward proxy: absolute-form and CONNECT, with a log
    certificates  a certificate authority and good and bad certificates

Nothing here imports gofer: these are independent witnesses of what it sends.
"""
