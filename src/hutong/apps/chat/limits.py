"""Which limits a member has: their own, else the installation's, times the factor for VIPs."""

from dataclasses import dataclass

from hutong.apps.chat.rows.members import MemberRow
from hutong.apps.chat.settings import QuotaSettings


@dataclass(frozen=True, slots=True)
class Limits:
    """What one user may use in a day and a month (UTC)."""

    daily_requests: int
    monthly_requests: int
    daily_tokens: int
    monthly_tokens: int


def limits_of(member: MemberRow, settings: QuotaSettings) -> Limits:
    """The limits that hold for a member."""
    factor = settings.vip_factor if member.is_vip else 1
    return Limits(
        daily_requests=_own(member.daily_requests, settings.daily_requests * factor),
        monthly_requests=_own(member.monthly_requests, settings.monthly_requests * factor),
        daily_tokens=_own(member.daily_tokens, settings.daily_tokens * factor),
        monthly_tokens=_own(member.monthly_tokens, settings.monthly_tokens * factor),
    )


def _own(limit: int | None, usual: int) -> int:
    return usual if limit is None else limit
