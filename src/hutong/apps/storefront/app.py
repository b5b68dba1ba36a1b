"""The storefront app, put together: `create_app(kernel)` for requests, `create_work(kernel)` for jobs."""

from collections.abc import Mapping
from datetime import timedelta
from importlib.resources import files

from fastapi import FastAPI
from sqlalchemy import Connection

from hutong import __version__
from hutong.apps.storefront.account import endpoints as account
from hutong.apps.storefront.account.service import Profiles
from hutong.apps.storefront.auth import endpoints as auth
from hutong.apps.storefront.contract.responses import HEADERS, problem_schema
from hutong.apps.storefront.deps import Storefront
from hutong.apps.storefront.envelope import REAL_STATUS, REALM, Bodies
from hutong.apps.storefront.operations import endpoints as operations
from hutong.apps.storefront.orders import endpoints as orders
from hutong.apps.storefront.orders.receipts import Receipts
from hutong.apps.storefront.payments import endpoints as payments
from hutong.apps.storefront.products import endpoints as products
from hutong.apps.storefront.settings import StorefrontSettings
from hutong.kernel.assembly import AppSpec, Kernel, Work
from hutong.kernel.config import Document
from hutong.kernel.credits import create_account
from hutong.kernel.http.answers import ErrorRenderer, install
from hutong.kernel.http.description import describe
from hutong.kernel.http.failures import FailureLimit
from hutong.kernel.http.limits import Limit
from hutong.kernel.identity import RealmPolicy, TokenRealm, User
from hutong.kernel.identity.accounts import Accounts
from hutong.kernel.identity.sessions import Sessions
from hutong.kernel.orders import Catalogue, Orders, PaymentChannel, Products, Shop, products_document
from hutong.kernel.store import Copies

ROUTERS = (account, auth, products, orders, payments, operations)
"""What is asked most stands first: each router before costs a request 5 µs."""
LARGEST_BODY = 64 * 1024
"""Bytes. Nothing here is larger than a vendor's report."""


def create_app(kernel: Kernel) -> FastAPI:
    """The app as FastAPI, without the edge that the host puts around it."""
    app = FastAPI(
        title="Hutong storefront",
        version=__version__,
        description="Accounts, sessions and orders for a paid client application.",
        docs_url=None,  # the host serves it
        redoc_url=None,
        redirect_slashes=False,  # a redirect would lead to whatever the Host header says
        openapi_url=None if kernel.settings.production else "/openapi.json",
        generate_unique_id_function=lambda route: route.name,
    )
    describe(app, HEADERS, problem_schema())
    app.state.storefront = _parts(kernel)
    install(app, bodies(kernel))
    for feature in ROUTERS:
        app.include_router(feature.router)
    return app


def create_work(kernel: Kernel) -> Work:
    """The app's jobs and schedules."""
    work = Orders(_shop(kernel)).work()
    return Work(tasks=work.tasks, schedules=work.schedules)


def bodies(kernel: Kernel) -> ErrorRenderer:
    """What turns errors into this app's bodies."""
    return Bodies(always_200=kernel.section(StorefrontSettings).always_200)


def documents() -> list[Document[Products]]:
    """This app's live documents with their bundled defaults."""
    default = files("hutong.apps.storefront") / "documents" / "storefront-products.yaml"
    return [products_document(REALM, default.read_bytes())]


def _parts(kernel: Kernel) -> Storefront:
    settings = kernel.section(StorefrontSettings)
    accounts, sessions = open_accounts(kernel), open_sessions(kernel)
    shop = _shop(kernel)
    refused = Limit(f"{REALM}.refused_notices", settings.refused_notices_per_minute)
    return Storefront(
        kernel=kernel,
        settings=settings,
        accounts=accounts,
        sessions=sessions,
        profiles=Profiles(accounts, Copies(kernel.store, f"{REALM}:me", settings.profile_seconds)),
        catalogue=shop.catalogue,
        channels=shop.channels,
        orders=Orders(shop),
        refused_notices=FailureLimit(refused, kernel.limiter, kernel.store, kernel.clock),
        per_user=Limit(f"user.{REALM}", kernel.settings.limits.user_per_minute),
    )


def open_sessions(kernel: Kernel) -> Sessions:
    """The sessions of this realm."""
    settings = kernel.section(StorefrontSettings)
    keys = kernel.settings.realm_keys(REALM, settings.tokens)
    tokens = TokenRealm(keys, kernel.clock, timedelta(seconds=settings.sessions.access_seconds), name=REALM)
    return Sessions(tokens, settings.sessions, kernel.db, kernel.store, kernel.ids, kernel.clock)


def open_accounts(kernel: Kernel) -> Accounts:
    """The accounts of this realm."""
    return kernel.open_accounts(RealmPolicy(REALM, _welcome), open_sessions(kernel))


def _welcome(conn: Connection, new: User) -> None:
    """Open the credits account of a new user, for products that grant credits."""
    create_account(conn, new.id, new.created_at)


def _channels(kernel: Kernel) -> Mapping[str, PaymentChannel]:
    """Where customers of this app pay, in the order of the settings."""
    wanted = kernel.section(StorefrontSettings).channels
    return {name: kernel.channels[name] for name in wanted if name in kernel.channels}


def _shop(kernel: Kernel) -> Shop:
    base = f"{kernel.settings.public_url.rstrip('/')}{kernel.mounted_at[REALM]}/api/payment/notify"
    return Shop(
        realm=REALM,
        db=kernel.db,
        jobs=kernel.jobs,
        ids=kernel.ids,
        clock=kernel.clock,
        catalogue=Catalogue(kernel.documents[f"{REALM}-products.yaml"]),
        channels=_channels(kernel),
        settings=kernel.section(StorefrontSettings).orders,
        notify_url=lambda channel: f"{base}/{channel}",
        on_fulfilled=Receipts(REALM, kernel.mail).enqueue,
        key_lease_seconds=kernel.settings.http.key_lease_seconds,
    )


SPEC = AppSpec(
    name=REALM,
    create_app=create_app,
    create_work=create_work,
    documents=documents,
    renderer=bodies,
    open_accounts=open_accounts,
    largest_body=LARGEST_BODY,
    health="/api/system/health",
    own_limits=REAL_STATUS[:1],
)
