"""Objects (photos, videos, exports, backups) behind one port, the links and upload forms that clients get for them, and
the check that every user's picture passes.

Apps, providers and other kernel packages call `Storage` and `ImageIntake`; the host mounts `files_app` at `/files`.
Its page is docs/kernel/files.md.
"""

from hutong.kernel.files.disk import DiskStorage
from hutong.kernel.files.images import CheckedImage, ImageIntake, ImageRules, check_image
from hutong.kernel.files.keys import check_key, content_type_of
from hutong.kernel.files.ports import ObjectFacts, ObjectReader, OwnLink, Storage, UploadForm
from hutong.kernel.files.serving import files_app

__all__ = [
    "CheckedImage",
    "DiskStorage",
    "ImageIntake",
    "ImageRules",
    "ObjectFacts",
    "ObjectReader",
    "OwnLink",
    "Storage",
    "UploadForm",
    "check_image",
    "check_key",
    "content_type_of",
    "files_app",
]
