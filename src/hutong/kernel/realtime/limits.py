"""How long and how much, for logs and those who read them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogLimits:
    """Times and sizes of stream logs.

    Args:
        keep_seconds: that a log is kept after its end, or after its writer's last word.
        coalesce_seconds: in which entries are collected before they leave together.
        lease_seconds: of a writer's silence in the store after which it counts as dead.
        renew_seconds: between two signs of life of a writer that has nothing to say.
        grace_seconds: that a lease may be missing before running readers give up, for a store that comes back from a restart.
        silence_seconds: after which a reader looks whether it missed something.
        held_bytes: of its newest entries that a writer holds, for a store that loses some and for readers beside it.
        batch_bytes: that leave together at most, unless one entry is larger.
        entry_bytes: of one entry at most.
        heard_bytes: that wait for one reader at most; one that is slower reads the store again when it comes back.
        end_seconds: that the end of a log may take to reach the store.
        patience_seconds: that a reader waits for a store that is away.
    """

    keep_seconds: float = 3600.0
    coalesce_seconds: float = 0.01
    lease_seconds: float = 6.0
    renew_seconds: float = 1.5
    grace_seconds: float = 3.0
    silence_seconds: float = 2.0
    held_bytes: int = 2 * 1024 * 1024
    batch_bytes: int = 64 * 1024
    entry_bytes: int = 1024 * 1024
    heard_bytes: int = 256 * 1024
    end_seconds: float = 5.0
    patience_seconds: float = 15.0
