"""Puts the compatible endpoint together from the app's parts."""

from hutong.apps.chat.compatible.accounts import Accounts
from hutong.apps.chat.compatible.callers import Callers
from hutong.apps.chat.compatible.deps import Compatible
from hutong.apps.chat.compatible.responses.service import Responses
from hutong.apps.chat.compatible.tasks import Leftovers
from hutong.apps.chat.deps import Chat
from hutong.apps.chat.envelope import REALM
from hutong.apps.chat.settings import ChatSettings
from hutong.kernel.assembly import Kernel, Work
from hutong.kernel.http.failures import FailureLimit
from hutong.kernel.http.limits import Limit
from hutong.kernel.identity.api_keys import ApiKeys
from hutong.kernel.identity.key_checks import ApiKeyChecks
from hutong.kernel.quotas import Quotas


def open_compatible(chat: Chat, quotas: Quotas) -> Compatible:
    """The parts of `/v1`, closed with the process."""
    kernel, settings = chat.kernel, chat.settings.compatible
    accounts = Accounts(kernel.db, kernel.clock, kernel.ids, quotas, settings.lease_seconds)
    responses = Responses(kernel, quotas, accounts, settings.usual_output, settings.save_seconds)
    kernel.closing.extend((responses.leave, accounts.close))
    keys = open_key_checks(kernel, settings.refused_keys_per_minute)
    return Compatible(
        callers=Callers(keys, chat.sessions, chat.members, kernel.limiter, chat.per_user),
        chats=kernel.gateway.chats,
        accounts=accounts,
        responses=responses,
        clock=kernel.clock,
        usual_output=settings.usual_output,
    )


def compatible_work(kernel: Kernel, quotas: Quotas) -> Work:
    """What `/v1` does outside requests."""
    settings = kernel.section(ChatSettings).compatible
    return Leftovers(kernel, quotas, settings.sweep_seconds, settings.keep_days).work()


def open_key_checks(kernel: Kernel, refused_per_minute: int) -> ApiKeyChecks:
    """What tells this realm's good API keys from bad ones."""
    refused = Limit(f"{REALM}.refused_keys", refused_per_minute)
    failures = FailureLimit(refused, kernel.limiter, kernel.store, kernel.clock)
    return ApiKeyChecks(ApiKeys(REALM, kernel.ids, kernel.clock), kernel.db, failures, kernel.clock)
