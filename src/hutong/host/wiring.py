"""Joins everything: settings to kernel services, providers to ports, apps to the kernel. The only place that may."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy import Connection

from hutong.apps.chat.app import SPEC as CHAT
from hutong.apps.emoji.app import SPEC as EMOJI
from hutong.apps.storefront.app import SPEC as STOREFRONT
from hutong.host.channels import open_channels
from hutong.host.chatting import open_chats
from hutong.host.housekeeping import kernel_work
from hutong.host.mailing import open_mail
from hutong.host.settings import Settings
from hutong.host.storages import open_storage
from hutong.kernel.assembly import AppSpec, Kernel, Work, joined
from hutong.kernel.config import Documents, FolderSource
from hutong.kernel.credits import Wallet
from hutong.kernel.db import Database, open_database
from hutong.kernel.files import ImageIntake, Storage
from hutong.kernel.gateway import VIDEO_LANE, Gateway, Lane
from hutong.kernel.gateway.chats import Chats
from hutong.kernel.gateway.models import models_document
from hutong.kernel.http.addresses import ClientAddress
from hutong.kernel.http.limits import Limiter
from hutong.kernel.http.outbound import Outbound
from hutong.kernel.identity.epochs import Epochs
from hutong.kernel.identity.passwords import Passwords
from hutong.kernel.jobs import Bell, Jobs, LeasedIds, Worker
from hutong.kernel.mail import Mail
from hutong.kernel.observability.health import HealthRegistry
from hutong.kernel.observability.invariants import Violation, check
from hutong.kernel.realtime import Feeds, StreamLogs
from hutong.kernel.secrets import Sealer
from hutong.kernel.settings import SettingsRefused
from hutong.kernel.store import EmbeddedStore, Store, open_store
from hutong.kit.clock import Clock, SystemClock
from hutong.providers.dashscope.client import DashScopeEmoji
from hutong.providers.dashscope.errors import refusal_of
from hutong.providers.dashscope.pacing import PacedDetection

SPECS: Mapping[str, AppSpec] = {spec.name: spec for spec in (EMOJI, STOREFRONT, CHAT)}
VENDOR_POLL_SECONDS = 15.0
SANDBOX_POLL_SECONDS = 1.0
SANDBOX_PATH = "/sandbox/dashscope"
OSS_SANDBOX_PATH = "/sandbox/oss"
MAIL_SANDBOX_PATH = "/sandbox/mail"


class Host:
    """Everything one process holds, started and stopped together.

    Args:
        settings: of this process.
        apps: names of the apps that it serves or works for; all of them when left out.
        alone: the one app is mounted at `/`, not under its name.
        clock: another one in tests.
    """

    def __init__(
        self, settings: Settings, apps: Sequence[str] = (), *, alone: bool = False, clock: Clock | None = None
    ) -> None:
        self.settings = settings
        self.specs = [SPECS[name] for name in (apps or SPECS)]
        clock = clock or SystemClock()
        db, store = open_database(settings), open_store(store_url(settings))
        self.ids = LeasedIds(db, clock)
        self.bell = Bell(store)
        self.outbound = Outbound(allow_private=not settings.production)
        self.inside = Outbound(allow_private=True)
        models = models_document()
        documents = {document.name: document for spec in self.specs for document in spec.documents()}
        documents[models.name] = models
        self.documents = Documents(FolderSource(settings.folder / "config"), list(documents.values()))
        files = open_storage(settings, clock)
        jobs, sealer = Jobs(self.ids, clock, self.bell), Sealer(settings.sealing_keys)
        mail = open_mail(settings, jobs, sealer, store, clock)
        mounted_at = {spec.name: "" if alone else f"/{spec.name}" for spec in self.specs}
        self.kernel = Kernel(
            settings=settings,
            sections=settings.sections,
            clock=clock,
            ids=self.ids,
            db=db,
            store=store,
            streams=StreamLogs(store),
            feeds=Feeds(store),
            jobs=jobs,
            limiter=Limiter(store, clock, enabled=settings.limits.enabled),
            address=ClientAddress(settings.http.trusted_proxies),
            epochs=Epochs(db, store),
            wallet=Wallet(db),
            files=files,
            images=ImageIntake(),
            gateway=_gateway(
                settings, self.outbound, db, open_chats(settings, self.outbound, self.inside, clock, models)
            ),
            mail=mail,
            passwords=Passwords(settings.auth.hash_threads, settings.auth.hash_queue),
            sealer=sealer,
            health=_health(settings, db, store, files, mail),
            channels=open_channels(settings, self.outbound, clock),
            documents=documents,
            mounted_at=mounted_at,
        )
        self.work = joined(
            [kernel_work(self.kernel, self.all_work), *(spec.create_work(self.kernel) for spec in self.specs)]
        )

    def all_work(self) -> Work:
        """Jobs, schedules, invariants and hold resolvers of the kernel and the apps."""
        return self.work

    async def start(self) -> None:
        """Take a machine number and read the live documents; broken off, it lets go of everything."""
        try:
            await self.ids.start()
            await self.documents.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Let go of everything; failures of one part do not keep the others open."""
        try:
            await asyncio.gather(*(close() for close in self.kernel.closing))
            await self.documents.stop()
            await self.ids.stop()
        finally:
            await self.outbound.close()
            await self.inside.close()
            self.kernel.images.close()
            self.kernel.passwords.close()
            await self.kernel.streams.close()
            await self.kernel.files.close()
            await self.kernel.store.close()
            await self.kernel.db.close()

    def worker(self) -> Worker:
        """A worker for all the tasks."""
        kernel, work = self.kernel, self.work
        return Worker(kernel.db, self.bell, kernel.jobs, kernel.clock, work.tasks, work.schedules, self.settings.jobs)

    def verify(self, conn: Connection) -> Sequence[Violation]:
        """Every broken promise about the data."""
        return check(conn, self.work.invariants)


def store_url(settings: Settings) -> str:
    """Where the store listens: as set, or the private server of the data folder.

    Raises:
        SettingsRefused: production without a store of its own.
    """
    if settings.store_url:
        return settings.store_url
    return EmbeddedStore.of(settings).url


def dashscope_url(settings: Settings) -> str:
    """The vendor, or this installation's sandbox."""
    return settings.dashscope.base_url or f"{settings.public_url.rstrip('/')}{SANDBOX_PATH}/api/v1"


def _gateway(settings: Settings, outbound: Outbound, db: Database, chats: Chats) -> Gateway:
    chosen = settings.dashscope
    client = DashScopeEmoji(chosen, dashscope_url(settings), outbound)
    usual = SANDBOX_POLL_SECONDS if settings.sandboxed else VENDOR_POLL_SECONDS
    return Gateway(
        faces=PacedDetection(client, db, chosen),
        videos=client,
        video_lane=Lane(VIDEO_LANE, chosen.in_flight, chosen.submit_per_second),
        poll_seconds=max(usual, chosen.in_flight / chosen.query_per_second),
        refusal_of=refusal_of,
        chats=chats,
    )


def _health(settings: Settings, db: Database, store: Store, files: Storage, mail: Mail) -> HealthRegistry:
    """The store is not required: without it everything goes on, slower (see docs/kernel/store.md).

    Nor is a bucket: without it, what needs a picture answers 503, and all else goes on. The data folder is no other
    machine, and the database lies in it or does not need it; it has no entry of its own. Without a mail server mails wait.
    """
    health = HealthRegistry()
    health.register("database", db.ping)
    health.register("redis", store.ping, required=False)
    if settings.files.storage != "disk":
        health.register("storage", files.ping, required=False)
    health.register("mail", mail.ping, required=False)
    return health


def check_apps(names: Sequence[str]) -> None:
    """Refuse names of apps that do not exist.

    Raises:
        SettingsRefused.
    """
    if unknown := [name for name in names if name not in SPECS]:
        raise SettingsRefused(f"there is no app called {unknown[0]!r}; there are: {', '.join(SPECS)}")


def migrations_folder() -> Path:
    """Where the migration tree lies: beside the source, or inside the installed package."""
    package = Path(__file__).resolve().parents[1]
    beside = package.parents[1] / "migrations"
    return beside if (beside / "env.py").is_file() else package / "migrations"
