"""What can go wrong with a picture."""

from hutong.kernel.gateway import Refusal
from hutong.kit.errors import InvalidInput, Unprocessable

PICTURE_GONE = "This picture was removed; upload it again."


class PictureNotYours(InvalidInput):
    """image_url must be one that POST /emoji/upload gave you."""

    code = "emoji.picture_not_yours"


class PictureRefused(Unprocessable):
    """The picture was refused; use another one."""

    code = "emoji.picture_refused"


class NoFace(PictureRefused):
    """No face was found in the picture; use a photo of one face, from the front."""

    code = "emoji.no_face"


class SeveralFaces(PictureRefused):
    """Several faces were found in the picture; use a photo of one person."""

    code = "emoji.several_faces"


def refused(refusal: Refusal, vendor_code: str) -> PictureRefused:
    """The error for a verdict."""
    kinds = {Refusal.NO_FACE: NoFace, Refusal.SEVERAL_FACES: SeveralFaces}
    return kinds.get(refusal, PictureRefused)(details={"reason": refusal.value, "detail": vendor_code})
