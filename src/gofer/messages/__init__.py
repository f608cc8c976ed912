"""What HTTP talks about (RFC 9110): URLs, fields, content, cookies, requests, responses.

Nothing here waits, reads a clock or opens a socket.

    url.py                  target URIs
    hosts.py                their hosts
    quoting.py              percent-encoding
    foreign_url.py          URIs of other schemes, for adapters

    request.py              `PreparedRequest`
    fields.py               field sections, and `headers`
    content.py              what `data`, `files` and `json` become
    multipart.py            forms with files

    response.py             `Response`
    response_head.py        its status and fields
    response_content.py     its content, and every way to read it
    reading.py              content on its way to the caller, decoded
    pieces.py               steps that cut, join and decode it
    raw.py                  `response.raw`
    original.py             what libraries look for below `response.raw`
    status_codes.py         `codes`
    text.py                 text from bytes, and lines
    media.py                media types, charsets, the Link field
    events.py               server-sent events

    cookies.py              the cookie store
    set_cookie.py           the Set-Cookie field and its rules
    challenges.py           the fields of 401 and 407
    digest.py               Digest's arithmetic
    alt_svc.py              the Alt-Svc field
"""
