"""Reading multipart/form-data, strictly (RFC 2046, 5.1.1; RFC 7578).

A preamble, a missing CRLF or a part without a name is an error: gofer has no business to send it.
"""

import re
from dataclasses import dataclass

BOUNDARY = re.compile(r"""boundary=(?:"([^"]{1,70})"|([0-9A-Za-z'()+_,./:=?-]{1,70}))\s*$""")
PARAMETER = re.compile(r';\s*(name|filename)="((?:[^"\\\r\n]|\\.)*)"')


@dataclass(slots=True)
class Part:
    name: str
    filename: str | None
    fields: dict[str, str]
    content: bytes


def parse_multipart(content_type: str, content: bytes) -> list[Part]:
    """The parts of a form.

    Raises:
        AssertionError: if anything is not as the RFC says.
    """
    boundary = BOUNDARY.search(content_type)
    assert boundary, "multipart/form-data without a usable boundary"
    delimiter = b"\r\n--" + (boundary[1] or boundary[2]).encode("ascii")
    preamble, *parts, epilogue = (b"\r\n" + content).split(delimiter)
    assert b"" == preamble
    assert b"--\r\n" == epilogue or b"--" == epilogue
    return [_parse_part(part) for part in parts]


def _parse_part(part: bytes) -> Part:
    assert part.startswith(b"\r\n"), "a delimiter line goes on after the boundary"
    head, blank, content = part[2:].partition(b"\r\n\r\n")
    assert blank, "a part without a blank line"
    fields: dict[str, str] = {}
    for line in head.decode("utf-8").split("\r\n"):
        name, colon, value = line.partition(":")
        assert colon, "a field line without a colon"
        assert name.lower() not in fields, "a field of a part comes twice"
        fields[name.lower()] = value.strip()
    disposition = fields.get("content-disposition", "")
    assert disposition.startswith("form-data"), "a part that is no form-data"
    parameters = dict(PARAMETER.findall(disposition))
    assert "name" in parameters, "a part without a name"
    return Part(parameters["name"], parameters.get("filename"), fields, content)
