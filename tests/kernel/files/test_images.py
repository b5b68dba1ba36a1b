"""The check of users' pictures, with real pictures and real attacks made on the spot."""

import asyncio
import hashlib
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from hutong.kernel.files import CheckedImage, ImageIntake, ImageRules, check_image
from hutong.kernel.files.errors import ImageDimensions, ImageTooLarge, NotAnImage
from hutong.kernel.files.headers import png_animated, sniff, webp_size
from hutong.kernel.files.images import open_image
from hutong.kit.clock import process_seconds

RULES = ImageRules()
EVIL = b"<?php system($_GET['c']); ?><script>alert(1)</script>"


def corners(size: tuple[int, int] = (640, 480)) -> Image.Image:
    """Four coloured quarters, so that any turn shows."""
    width, height = size
    image = Image.new("RGB", size, "red")
    image.paste("lime", (width // 2, 0, width, height // 2))
    image.paste("blue", (0, height // 2, width // 2, height))
    image.paste("black", (width // 2, height // 2, width, height))
    return image


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    out = BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def decoded(checked: CheckedImage) -> Image.Image:
    image = Image.open(BytesIO(checked.data))
    image.load()
    return image


def near(found: object, colour: tuple[int, int, int], tolerance: int = 12) -> bool:
    assert isinstance(found, tuple)
    return all(abs(a - b) <= tolerance for a, b in zip(found, colour, strict=True))


def reason(data: bytes, rules: ImageRules = RULES) -> str:
    with pytest.raises(NotAnImage) as caught:
        check_image(data, rules)
    assert caught.value.details is not None
    return str(caught.value.details["reason"])


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "WEBP"])
def test_the_four_formats_become_a_clean_jpeg(form: str) -> None:
    checked = check_image(encoded(corners(), form), RULES)
    image = decoded(checked)
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (640, 480))
    assert (checked.width, checked.height, checked.content_type) == (640, 480, "image/jpeg")
    assert checked.sha256 == hashlib.sha256(checked.data).hexdigest()
    for at, colour in (
        ((9, 9), (255, 0, 0)),
        ((630, 9), (0, 255, 0)),
        ((9, 470), (0, 0, 255)),
        ((630, 470), (0, 0, 0)),
    ):
        assert near(image.getpixel(at), colour)


def grey16() -> bytes:
    row = struct.pack(">500H", *range(0, 65_500, 131))
    chunks = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 500, 500, 16, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + chunks + png_chunk(b"IDAT", zlib.compress((b"\0" + row) * 500)) + png_chunk(b"IEND", b"")
    )


def png(header: bytes, rows: bytes) -> bytes:
    chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(name, data) for name, data in chunks)


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def half_transparent(mode: str) -> Image.Image:
    image = corners().convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 320, 480))
    return image.convert(mode)


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_becomes_white(form: str, mode: str) -> None:
    image = decoded(check_image(encoded(half_transparent(mode), form), RULES))
    assert near(image.getpixel((9, 9)), (255, 255, 255))
    assert near(image.getpixel((630, 470)), (0, 0, 0))


def test_a_transparent_palette_and_a_transparent_colour_become_white() -> None:
    palette = corners().quantize(4)
    index = palette.getpixel((9, 9))
    for data in (
        encoded(palette, "PNG", transparency=index),
        encoded(palette, "PNG", transparency=bytes(0 if at == index else 255 for at in range(4))),
        encoded(corners(), "PNG", transparency=(255, 0, 0)),
    ):
        image = decoded(check_image(data, RULES))
        assert near(image.getpixel((9, 9)), (255, 255, 255))
        assert near(image.getpixel((9, 470)), (0, 0, 255))


@pytest.mark.parametrize(
    ("mode", "form"),
    [(mode, form) for mode in ("L", "1", "P") for form in ("PNG", "BMP")] + [("L", "JPEG"), ("CMYK", "JPEG")],
)
def test_other_pixels_become_rgb(mode: str, form: str) -> None:
    image = decoded(check_image(encoded(corners().convert(mode), form), RULES))
    expected = corners().convert(mode).convert("RGB")
    assert image.mode == "RGB"
    assert near(image.getpixel((630, 470)), (0, 0, 0))
    if mode != "1":
        assert near(image.getpixel((9, 470)), expected.getpixel((9, 470)), 30)  # type: ignore[arg-type]


def test_sixteen_bits_are_scaled_not_cut_off() -> None:
    image = decoded(check_image(grey16(), RULES))
    assert near(image.getpixel((2, 9)), (1, 1, 1))
    assert near(image.getpixel((250, 9)), (127, 127, 127))
    assert near(image.getpixel((497, 9)), (254, 254, 254))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_pictures_stand_upright(form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(corners(), form, exif=exif)
    checked = check_image(data, RULES)
    with Image.open(BytesIO(data)) as original:
        upright = ImageOps.exif_transpose(original).convert("RGB")
    assert (checked.width, checked.height) == upright.size
    image = decoded(checked)
    for at in ((9, 9), (upright.width - 9, 9), (9, upright.height - 9)):
        assert near(image.getpixel(at), upright.getpixel(at), 20)  # type: ignore[arg-type]


def with_metadata() -> Iterator[bytes]:
    exif = Image.Exif()
    exif[0x010F] = "CANARY maker"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[29] = "CANARY gps"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    common = {"exif": exif, "icc_profile": profile}
    xmp = b"<x:xmpmeta>CANARY</x:xmpmeta>"
    yield encoded(corners(), "JPEG", **common, xmp=xmp, comment=b"CANARY" + EVIL) + b"CANARY behind the end" + EVIL
    yield encoded(corners(), "WEBP", **common, xmp=xmp) + b"CANARY"
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "CANARY acTL", zip=False)
    yield encoded(corners(), "PNG", **common, pnginfo=text) + b"CANARY" + EVIL


def test_nothing_but_pixels_is_kept() -> None:
    for data in with_metadata():
        assert b"CANARY" in data
        checked = check_image(data, RULES)
        for word in (b"CANARY", b"Exif", b"ICC_PROFILE", b"xmp", b"<?php", b"script"):
            assert word not in checked.data
        image = decoded(checked)
        assert not image.getexif()
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi"}


def test_colours_are_converted_to_srgb() -> None:
    """A profile whose red and blue are exchanged: after conversion, red pixels are blue."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    (count,) = struct.unpack_from(">I", profile, 128)
    tags = {bytes(profile[132 + 12 * at : 136 + 12 * at]): 132 + 12 * at for at in range(count)}
    red, blue = tags[b"rXYZ"] + 4, tags[b"bXYZ"] + 4
    profile[red : red + 8], profile[blue : blue + 8] = profile[blue : blue + 8], profile[red : red + 8]
    image = decoded(check_image(encoded(corners(), "PNG", icc_profile=bytes(profile)), RULES))
    assert near(image.getpixel((9, 9)), (0, 0, 255))


def test_a_broken_or_foreign_profile_is_left_out() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for profile in (b"garbage" * 50, lab):
        image = decoded(check_image(encoded(corners(), "PNG", icc_profile=profile), RULES))
        assert near(image.getpixel((9, 9)), (255, 0, 0))


@pytest.mark.parametrize(
    ("size", "stored"),
    [
        ((400, 400), (400, 400)),
        ((2048, 1000), (2048, 1000)),
        ((3000, 1500), (2048, 1024)),
        ((1500, 3000), (1024, 2048)),
        ((400, 7000), (400, 7000)),
        ((500, 7000), (400, 5600)),
        ((4200, 2100), (2048, 1024)),
    ],
)
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_large_pictures_are_shrunk(form: str, size: tuple[int, int], stored: tuple[int, int]) -> None:
    options = {"compress_level": 1} if form == "PNG" else {}
    checked = check_image(encoded(corners(size), form, **options), RULES)
    assert (checked.width, checked.height) == stored
    image = decoded(checked)
    assert image.size == stored
    assert near(image.getpixel((9, 9)), (255, 0, 0))
    assert near(image.getpixel((9, stored[1] - 9)), (0, 0, 255))


@pytest.mark.parametrize("size", [(399, 500), (500, 399), (400, 7001), (7001, 400), (1, 60_000)])
def test_sides_out_of_range(size: tuple[int, int]) -> None:
    with pytest.raises(ImageDimensions) as caught:
        check_image(encoded(Image.new("L", size), "PNG"), RULES)
    assert caught.value.details == {"width": size[0], "height": size[1], "min_side": 400, "max_side": 7000}


def test_too_many_bytes() -> None:
    data = encoded(corners(), "BMP")
    with pytest.raises(ImageTooLarge):
        check_image(data, ImageRules(max_bytes=len(data) - 1))
    assert check_image(data, ImageRules(max_bytes=len(data))).width == 640


def png_bomb() -> bytes:
    """9000×9000 pixels in true colour, 243 MB, in some 250 kB; the same compressed rows again and again."""
    packer = zlib.compressobj(9)
    begin = packer.flush(zlib.Z_FULL_FLUSH)
    rows = packer.compress(bytes(27_001) * 100) + packer.flush(zlib.Z_FULL_FLUSH)
    header = struct.pack(">IIBBBBB", 9000, 9000, 8, 2, 0, 0, 0)
    return png(header, begin + rows * 90 + packer.flush())


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def header_bombs() -> dict[str, bytes]:
    """Small files that say they are enormous, in every place where a format says it."""
    jpeg = encoded(corners(), "JPEG")
    lossless = encoded(corners(), "WEBP", lossless=True)
    lossy = encoded(corners(), "WEBP")
    extended = encoded(half_transparent("RGBA"), "WEBP")
    assert (lossless[12:16], lossy[12:16], extended[12:16]) == (b"VP8L", b"VP8 ", b"VP8X")
    return {
        "jpeg": patched(jpeg, jpeg.index(b"\xff\xc0") + 5, b"\xff\xff\xff\xff"),
        "bmp": patched(encoded(corners(), "BMP"), 18, struct.pack("<ii", 100_000, 100_000)),
        "png": patched(encoded(corners(), "PNG"), 16, struct.pack(">II", 2**31 - 1, 2**31 - 1)),
        "webp lossless": patched(lossless, 21, struct.pack("<I", 16_382 | 16_382 << 14)),
        "webp lossy": patched(lossy, 26, struct.pack("<HH", 16_383, 16_383)),
        "webp extended": patched(extended, 24, b"\xff\xff\x7f\xff\xff\x00"),
    }


def test_decompression_bombs_are_refused_from_the_header() -> None:
    bomb = png_bomb()
    assert len(bomb) < 300_000
    start = process_seconds()
    assert reason(bomb) == "pixels"
    assert process_seconds() - start < 0.2, "243 MB were not decoded"
    for name, data in header_bombs().items():
        with pytest.raises(NotAnImage) as caught:
            check_image(data, RULES)
        # A PNG's header has a checksum, which the patch broke.
        assert caught.value.details is not None
        assert caught.value.details["reason"] == ("corrupt" if name == "png" else "pixels"), name


def test_a_jpeg_of_very_many_scans_is_refused() -> None:
    data = encoded(corners(), "JPEG", progressive=True)
    scan = data.rindex(b"\xff\xda")
    assert check_image(data, RULES).width == 640
    assert reason(data[:-2] + data[scan:-2] * 200 + data[-2:]) == "scans"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"plain text, long enough to be looked at", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", None),
        (b"<!DOCTYPE html><img src=x onerror=alert(1)>", None),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "image/heif"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isomavc1", "video/mp4"),
        (b"%PDF-1.7\n" + bytes(100), "application/pdf"),
        (b"BM is how this text begins, which is no bitmap", None),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", None),
        (b"\xff\xd8", None),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes, found: str | None) -> None:
    with pytest.raises(NotAnImage) as caught:
        check_image(data, RULES)
    assert caught.value.code == "files.not_an_image"
    assert caught.value.details is not None
    assert (caught.value.details["reason"], caught.value.details["found"]) == ("format", found)


def test_other_picture_formats_are_refused() -> None:
    for form in ("GIF", "TIFF", "ICO", "JPEG2000", "PPM", "TGA"):
        assert reason(encoded(corners(), form)) == "format"
    assert reason(b"GIF89a/*" + EVIL + b"*/=1;") == "format"
    assert reason(encoded(corners(), "PNG"), ImageRules(formats=("JPEG",))) == "format"
    assert reason(b"") == "empty"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "WEBP"])
def test_truncated_pictures_are_refused(form: str) -> None:
    data = encoded(corners(), form)
    for kept in (16, 40, len(data) // 2, len(data) - 40):
        assert reason(data[:kept]) in {"corrupt", "format"}, kept


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "WEBP"])
def test_damaged_pictures_never_surprise(form: str) -> None:
    """Whatever is broken, the answer is a picture or one of our errors, without a warning."""
    chance = random.Random(20_260_301)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x011A] = 72.0
    options = {} if form == "BMP" else {"exif": exif}
    data = encoded(corners((400, 420)), form, **options)
    for _ in range(40):
        broken = bytearray(data)
        for _ in range(chance.randint(1, 6)):
            # Mostly in the headers, where the parsers are.
            broken[chance.randrange(min(len(broken), chance.choice((60, 400, 10**9))))] = chance.randrange(256)
        try:
            check_image(bytes(broken), RULES)
        except (NotAnImage, ImageDimensions):
            continue


def test_a_broken_exif_block_is_no_reason_to_refuse() -> None:
    for exif in (b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x1a\0\x05", b"Exif\0\0junk"):
        assert check_image(encoded(corners(), "JPEG", exif=exif), RULES).width == 640


def test_animations_are_refused() -> None:
    frames = [corners(), corners().rotate(180)]
    for form in ("PNG", "WEBP"):
        assert reason(encoded(frames[0], form, save_all=True, append_images=frames[1:], duration=100)) == "animated"
    still = encoded(corners(), "PNG")
    control = png_chunk(b"acTL", struct.pack(">II", 0, 0))
    assert reason(still[:33] + control * 2 + still[33:]) == "animated"
    assert reason(still[:-12] + control + still[-12:]) == "animated"
    assert not png_animated(still)


def test_the_second_picture_that_phones_add_is_dropped() -> None:
    data = encoded(corners(), "MPO", save_all=True, append_images=[corners((400, 400))])
    checked = check_image(data, RULES)
    assert (checked.width, checked.height) == (640, 480)


def test_reading_the_size_of_a_webp() -> None:
    for image in (corners((401, 402)), half_transparent("RGBA").resize((401, 402))):
        for lossless in (False, True):
            assert webp_size(encoded(image, "WEBP", lossless=lossless)) == (401, 402)
    assert webp_size(b"RIFF\0\0\0\0WEBPVP8 ") is None
    assert webp_size(b"RIFF\0\0\0\0WEBPJUNK" + bytes(40)) is None
    assert sniff(b"") is None


def test_opening_decodes_nothing() -> None:
    picture = open_image(encoded(corners(), "PNG"), RULES)
    with picture:
        assert picture.size == (640, 480)
        assert picture._im is None


async def test_intake_checks_off_the_loop_and_survives_cancelling() -> None:
    intake = ImageIntake(parallel=2)
    try:
        data = encoded(corners(), "JPEG")
        large = encoded(Image.new("L", (4000, 3001)), "PNG")
        cancelled = [asyncio.create_task(intake.check(large)) for _ in range(3)]
        await asyncio.sleep(0)
        for task in cancelled[:2]:
            task.cancel()
        results = await asyncio.gather(*(intake.check(data) for _ in range(4)))
        assert {result.width for result in results} == {640}
        assert (await cancelled[2]).width == 2048
        with pytest.raises(NotAnImage):
            await intake.check(b"no picture")
    finally:
        intake.close()


def test_pillow_is_left_as_it_was() -> None:
    """No limit, filter or list of formats of the process is changed by the check."""
    facts: tuple[Callable[[], object], ...] = (lambda: Image.MAX_IMAGE_PIXELS, lambda: dict(Image.OPEN))
    before = [fact() for fact in facts]
    check_image(encoded(corners(), "PNG"), RULES)
    assert [fact() for fact in facts] == before
