"""Which storage objects lie in. A vendor's library is imported only by a process that uses it: it costs start-up time."""

from hutong.host.settings import Settings
from hutong.kernel.files import DiskStorage, Storage
from hutong.kernel.settings import SettingsRefused, secret_bytes
from hutong.kit.clock import Clock


def open_storage(settings: Settings, clock: Clock) -> Storage:
    """The storage that the settings name.

    Raises:
        SettingsRefused: its library is not installed.
    """
    kind = settings.files.storage
    try:
        if kind == "oss":
            return _oss(settings, clock)
        if kind == "s3":
            return _s3(settings, clock)
    except ModuleNotFoundError as error:
        raise SettingsRefused(f"{error.name} is not installed; run: pip install 'hutong[{kind}]'") from error
    folder = settings.folder / "files"
    return DiskStorage(folder, secret_bytes(settings.file_secret), settings.public_url, clock)


def oss_endpoint(settings: Settings) -> str:
    """The vendor's endpoint, or this installation, where the sandbox's bucket is a folder of the root."""
    return settings.oss.endpoint or settings.public_url.rstrip("/")


def _oss(settings: Settings, clock: Clock) -> Storage:
    from hutong.providers.oss.client import OssStorage

    return OssStorage(settings.oss, oss_endpoint(settings), clock)


def _s3(settings: Settings, clock: Clock) -> Storage:
    from hutong.providers.s3.client import S3Storage

    return S3Storage(settings.s3, clock)
