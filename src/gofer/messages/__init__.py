"""What HTTP talks about (RFC 9110): URLs, fields, content, cookies, requests, responses.

Nothing here waits, reads a clock or opens a socket.
"""
