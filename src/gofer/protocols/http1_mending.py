"""Heads of HTTP/1.1 responses that a recipient may mend (RFC 9112, 2.2 and 5.2; RFC 9110, 8.6)."""

import re

__all__ = ["STATUS_LINE", "mend"]

# Text, which `re` compiles when such a head comes.
STATUS_LINE = rb"HTTP/1\.[01] [1-9][0-9]{2}(?: [^\x00-\x08\x0a-\x1f\x7f]*)?\r\n"
_FOLD = rb"[ \t]*\r\n[ \t]+"
_LONE_CR = rb"\r(?!\n)"
_LENGTH_LINES = rb"(?i)\r\ncontent-length:[ \t]*([0-9]+(?:[ \t]*,[ \t]*[0-9]+)*)[ \t]*(?=\r\n)"
_UNSAFE_FOLD = rb"(?i)\r\n(?:content-length|transfer-encoding):[^\r]*\r(?:\n[ \t]|[^\n])"


def mend(head: bytes) -> bytes:
    """`head` with those faults repaired that a recipient may repair; or `head` itself.

    Lone CR and line folding become a space (RFC 9112, 2.2 and 5.2), but never where a framing
    field is concerned; equal Content-Lengths become one (RFC 9110, 8.6); Content-Length beside
    Transfer-Encoding gives way (RFC 9112, 6.3).
    """
    end = head.find(b"\r\n\r\n")
    section, rest = (head, b"") if end < 0 else (head[: end + 2], head[end + 2 :])
    section = section.removeprefix(b"\r\n")
    first_end = section.find(b"\r\n")
    if first_end < 0 or not re.fullmatch(STATUS_LINE, section[: first_end + 2]):
        return head
    if section[first_end + 2 : first_end + 3] in (b" ", b"\t") or re.search(_UNSAFE_FOLD, section):
        return head
    section = re.sub(_LONE_CR, b" ", re.sub(_FOLD, b" ", section))
    lengths = {
        value.strip()
        for line in re.finditer(_LENGTH_LINES, section)
        for value in line[1].split(b",")
    }
    if b"\r\ntransfer-encoding:" in section.lower():
        section = re.sub(_LENGTH_LINES, b"", section)
    elif len(lengths) == 1:
        kept = iter((b"\r\nContent-Length: " + lengths.pop(),))  # where the first was
        section = re.sub(_LENGTH_LINES, lambda _: next(kept, b""), section)
    return section + rest
