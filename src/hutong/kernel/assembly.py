"""The kernel in one piece: what `create_app(kernel)` and `create_work(kernel)` of every app are given by the host."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fastapi import FastAPI

from hutong.kernel.config import Document
from hutong.kernel.credits import HoldResolvers, Wallet
from hutong.kernel.db import Database
from hutong.kernel.files import ImageIntake, Storage
from hutong.kernel.gateway import Gateway
from hutong.kernel.http.addresses import ClientAddress
from hutong.kernel.http.answers import ErrorRenderer
from hutong.kernel.http.limits import Limiter
from hutong.kernel.identity import RealmPolicy
from hutong.kernel.identity.accounts import Accounts, AccountServices
from hutong.kernel.identity.epochs import Epochs
from hutong.kernel.identity.passwords import Passwords
from hutong.kernel.identity.sessions import Sessions
from hutong.kernel.jobs import Jobs, Schedule, Task
from hutong.kernel.mail import Mail
from hutong.kernel.observability.health import HealthRegistry
from hutong.kernel.observability.invariants import Invariant
from hutong.kernel.orders.ports import PaymentChannel
from hutong.kernel.realtime import Feeds, StreamLogs
from hutong.kernel.secrets import Sealer
from hutong.kernel.settings import KernelSettings, Section
from hutong.kernel.store import Store
from hutong.kit.clock import Clock

S = TypeVar("S", bound=Section)


@dataclass(frozen=True)
class Kernel:
    """Everything an app may use. Built once per process by `host.wiring`."""

    settings: KernelSettings
    sections: Mapping[type[Section], Section]
    clock: Clock
    ids: Callable[[], int]
    db: Database
    store: Store
    streams: StreamLogs
    feeds: Feeds
    jobs: Jobs
    limiter: Limiter
    address: ClientAddress
    epochs: Epochs
    wallet: Wallet
    files: Storage
    images: ImageIntake
    gateway: Gateway
    mail: Mail
    passwords: Passwords
    sealer: Sealer
    channels: Mapping[str, PaymentChannel]
    health: HealthRegistry
    documents: Mapping[str, Document[Any]]
    mounted_at: Mapping[str, str]
    closing: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    """What apps do at the end of their process, while everything else is there still. `create_app` adds to it."""

    def section(self, kind: type[S]) -> S:
        """An app's or provider's own settings."""
        found = self.sections[kind]
        assert isinstance(found, kind)
        return found

    def open_accounts(self, policy: RealmPolicy, sessions: Sessions) -> Accounts:
        """Accounts with an e-mail address of one realm, whose sessions these are."""
        services = AccountServices(
            db=self.db,
            limiter=self.limiter,
            jobs=self.jobs,
            mail=self.mail,
            ids=self.ids,
            clock=self.clock,
            passwords=self.passwords,
            settings=self.settings.auth,
            secret=self.settings.identity_secret,
        )
        return Accounts(policy, sessions, services)


@dataclass(frozen=True)
class Work:
    """What an app does outside requests."""

    tasks: Sequence[Task] = ()
    schedules: Sequence[Schedule] = ()
    invariants: Sequence[Invariant] = ()
    hold_resolvers: HoldResolvers = field(default_factory=dict)


def joined(parts: Sequence[Work]) -> Work:
    """Several pieces of work as one."""
    return Work(
        tasks=[task for part in parts for task in part.tasks],
        schedules=[schedule for part in parts for schedule in part.schedules],
        invariants=[invariant for part in parts for invariant in part.invariants],
        hold_resolvers={name: resolver for part in parts for name, resolver in part.hold_resolvers.items()},
    )


@dataclass(frozen=True)
class AppSpec:
    """What the host must know of an app to run it.

    Args:
        name: of the app, its realm and its mount.
        create_app, create_work: make it from a kernel.
        documents: its live documents, made anew at each call.
        renderer: makes what turns an error into the app's own body, for what fails before the app is reached.
        larger_bodies: path suffixes whose bodies may be larger than usual, in bytes.
        largest_body: bytes of any other body, where that is less than the settings allow.
        health: path of its own health page.
        page: whether a page for people stands at its root.
        own_limits: path prefixes that the limit of an address leaves alone, for they are limited by what comes of them.
        open_accounts: makes its accounts, for operators; None for an app whose users have no e-mail address.
    """

    name: str
    create_app: Callable[[Kernel], FastAPI]
    create_work: Callable[[Kernel], Work]
    documents: Callable[[], list[Document[Any]]]
    renderer: Callable[[Kernel], ErrorRenderer]
    larger_bodies: Mapping[str, int] = field(default_factory=dict)
    largest_body: int | None = None
    health: str = "/health"
    page: bool = False
    own_limits: tuple[str, ...] = ()
    open_accounts: Callable[[Kernel], Accounts] | None = None
