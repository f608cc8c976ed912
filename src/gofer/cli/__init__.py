"""The `gofer` command: fetch a URL and print it.

Content goes to standard output unchanged as it arrives, everything else to standard error. An
error is one line, never a traceback. Exit status: 0 for a status code below 400, 4 for 4xx, 5 for
5xx, 1 if there was no complete response, 2 for invalid arguments.
"""

import argparse
import contextlib
import json
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any, BinaryIO

import gofer
from gofer.exceptions import InsecureRequestWarning, RequestException

__all__ = ["main"]

FAILED = 1
USELESS = 2  # arguments, as argparse has it
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
PIPE_CLOSED = 141  # 128 + SIGPIPE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit status.

    Raises:
        SystemExit: the arguments are of no use (2), or `--help` or `--version` was asked for (0).
    """
    options = _parser().parse_args(arguments)
    try:
        return _fetch(options)
    except KeyboardInterrupt:
        return INTERRUPTED
    except _OutputClosed:
        _forget_output()
        return PIPE_CLOSED
    except (OSError, ValueError) as error:  # gofer's own errors are OSErrors too
        _complain(error)
        return USELESS if _is_refused(error) else FAILED


# Arguments ----------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gofer",
        allow_abbrev=False,  # `--head` would be `--header`
        description="Fetch a URL and print it.",
        epilog="Exit status: 0 for a status code below 400, 4 for 4xx, 5 for 5xx, 1 if there was"
        " no complete response, 2 for invalid arguments.",
    )
    add = parser.add_argument
    add("url", metavar="URL", help="such as https://example.com/")
    add("-X", "--request", metavar="METHOD", dest="method",
        help="by default GET, or POST if there is content")  # fmt: skip
    add("-H", "--header", metavar="FIELD", dest="fields", action="append", default=[],
        type=_field, help="'Name: value'; 'Name:' removes a field; may be repeated")  # fmt: skip
    content = parser.add_mutually_exclusive_group()
    content.add_argument(
        "-d", "--data", action="append", metavar="DATA",
        help="content to send; @FILE sends a file, @- standard input; several are joined by &",
    )  # fmt: skip
    content.add_argument("--json", metavar="TEXT", type=_json, help="JSON to send")
    add("-i", "--include", action="store_true", help="also print the head of the response")
    add("-o", "--output", metavar="FILE", help="write the content to FILE")
    add("-k", "--insecure", action="store_true", help="do not check certificates")
    add("-x", "--proxy", metavar="URL", action="append",
        help="go through that proxy; may be repeated: a chain, the nearest first")  # fmt: skip
    add("--timeout", metavar="SECONDS", type=_seconds,
        help="limit for connecting, for the head, and for each silence")  # fmt: skip
    add("--deadline", metavar="SECONDS", type=_seconds, help="limit for the whole call")
    add("--no-redirects", action="store_true", help="do not follow redirects")
    add("-v", "--verbose", action="store_true", help="a line on standard error for each request")
    add("--version", action="version", version=f"gofer {gofer.__version__}")
    return parser


def _field(text: str) -> tuple[str, str | None]:
    name, colon, value = text.partition(":")
    if not colon or not name:
        raise argparse.ArgumentTypeError(f"{name!r:.40} is no field, expected 'Name: value'")
    return name, value.strip(" \t") or None


def _json(text: str) -> bytes:
    try:
        json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error
    return text.encode("utf-8", "surrogateescape")  # as it was written


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"{text!r:.40} is no number of seconds above 0")
    return seconds


# Asking -------------------------------------------------------------------------------------------


def _fetch(options: argparse.Namespace) -> int:
    """Send the request and print the answer."""
    with contextlib.ExitStack() as opened, gofer.Session() as session:
        data, media_type = _content(options, opened)
        if options.insecure:  # they know
            opened.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore", InsecureRequestWarning)
        fields = _header_fields(options.fields)
        if media_type and not any(name.lower() == "content-type" for name in fields):
            fields["Content-Type"] = media_type
        response = session.request(
            options.method or ("GET" if data is None else "POST"),
            options.url,
            headers=fields,
            data=data,
            timeout=options.timeout,
            deadline=options.deadline,
            allow_redirects=not options.no_redirects,
            verify=False if options.insecure else None,
            proxy=options.proxy,
            config={"verbose": sys.stderr} if options.verbose else None,
        )
        with response:
            _print(response, options)
    return _exit_status(response.status_code)


def _header_fields(given: list[tuple[str, str | None]]) -> dict[str, str | None]:
    """Fields by name; values of a name that comes twice are a list (RFC 9110, 5.3)."""
    fields: dict[str, str | None] = {}
    for name, value in given:
        before = fields.get(name)
        fields[name] = f"{before}, {value}" if before and value else value
    return fields


def _content(options: argparse.Namespace, opened: contextlib.ExitStack) -> tuple[Any, str | None]:
    """What is to be sent, and the media type it has unless a field says otherwise.

    Args:
        opened: closes the file, if it is one.
    """
    if options.json is not None:
        return options.json, "application/json"
    if options.data is None:
        return None, None
    parts: list[str] = options.data
    if len(parts) == 1 and parts[0].startswith("@"):
        return _opened(parts[0][1:], opened), "application/octet-stream"
    form = b"&".join([_part_of_form(part, opened) for part in parts])
    return form, "application/x-www-form-urlencoded"


def _part_of_form(part: str, opened: contextlib.ExitStack) -> bytes:
    """`part`, or what is in the file it names without its line breaks, as curl has it."""
    if part.startswith("@"):
        return _opened(part[1:], opened).read().translate(None, b"\r\n")
    return part.encode("utf-8", "surrogateescape")


def _opened(name: str, opened: contextlib.ExitStack) -> BinaryIO:
    """The file called `name`, or standard input."""
    if name != "-":
        return opened.enter_context(open(name, "rb"))
    if sys.stdin is None:
        raise OSError("standard input is closed")
    return sys.stdin.buffer


def _exit_status(status_code: int) -> int:
    return status_code // 100 if status_code >= 400 else 0


# Printing -----------------------------------------------------------------------------------------


class _OutputClosed(Exception):
    """Who reads our standard output has had enough."""


def _print(response: Any, options: argparse.Namespace) -> None:
    """The head if it was asked for, then the content as it comes."""
    if options.include:
        _write(response.fields.block + b"\r\n")
    if options.output and options.output != "-":
        with open(options.output, "wb") as file:
            for piece in response.iter_content(None):
                file.write(piece)
        return
    for piece in response.iter_content(None):
        _write(piece)


def _write(data: bytes) -> None:
    """Write to standard output."""
    if sys.stdout is None:
        raise OSError("standard output is closed")
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()  # a stream of events is to be seen when it happens
    except BrokenPipeError:
        raise _OutputClosed from None


def _forget_output() -> None:
    """Keep the interpreter from complaining, at its end, that it cannot flush."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _is_refused(error: Exception) -> bool:
    """True if it is about the arguments: nothing was sent."""
    if not isinstance(error, RequestException):
        return isinstance(error, ValueError)
    return isinstance(error, ValueError) and not getattr(error.request, "sent", False)


def _complain(error: Exception) -> None:
    """One line that says what went wrong."""
    if sys.stderr is None:
        return
    text = str(error) or type(error).__name__
    if not isinstance(error, RequestException) and isinstance(error, OSError) and error.filename:
        text = f"{error.filename}: {error.strerror}"
    print("gofer:", " ".join(text.split()), file=sys.stderr)
