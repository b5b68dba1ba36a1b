"""Typed settings of the kernel; apps and providers add sections of their own and `host.settings` joins them.

Anyone may read them; nothing outside this package asks the environment.
Its page is docs/kernel/settings.md, the list of all settings is docs/reference/settings.md.
"""

from hutong.kernel.settings.config_file import SettingsRefused
from hutong.kernel.settings.kernel import (
    AuthSettings,
    FilesSettings,
    HttpSettings,
    JobsSettings,
    KernelSettings,
    LimitsSettings,
    LogSettings,
    MailSettings,
    ModelsSettings,
    RealmKeys,
    SealingSettings,
    Section,
)
from hutong.kernel.settings.secrets import SigningKey, secret_bytes

__all__ = [
    "AuthSettings",
    "FilesSettings",
    "HttpSettings",
    "JobsSettings",
    "KernelSettings",
    "LimitsSettings",
    "LogSettings",
    "MailSettings",
    "ModelsSettings",
    "RealmKeys",
    "SealingSettings",
    "Section",
    "SettingsRefused",
    "SigningKey",
    "secret_bytes",
]
