"""Sessions: a row in SQL for each sign-in, a pair of tokens that rotate, and the store's index of the tokens that are alive.

Apps call `Sessions`; rows, keys and scripts are private to this package.
Its page is docs/kernel/identity.md.
"""

from hutong.kernel.identity.sessions.endings import Endings
from hutong.kernel.identity.sessions.invariants import INVARIANTS
from hutong.kernel.identity.sessions.pairs import Caller, TokenPair
from hutong.kernel.identity.sessions.repository import SessionView, forget_old
from hutong.kernel.identity.sessions.service import Sessions
from hutong.kernel.identity.sessions.settings import SessionPolicy

__all__ = ["INVARIANTS", "Caller", "Endings", "SessionPolicy", "SessionView", "Sessions", "TokenPair", "forget_old"]
