"""Pictures as the vendor gets them: fetched from the address the client gave, never sent in a request."""

import io
import warnings

import aiohttp
from PIL import ExifTags, Image
from yarl import URL

from hutong.providers.dashscope.sandbox.answers import Refusal
from hutong.providers.dashscope.sandbox.ports import Box

FETCH_SECONDS = 10
MAX_BYTES = 10 * 1024 * 1024
REDIRECTS = 3
SIDEWAYS = frozenset({5, 6, 7, 8})
"""EXIF orientations that swap width and height."""


def picture_url(text: str) -> URL:
    """The address, untouched by re-quoting, which would break a signed one.

    Raises:
        Refusal: InvalidURL, when it is not an absolute http or https address.
    """
    try:
        url = URL(text, encoded=True)
        usable = url.scheme in {"http", "https"} and bool(url.host) and text.isascii() and text.isprintable()
    except ValueError:
        usable = False
    if not usable or " " in text:
        raise Refusal("InvalidURL")
    return url


async def fetch(url: URL) -> bytes:
    """The bytes behind `url`, within 10 seconds and 10 MB (reference: DashScope error codes).

    Raises:
        Refusal: InvalidURL.ConnectionRefused, InvalidURL.Timeout, BadRequest.InputDownloadFailed or InvalidFile.Size.
    """
    timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
    try:
        # The sandbox is the vendor here: our pool, breaker and address guard must not stand between it and the picture.
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,  # noqa: TID251
            session.get(url, max_redirects=REDIRECTS) as response,
        ):
            return await _read(response)
    except TimeoutError:
        raise Refusal("InvalidURL.Timeout", f"Download {url} timeout, please check network connection.") from None
    except (aiohttp.InvalidURL, aiohttp.ClientConnectorError, ConnectionRefusedError):
        raise Refusal(
            "InvalidURL.ConnectionRefused", f"Connection to {url} refused, please provide available URL."
        ) from None
    except (aiohttp.ClientError, OSError) as trouble:
        reason = type(trouble).__name__
        raise Refusal("BadRequest.InputDownloadFailed", f"Failed to download {url}: {reason}.") from None


def check_boxes(image: bytes, boxes: dict[str, Box]) -> None:
    """That every box lies in the upright picture.

    Raises:
        Refusal: InvalidFile.Openerror when it is no picture, InvalidParameter when a box reaches outside.
    """
    width, height = _size(image)
    for name, (_, _, right, bottom) in boxes.items():
        if right > width or bottom > height:
            raise Refusal("InvalidParameter", f"input.{name} is outside of the image of {width}x{height} pixels.")


async def _read(response: aiohttp.ClientResponse) -> bytes:
    if response.status != 200:
        raise Refusal("BadRequest.InputDownloadFailed", f"Failed to download {response.url}: {response.status}.")
    received = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        received += chunk
        if len(received) > MAX_BYTES:
            raise Refusal("InvalidFile.Size")
    return bytes(received)


def _size(image: bytes) -> tuple[int, int]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(image)) as opened:
                width, height = opened.size
                sideways = opened.getexif().get(ExifTags.Base.Orientation) in SIDEWAYS
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise Refusal("InvalidFile.Openerror") from None
    return (height, width) if sideways else (width, height)
