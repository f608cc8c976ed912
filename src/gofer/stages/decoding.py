"""The decoding stage: a response learns how its content is decoded (RFC 9110, 8.4).

Nothing is decoded here. Content is decoded when somebody reads it, in bounded steps; what is
thrown away is never inflated.
"""

from functools import partial
from typing import Any

from gofer.codings import decoder_for, parse_codings
from gofer.exceptions import ContentDecodingError
from gofer.stages import Send

__all__ = ["decode_by", "decoding"]


async def decoding(request: Any, send: Send) -> Any:
    """Prepare the response's content to be decoded by its Content-Encoding."""
    response = await send(request)
    if response.fields.has(b"content-encoding"):
        decode_by(response, request.settings)
    return response


def decode_by(response: Any, settings: Any) -> None:
    """Set up decoding on `response`; a coding nobody here knows leaves the content as it came.

    Raises:
        ContentDecodingError: more layers than `max_coding_layers`.
    """
    values = response.fields.get_all("content-encoding")
    try:
        codings = parse_codings(values, max_layers=settings.max_coding_layers)
    except ContentDecodingError as error:
        error.request, error.response = response.request, response
        response.close()
        raise
    if codings:
        response._new_decoder = partial(decoder_for, codings)
        response._max_decoded_ratio = settings.max_decoded_ratio
