"""Why a sealed value does not open."""

from hutong.kit.errors import HutongError


class SealBroken(HutongError):
    """A sealed value was changed, cut, or moved from another place."""

    code = "secrets.broken"


class SealKeyUnknown(SealBroken):
    """A sealed value needs a key that this process does not have; add it to HUTONG_SEALING__KEYS."""

    code = "secrets.key_unknown"
