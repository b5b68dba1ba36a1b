"""What can go wrong with quotas."""

from collections.abc import Mapping

from hutong.kit.errors import TooManyRequests


class QuotaExhausted(TooManyRequests):
    """This quota is used up; try again when it begins anew, at the time in resets_at.

    `details` names the counter, its limit, what is used, what was needed, and `resets_at`.
    """

    code = "quotas.exhausted"
    headers: Mapping[str, str] = {"x-should-retry": "false"}
    """The official SDKs would try again at once otherwise."""
