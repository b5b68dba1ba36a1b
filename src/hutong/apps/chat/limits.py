"""Which limits a member has: their own, else the installation's, for VIPs times their factor."""

from hutong.apps.chat.rows.members import MemberRow
from hutong.apps.chat.settings import QuotaSettings
from hutong.kernel.quotas import COUNTERS, Limits


def limits_of(member: MemberRow, settings: QuotaSettings) -> Limits:
    """The limits that hold for a member."""
    usual = Limits(
        settings.daily_requests, settings.monthly_requests, settings.daily_tokens, settings.monthly_tokens
    ).times(settings.vip_factor if member.is_vip else 1)
    return usual.with_own({name: getattr(member, name) for name in COUNTERS})
