"""POST /emoji/upload and /emoji/detect."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from hutong.apps.emoji.contract.responses import SIGNED_IN, WITH_BODY, failures
from hutong.apps.emoji.deps import App, Caller, Emoji, limit_user
from hutong.apps.emoji.envelope import Envelope, ok
from hutong.apps.emoji.pictures.repository import Picture
from hutong.apps.emoji.pictures.schemas import (
    DetectedView,
    DetectRequest,
    DirectUpload,
    UploadedView,
    UploadFormView,
)
from hutong.kernel.files.errors import ImageTooLarge, NotAnImage
from hutong.kernel.http.forms import read_form
from hutong.kernel.http.strict import BodyMalformed, StrictRoute, is_json, parse_json
from hutong.kit.clock import iso_z

router = APIRouter(prefix="/api/v1/emoji", tags=["emoji"], route_class=StrictRoute)
FIELDS = ("image", "file")
MISSING = "Send the picture as multipart/form-data in a field called image."
_UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image"],
                    "additionalProperties": False,
                    "properties": {
                        "image": {
                            "type": "string",
                            "format": "binary",
                            "description": "JPEG, PNG, BMP or WebP, to 10 MiB, sides of 400 to 7000 pixels; or `file`.",
                        }
                    },
                }
            },
            "application/json": {"schema": DirectUpload.model_json_schema()},
        },
    }
}


@router.post(
    "/upload",
    response_model=Envelope[UploadedView] | Envelope[UploadFormView],
    responses=failures(*SIGNED_IN, *WITH_BODY),
    openapi_extra=_UPLOAD_BODY,
    summary="Upload a picture, or get a form to upload it directly",
)
async def upload(request: Request, emoji: App, caller: Caller) -> Response:
    """JPEG, PNG, BMP or WebP, at most 10 MB, each side 400 to 7000 pixels; stored without EXIF.

    With JSON `{"mode":"direct","content_type":…,"size":…}` the answer is a form to upload straight to the storage.
    """
    await limit_user(emoji, "upload", emoji.settings.upload_per_minute, caller)
    if is_json(request):
        return _form(emoji, caller, await _direct(request))
    data = await _file(request, emoji.kernel.images.rules.max_bytes)
    return ok(_view(emoji, await emoji.pictures.take_in(caller, data)))


async def _direct(request: Request) -> DirectUpload:
    try:
        return DirectUpload.model_validate(parse_json(await request.body()))
    except ValidationError as error:
        fields = [
            {"field": ".".join(map(str, item["loc"])) or "body", "problem": item["msg"]} for item in error.errors()
        ]
        raise BodyMalformed(f"{fields[0]['field']}: {fields[0]['problem']}", details={"fields": fields}) from error


async def _file(request: Request, largest: int) -> bytes:
    """The bytes of the uploaded file; it is spooled to disk while it arrives."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise NotAnImage(MISSING, details={"reason": "missing"})
    async with read_form(request, max_files=1, max_fields=4) as form:
        for name in FIELDS:
            part = form.get(name)
            if isinstance(part, UploadFile):
                if (part.size or 0) > largest:
                    raise ImageTooLarge(details={"largest_bytes": largest})
                return await part.read()
    raise NotAnImage(MISSING, details={"reason": "missing"})


def _view(emoji: Emoji, picture: Picture) -> UploadedView:
    return UploadedView(
        image_url=emoji.pictures.link(picture.object_key),
        width=picture.width,
        height=picture.height,
        content_type="image/jpeg",
        expires_in=emoji.settings.link_seconds,
    )


def _form(emoji: Emoji, caller: int, wish: DirectUpload) -> Response:
    form, image_url = emoji.pictures.form(caller, wish.content_type, wish.size)
    view = UploadFormView(
        upload_url=form.url,
        method=form.method,
        fields=dict(form.fields),
        file_field=form.file_field,
        expires_at=iso_z(form.expires_at),
        image_url=image_url,
    )
    return ok(view)


@router.post(
    "/detect",
    response_model=Envelope[DetectedView],
    responses=failures(*SIGNED_IN, *WITH_BODY, 502001),
    summary="Look for the one face in a picture; free",
)
async def detect(body: DetectRequest, emoji: App, caller: Caller) -> Response:
    """`passed` false with a `reason` when the picture cannot be used; costs no points."""
    await limit_user(emoji, "detect", emoji.settings.detect_per_minute, caller)
    picture = await emoji.pictures.inspect(await emoji.pictures.resolve(caller, body.image_url))
    view = DetectedView(
        passed=picture.refusal is None,
        face_bbox=list(picture.face_bbox) if picture.face_bbox else None,
        ext_bbox=list(picture.ext_bbox) if picture.ext_bbox else None,
        reason=picture.refusal,
        detail=picture.vendor_code,
    )
    return ok(view)
