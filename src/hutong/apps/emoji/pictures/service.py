"""Use cases of pictures: take one in, give a form for a direct upload, have one looked at."""

from dataclasses import replace
from datetime import datetime

from hutong.apps.emoji.pictures import repository, rules
from hutong.apps.emoji.pictures.errors import PICTURE_GONE, PictureNotYours, refused
from hutong.apps.emoji.pictures.repository import Picture
from hutong.kernel.assembly import Kernel
from hutong.kernel.files import CheckedImage, UploadForm
from hutong.kernel.files.errors import ImageTooLarge, ObjectMissing
from hutong.kernel.gateway import FaceVerdict
from hutong.kernel.observability.failpoints import failpoint
from hutong.kit.tasks import Shared

FORM_SECONDS = 900
VENDOR_LINK_SECONDS = 6 * 3600


class Pictures:
    """The pictures of this app's users."""

    def __init__(self, kernel: Kernel, link_seconds: int) -> None:
        self._kernel = kernel
        self._link_seconds = link_seconds
        self._detecting: Shared[tuple[int, str], FaceVerdict] = Shared()

    async def take_in(self, user_id: int, data: bytes) -> Picture:
        """Check a picture, re-encode it without metadata, store it.

        Raises:
            NotAnImage, ImageTooLarge, ImageDimensions: nothing was stored.
        """
        checked = await self._kernel.images.check(data)
        return await self._store(user_id, self._kernel.ids(), checked)

    async def _store(self, user_id: int, picture_id: int, checked: CheckedImage) -> Picture:
        """The object first, the row second: a row never names an object that is not there."""
        key = rules.stored_key(user_id, picture_id)
        await self._kernel.files.put(key, checked.data, checked.content_type)
        failpoint("emoji.upload.stored")
        now = self._kernel.clock.now()
        picture = Picture(
            id=picture_id,
            user_id=user_id,
            object_key=key,
            sha256=checked.sha256,
            width=checked.width,
            height=checked.height,
            checked_at=None,
            refusal=None,
            vendor_code=None,
            face_bbox=None,
            ext_bbox=None,
            created_at=now,
        )
        await self._kernel.db.write(repository.create, picture)
        return picture

    def form(self, user_id: int, content_type: str, size: int) -> tuple[UploadForm, str]:
        """A form for a direct upload, and the image_url that stands for the picture afterwards.

        Raises:
            ImageTooLarge: `size` is over the limit.
        """
        largest = self._kernel.images.rules.max_bytes
        if size > largest:
            raise ImageTooLarge(details={"largest_bytes": largest})
        key = rules.incoming_key(user_id, self._kernel.ids(), content_type)
        form = self._kernel.files.upload_form(
            key, content_types=[content_type], max_bytes=largest, seconds=FORM_SECONDS
        )
        return form, self._kernel.files.link(key, seconds=self._link_seconds)

    def link(self, object_key: str) -> str:
        """A link for the owner."""
        return self._kernel.files.link(object_key, seconds=self._link_seconds)

    def vendor_link(self, object_key: str) -> str:
        """A fresh link for the provider."""
        return self._kernel.files.link(object_key, seconds=VENDOR_LINK_SECONDS)

    async def resolve(self, user_id: int, image_url: str) -> Picture:
        """The caller's own picture behind an image_url; a direct upload is checked and taken in now.

        Raises:
            PictureNotYours: the link is not one of the caller's.
            NotAnImage, ImageTooLarge, ImageDimensions: the direct upload is no usable picture.
        """
        link = self._kernel.files.key_of(image_url)
        picture_id = rules.picture_of(link.key, user_id) if link is not None else None
        if link is None or picture_id is None:
            raise PictureNotYours
        picture = await self._kernel.db.read(repository.find, user_id, picture_id)
        if picture is None and rules.is_incoming(link.key):
            picture = await self._adopt(user_id, picture_id, link.key)
        if picture is None:
            raise PictureNotYours(PICTURE_GONE)
        return picture

    async def _adopt(self, user_id: int, picture_id: int, key: str) -> Picture | None:
        """Take in what a client uploaded by itself; what it left behind is removed."""
        try:
            data = await self._kernel.files.get(key)
        except ObjectMissing:
            return None
        picture = await self._store(user_id, picture_id, await self._kernel.images.check(data))
        await self._kernel.files.remove(key)
        return picture

    async def inspect(self, picture: Picture) -> Picture:
        """The picture with detection's verdict; asked once for each content, then remembered.

        Raises:
            ProviderFailed: there is no verdict this time.
        """
        if picture.checked_at is not None:
            return picture
        same_content = (picture.user_id, picture.sha256)
        verdict = await self._detecting.do(same_content, lambda: self._verdict(picture))
        return replace(
            picture,
            checked_at=await self._remember(picture, verdict),
            refusal=verdict.refusal,
            vendor_code=verdict.vendor_code or None,
            face_bbox=verdict.face_bbox,
            ext_bbox=verdict.ext_bbox,
        )

    async def _verdict(self, picture: Picture) -> FaceVerdict:
        """A verdict on this content: the one that is written down, or the provider's, which is written down at once."""
        twin = await self._kernel.db.read(repository.find_checked_twin, picture.user_id, picture.sha256)
        if twin is not None:
            return FaceVerdict(twin.face_bbox, twin.ext_bbox, twin.refusal, twin.vendor_code or "")
        verdict = await self._kernel.gateway.faces.detect(self.vendor_link(picture.object_key))
        failpoint("emoji.detect.answered")
        await self._remember(picture, verdict)  # before anybody else may ask
        return verdict

    async def _remember(self, picture: Picture, verdict: FaceVerdict) -> datetime:
        now = self._kernel.clock.now()
        await self._kernel.db.write(repository.set_verdict, picture, verdict, now)
        return now

    async def accept(self, picture: Picture) -> Picture:
        """As `inspect`, for work that needs a face.

        Raises:
            PictureRefused: the verdict is no.
        """
        picture = await self.inspect(picture)
        if picture.refusal is not None:
            raise refused(picture.refusal, picture.vendor_code or "")
        return picture
