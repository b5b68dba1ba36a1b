"""What can go wrong with objects, links, uploads and pictures.

HutongError
├── NotFound       ObjectMissing       404 files.missing
├── Forbidden      LinkInvalid         403 files.link_invalid
│                  LinkExpired         403 files.link_expired
│                  UploadRefused       403 files.upload_refused
│                  UploadExpired       403 files.upload_expired
├── InvalidInput   KeyInvalid          400 files.key_invalid
│                  RangeUnsatisfiable  416 files.range
│                  UploadMalformed     400 files.upload_malformed
│                  UploadWrongType     400 files.upload_wrong_type
│                  NotAnImage          400 files.not_an_image    (details.reason)
│                  ImageDimensions     400 files.dimensions
├── TooLarge       UploadTooLarge      413 files.upload_too_large
│                  ImageTooLarge       413 files.too_large
└── Unavailable    StorageFull         503 files.storage_full
                   StorageFailed       503 files.storage_failed
"""

from hutong.kit.errors import Forbidden, InvalidInput, NotFound, TooLarge, Unavailable


class ObjectMissing(NotFound):
    """There is no such file."""

    code = "files.missing"


class KeyInvalid(InvalidInput):
    """This is not a valid object key, or not one for this content type."""

    code = "files.key_invalid"


class RangeUnsatisfiable(InvalidInput):
    """The range begins behind the end of the file."""

    code = "files.range"
    status = 416


class LinkInvalid(Forbidden):
    """This link is not valid; ask for a new one."""

    code = "files.link_invalid"


class LinkExpired(Forbidden):
    """This link has expired; ask for a new one."""

    code = "files.link_expired"


class UploadRefused(Forbidden):
    """This upload form is not valid; ask for a new one."""

    code = "files.upload_refused"


class UploadExpired(Forbidden):
    """This upload form has expired; ask for a new one."""

    code = "files.upload_expired"


class UploadMalformed(InvalidInput):
    """Send the form's fields as multipart/form-data, exactly as given, and the file last."""

    code = "files.upload_malformed"


class UploadWrongType(InvalidInput):
    """The file is not of a type that this form allows."""

    code = "files.upload_wrong_type"


class UploadTooLarge(TooLarge):
    """The file is larger than this form allows."""

    code = "files.upload_too_large"


class NotAnImage(InvalidInput):
    """This is not a picture that we can use; send a JPEG, PNG, BMP or WebP photo."""

    code = "files.not_an_image"


class ImageTooLarge(TooLarge):
    """The picture has too many bytes."""

    code = "files.too_large"


class ImageDimensions(InvalidInput):
    """The picture is too small or too large."""

    code = "files.dimensions"


class StorageFull(Unavailable):
    """The storage is full; nothing was saved."""

    code = "files.storage_full"


class StorageFailed(Unavailable):
    """The storage does not work at present."""

    code = "files.storage_failed"
