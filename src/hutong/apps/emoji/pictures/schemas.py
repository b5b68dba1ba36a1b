"""Bodies of upload and detection."""

from typing import Literal

from pydantic import BaseModel, Field

from hutong.kernel.gateway import Refusal
from hutong.kernel.http.strict import StrictModel

ContentType = Literal["image/jpeg", "image/png", "image/bmp", "image/webp"]


class DirectUpload(StrictModel):
    """Ask for a form to upload straight to the storage."""

    mode: Literal["direct"] = Field(description="The only one that is asked for in JSON.")
    content_type: ContentType = Field(description="Of the file.")
    size: int = Field(ge=1, description="Bytes of the file, at most 10 MiB.", examples=[123_456])


class UploadedView(BaseModel):
    """A picture that was taken in. Use `image_url` in detect and create."""

    image_url: str
    width: int
    height: int
    content_type: str
    expires_in: int = Field(description="Seconds until the link expires; the picture itself stays usable by you.")


class UploadFormView(BaseModel):
    """A form for a direct upload: POST `fields`, then the file as `file_field`, as multipart to `url`."""

    upload_url: str
    method: str
    fields: dict[str, str]
    file_field: str
    expires_at: str
    image_url: str


class DetectRequest(StrictModel):
    """Which picture to look at."""

    image_url: str = Field(min_length=1, max_length=4096, description="As returned by POST /emoji/upload.")


class DetectedView(BaseModel):
    """What was found. Boxes are [left, top, right, bottom] in pixels; `reason` is set when not passed."""

    passed: bool
    face_bbox: list[int] | None
    ext_bbox: list[int] | None
    reason: Refusal | None
    detail: str | None = Field(description="The detection service's own code.")
