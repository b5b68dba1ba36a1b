"""The check that every user's picture passes: what it is, how large it is, then a clean copy of its pixels and no more.

Type and size are read from the file itself before anything is decoded. The copy is a fresh JPEG: no EXIF, GPS, XMP, ICC
profile, comment, thumbnail or bytes behind the end come along, so a file that is also something else stops being it.
Sources: contracts/emoji.md (400 to 7000 pixels a side, 10 MiB); reference/reliability.md attacks F1 and F2.

Pillow's classes are called directly, not through `Image.open`: that leaves out its process-wide pixel limit with its
warning (the rules here are stricter) and every format but the four. Nothing global in Pillow is changed.
"""

import asyncio
import hashlib
import struct
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from io import BytesIO
from types import MappingProxyType

from PIL import Image, ImageCms, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from hutong.kernel.files.errors import ImageDimensions, ImageTooLarge, NotAnImage
from hutong.kernel.files.headers import exif_orientation, png_animated, sniff, webp_size

JPEG = "image/jpeg"
# A progressive JPEG may repeat the whole picture in each of its scans; cameras write about ten.
MAX_SCANS = 100
MAX_PROFILE = 4 * 1024 * 1024
# Above this, pictures are decoded one at a time (see ImageIntake).
LARGE_PIXELS = 12_000_000
# What Pillow's decoders and lcms were seen to raise on broken files.
_BROKEN = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    struct.error,
    SyntaxError,
    TypeError,
    ValueError,
)
_TURNS: Mapping[int, Image.Transpose] = MappingProxyType(
    {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
)


class _Jpeg(JpegImageFile):
    def _read_dpi_from_exif(self) -> None:
        """Nothing: the resolution is of no use here, and a broken EXIF block would make Pillow warn."""


_READERS: Mapping[str, tuple[str, Callable[[BytesIO], ImageFile.ImageFile]]] = MappingProxyType(
    {
        "image/jpeg": ("JPEG", _Jpeg),
        "image/png": ("PNG", PngImageFile),
        "image/bmp": ("BMP", BmpImageFile),
        "image/webp": ("WEBP", WebPImageFile),
    }
)


@dataclass(frozen=True, slots=True)
class ImageRules:
    """What is accepted, and what is kept.

    Args:
        max_bytes: of the file.
        min_side, max_side: pixels, both sides.
        max_pixels: width times height; a file that states more is refused as a bomb.
        stored_max_side: longer copies are shrunk to this, but never a side below `min_side`.
        formats: of JPEG, PNG, BMP, WEBP.
        quality: of the copy's JPEG, 1 to 95.
    """

    max_bytes: int = 10 * 1024 * 1024
    min_side: int = 400
    max_side: int = 7000
    max_pixels: int = 49_000_000
    stored_max_side: int = 2048
    formats: tuple[str, ...] = ("JPEG", "PNG", "BMP", "WEBP")
    quality: int = 92


@dataclass(frozen=True, slots=True)
class CheckedImage:
    """A clean picture: upright, sRGB, opaque, JPEG; `sha256` (hex) is that of `data`."""

    data: bytes
    width: int
    height: int
    sha256: str
    content_type: str = JPEG


def check_image(data: bytes, rules: ImageRules) -> CheckedImage:
    """Check and copy one picture. Takes up to seconds of CPU: `ImageIntake` runs it off the loop.

    Raises:
        ImageTooLarge: more than `rules.max_bytes`.
        NotAnImage: `details.reason` is empty, format, animated, scans, pixels or corrupt.
        ImageDimensions: a side is too short or too long.
    """
    return _copied(open_image(data, rules), rules)


def open_image(data: bytes, rules: ImageRules) -> ImageFile.ImageFile:
    """The picture with its header read and checked, no pixel decoded.

    Raises:
        ImageTooLarge, NotAnImage, ImageDimensions: as `check_image`.
    """
    if len(data) > rules.max_bytes:
        raise ImageTooLarge(details={"bytes": len(data), "max_bytes": rules.max_bytes})
    if not data:
        raise _not_an_image("empty")
    kind = sniff(data[:32])
    name, reader = _READERS.get(kind or "", (None, None))
    if reader is None or name not in rules.formats:
        raise _not_an_image("format", found=kind, allowed=list(rules.formats))
    _check_structure(kind, data, rules)
    try:
        picture = reader(BytesIO(data))
    except _BROKEN as error:
        raise _not_an_image("corrupt") from error
    _check_size(picture.size, rules)
    # Which frame would be meant is a guess. (The second picture that some phones put into a JPEG is no frame.)
    if getattr(picture, "is_animated", False):
        raise _not_an_image("animated")
    return picture


class ImageIntake:
    """Checks pictures in threads of its own, `parallel` at a time.

    Peak memory of one check, measured at 12 million pixels: 85 MB for PNG, BMP and baseline JPEG, 120 to 145 for
    progressive JPEG (it keeps its coefficients), 135 for PNG with transparency (a flattened copy), 250 for WebP (its
    decoder keeps two canvases). At 49 million it is up to 440, and 800 for WebP; pictures above 12 million are
    therefore decoded one at a time. In all 1.1 GB at the very most with `parallel` at 2.
    """

    def __init__(self, rules: ImageRules | None = None, parallel: int = 2) -> None:
        self.rules = rules or ImageRules()
        # A pool, not a semaphore around threads: a cancelled caller would free the semaphore while its thread still
        # decodes.
        self._pool = ThreadPoolExecutor(parallel, "image")
        self._large = threading.Lock()

    async def check(self, data: bytes) -> CheckedImage:
        """As `check_image`."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._check, data)

    def close(self) -> None:
        """Let go of the threads; checks that wait are dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _check(self, data: bytes) -> CheckedImage:
        picture = open_image(data, self.rules)
        with self._large if picture.width * picture.height > LARGE_PIXELS else nullcontext():
            return _copied(picture, self.rules)


def _check_structure(kind: str | None, data: bytes, rules: ImageRules) -> None:
    if kind == "image/jpeg" and data.count(b"\xff\xda") > MAX_SCANS:
        raise _not_an_image("scans")
    if kind == "image/png" and png_animated(data):
        raise _not_an_image("animated")
    if kind == "image/webp":
        # Pillow's WebP reader makes room for the whole picture as soon as it is opened.
        size = webp_size(data)
        if size is None:
            raise _not_an_image("corrupt")
        _check_size(size, rules)


def _check_size(size: tuple[int, int], rules: ImageRules) -> None:
    width, height = size
    if width * height > rules.max_pixels:
        raise _not_an_image("pixels", width=width, height=height, max_pixels=rules.max_pixels)
    if min(size) < rules.min_side or max(size) > rules.max_side:
        raise ImageDimensions(
            f"The picture is {width}×{height}; each side must have {rules.min_side} to {rules.max_side} pixels.",
            details={"width": width, "height": height, "min_side": rules.min_side, "max_side": rules.max_side},
        )


def _copied(picture: ImageFile.ImageFile, rules: ImageRules) -> CheckedImage:
    try:
        with picture:
            image = _upright_srgb(picture, rules)
    except _BROKEN as error:
        raise _not_an_image("corrupt") from error
    image.info.clear()  # a JPEG comment would be written again
    encoded = BytesIO()
    image.save(encoded, "JPEG", quality=rules.quality)
    data = encoded.getvalue()
    return CheckedImage(data, image.width, image.height, hashlib.sha256(data).hexdigest())


def _upright_srgb(picture: ImageFile.ImageFile, rules: ImageRules) -> Image.Image:
    """The pixels as they are to be kept. Shrunk as early as can be: all later steps cost memory and time a pixel."""
    size = _stored_size(picture.size, rules)
    picture.draft(None, size)  # a JPEG decodes to ½, ¼ or ⅛, never below `size`; for others nothing
    picture.load()
    orientation = exif_orientation(picture.info.get("exif", b""))
    image = _flat(picture)
    if image.size != size:
        # Averaging blocks first, down to 1.5 times the size, halves the time of large pictures.
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=1.5)
    image = _to_srgb(image, picture.info.get("icc_profile"))
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def _stored_size(size: tuple[int, int], rules: ImageRules) -> tuple[int, int]:
    scale = min(1.0, max(rules.stored_max_side / max(size), rules.min_side / min(size)))
    width, height = (max(rules.min_side, round(side * scale)) for side in size)
    return width, height


def _flat(picture: Image.Image) -> Image.Image:
    """Opaque pixels of 8 bits in L, RGB or CMYK; what was transparent is white."""
    if picture.mode.startswith("I"):  # 16-bit grey; Pillow would cut off instead of scaling
        return picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if picture.has_transparency_data:
        image = picture if picture.mode == "RGBA" else picture.convert("RGBA")
        flat = Image.new("RGB", image.size, "white")
        flat.paste(image, mask=image.getchannel("A"))
        return flat
    return picture if picture.mode in {"L", "RGB", "CMYK"} else picture.convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile and len(profile) <= MAX_PROFILE:
        try:
            converted = ImageCms.profileToProfile(
                image, ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError):
            converted = None  # broken, or of another colour space than the pixels: as if there were none
        if converted is not None:
            return converted
    return image.convert("RGB")


def _not_an_image(reason: str, **facts: object) -> NotAnImage:
    return NotAnImage(details={"reason": reason, **facts})
