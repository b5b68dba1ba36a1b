"""Small looping previews of every template, made from one photo.

`python -m hutong.providers.dashscope.vision.previews --photo PHOTO --out FOLDER [DRIVEN_ID …]`
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

from PIL import Image as Pictures
from PIL import ImageFilter

from hutong.providers.dashscope.vision.inspection import Refused, inspect_image
from hutong.providers.dashscope.vision.networks import Image
from hutong.providers.dashscope.vision.portrait import upright_rgb
from hutong.providers.dashscope.vision.render import frames, template
from hutong.providers.dashscope.vision.templates import MOTIONS

SIDE = 160
FRAMES = 18
"""However long the loop: more do not fit into the size at a decent quality."""
MAX_BYTES = 40 * 1024


def preview(photo: bytes, driven_id: str) -> bytes:
    """An animated WebP of 160×160 pixels and at most 40 KB.

    Raises ValueError when the photo would be refused, UnknownTemplateError for an unknown driven_id.
    """
    motion = template(driven_id)
    outcome = inspect_image(photo)
    if isinstance(outcome, Refused):
        raise ValueError(f"{outcome.code}: {outcome.message}")  # noqa: TRY004 - the value is at fault, not its type
    shown = list(frames(upright_rgb(photo), motion, outcome.face_bbox, outcome.ext_bbox, FRAMES))
    return _animated([_small(picture) for picture in shown], round(1000 * motion.seconds / FRAMES))


def _small(picture: Image) -> Pictures.Image:
    # Film grain would take most of the bytes.
    calm = Pictures.fromarray(picture).filter(ImageFilter.GaussianBlur(1.5))
    return calm.resize((SIDE, SIDE), Pictures.Resampling.LANCZOS)


def _animated(pictures: list[Pictures.Image], milliseconds: int) -> bytes:
    """Lowers the quality until the loop fits."""
    for quality in (60, 50, 40, 30, 20, 10):
        buffer = io.BytesIO()
        pictures[0].save(
            buffer,
            "WEBP",
            save_all=True,
            append_images=pictures[1:],
            duration=milliseconds,
            loop=0,
            quality=quality,
            method=4,
        )
        if buffer.tell() <= MAX_BYTES:
            break
    return buffer.getvalue()


def main(photo: Path, out: Path, driven_ids: list[str]) -> None:
    """Writes `out`/<driven_id>.webp for the given templates, or for all."""
    out.mkdir(parents=True, exist_ok=True)
    for driven_id in driven_ids or MOTIONS:
        (out / f"{driven_id}.webp").write_bytes(preview(photo.read_bytes(), driven_id))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photo", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("driven_id", nargs="*")
    arguments = parser.parse_args()
    main(arguments.photo, arguments.out, arguments.driven_id)
