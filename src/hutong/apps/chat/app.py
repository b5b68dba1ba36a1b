"""The chat app, put together: `create_app(kernel)` for requests, `create_work(kernel)` for jobs.

A feature joins by its router in `ROUTERS`, its parts in `Chat`, its jobs in `create_work`.
"""

from datetime import timedelta
from typing import Any, Protocol

from fastapi import APIRouter, FastAPI
from starlette.routing import WebSocketRoute

from hutong import __version__
from hutong.apps.chat.account import admin_endpoints as administration
from hutong.apps.chat.account import endpoints as account
from hutong.apps.chat.account import usage
from hutong.apps.chat.account.administration import Administration
from hutong.apps.chat.account.members import COPY, Members
from hutong.apps.chat.account.service import OwnAccount, welcome
from hutong.apps.chat.account.tasks import Erasure
from hutong.apps.chat.accounting import record_reply
from hutong.apps.chat.auth import endpoints as auth
from hutong.apps.chat.compatible import endpoints as compatible
from hutong.apps.chat.compatible import usage_endpoints as spent
from hutong.apps.chat.compatible.envelope import PREFIX, render
from hutong.apps.chat.compatible.opening import compatible_work, open_compatible
from hutong.apps.chat.compatible.responses import endpoints as responses
from hutong.apps.chat.contract.responses import HEADERS
from hutong.apps.chat.conversations import endpoints as conversations
from hutong.apps.chat.conversations import transfer_endpoints as transfer
from hutong.apps.chat.conversations.service import COPY as LISTS
from hutong.apps.chat.conversations.service import Conversations
from hutong.apps.chat.conversations.transfer import IMPORT_BYTES, Transfer
from hutong.apps.chat.deps import Chat
from hutong.apps.chat.envelope import API, REALM, Bodies
from hutong.apps.chat.live import endpoints as live
from hutong.apps.chat.live.service import Live, open_sockets
from hutong.apps.chat.messages import endpoints as messages
from hutong.apps.chat.models import endpoints as models
from hutong.apps.chat.operations import endpoints as operations
from hutong.apps.chat.page import endpoints as page
from hutong.apps.chat.replies.opening import Ends
from hutong.apps.chat.replies.service import Replies
from hutong.apps.chat.replies.tasks import Sweep
from hutong.apps.chat.settings import ChatSettings
from hutong.kernel.assembly import AppSpec, Kernel, Work, joined
from hutong.kernel.config import Document
from hutong.kernel.http.answers import ErrorRenderer, install
from hutong.kernel.http.description import describe
from hutong.kernel.http.limits import Limit
from hutong.kernel.identity import RealmPolicy, TokenRealm
from hutong.kernel.identity.accounts import Accounts
from hutong.kernel.identity.api_keys import ApiKeys
from hutong.kernel.identity.sessions import Sessions
from hutong.kernel.quotas import Quotas
from hutong.kernel.store import LayeredCopies


class Feature(Protocol):
    """What `ROUTERS` lists: a module of endpoints."""

    router: APIRouter


ROUTERS: tuple[Feature, ...] = (
    *(auth, account, usage, spent, administration, models, transfer, conversations),
    *(messages, live),
)
"""Features below `/api/v1`, which each router names itself, so that metrics and logs show the whole path."""
AT_THE_ROOT: tuple[Feature, ...] = (compatible, responses, operations, page)
"""Features at the app's root: the probe, the compatible endpoint (`/v1`), the page."""


def create_app(kernel: Kernel) -> FastAPI:
    """The app as FastAPI, without the edge that the host puts around it."""
    app = FastAPI(
        title="Hutong chat",
        version=__version__,
        description="Conversations with models, within quotas.",
        docs_url=None,  # the host serves it
        redoc_url=None,
        redirect_slashes=False,  # a redirect would lead to whatever the Host header says
        openapi_url=None if kernel.settings.production else "/openapi.json",
        generate_unique_id_function=lambda route: route.name,
    )
    describe(app, HEADERS)
    app.state.chat = chat = _parts(kernel)
    app.state.compatible = open_compatible(chat, open_quotas(kernel))
    install(app, bodies(kernel))
    for feature in (*AT_THE_ROOT, *ROUTERS):  # routes are looked through one by one, and no call is as frequent as `/v1`
        app.include_router(feature.router)
    app.router.routes.append(WebSocketRoute(API + live.PATH, open_sockets(app.state.chat.live, kernel)))
    return app


def create_work(kernel: Kernel) -> Work:
    """The app's jobs and schedules."""
    settings, quotas = kernel.section(ChatSettings), open_quotas(kernel)
    sweep = Sweep(kernel, quotas, settings.replies, Ends(quotas, record_reply))
    return joined([Work(tasks=Erasure(kernel.db).tasks()), sweep.work(), compatible_work(kernel, quotas)])


def bodies(kernel: Kernel) -> ErrorRenderer:
    """What turns errors into this app's bodies."""
    return Bodies({PREFIX: render})


def documents() -> list[Document[Any]]:
    """This app has no live documents of its own: models are the kernel's."""
    return []


def _parts(kernel: Kernel) -> Chat:
    settings = kernel.section(ChatSettings)
    accounts, sessions, members = open_accounts(kernel), open_sessions(kernel), open_members(kernel)
    chosen, quotas, keys = open_conversations(kernel), open_quotas(kernel), open_keys(kernel)
    replies = open_replies(kernel, quotas, chosen)
    per_user = Limit(f"user.{REALM}", kernel.settings.limits.user_per_minute)
    return Chat(
        kernel=kernel,
        settings=settings,
        accounts=accounts,
        sessions=sessions,
        members=members,
        account=OwnAccount(kernel.db, kernel.jobs, kernel.clock, accounts, members, keys, quotas),
        administration=Administration(kernel.db, kernel.clock, kernel.ids, accounts, sessions, members, settings.quota),
        replies=replies,
        live=Live(kernel, sessions, members, replies, per_user),
        conversations=chosen,
        transfer=Transfer(kernel.db, kernel.clock, chosen, settings.conversations),
        quotas=quotas,
        keys=keys,
        per_user=per_user,
    )


def open_quotas(kernel: Kernel) -> Quotas:
    """The quotas of this realm."""
    return Quotas(REALM, kernel.clock)


def open_keys(kernel: Kernel) -> ApiKeys:
    """The API keys of this realm."""
    return ApiKeys(REALM, kernel.ids, kernel.clock)


def open_replies(kernel: Kernel, quotas: Quotas, lists: Conversations) -> Replies:
    """The replies of this process, which are ended before it ends."""
    replies = Replies(kernel, quotas, kernel.section(ChatSettings).replies, Ends(quotas, record_reply), lists.changed)
    kernel.closing.append(replies.leave)
    return replies


def open_members(kernel: Kernel) -> Members:
    """The members, with copies in the store and in this process."""
    settings = kernel.section(ChatSettings)
    copies = LayeredCopies(kernel.store, COPY, settings.session_copy_seconds, settings.process_copies)
    return Members(kernel.db, copies, settings.quota)


def open_conversations(kernel: Kernel) -> Conversations:
    """The conversations, with copies of lists in the store and in this process."""
    settings = kernel.section(ChatSettings)
    copies = LayeredCopies(kernel.store, LISTS, settings.list_copy_seconds, settings.process_copies)
    return Conversations(kernel.db, kernel.clock, kernel.gateway.chats, copies, kernel.feeds, settings)


def open_sessions(kernel: Kernel) -> Sessions:
    """The sessions of this realm."""
    settings = kernel.section(ChatSettings)
    keys = kernel.settings.realm_keys(REALM, settings.tokens)
    tokens = TokenRealm(keys, kernel.clock, timedelta(seconds=settings.sessions.access_seconds), name=REALM)
    return Sessions(tokens, settings.sessions, kernel.db, kernel.store, kernel.ids, kernel.clock)


def open_accounts(kernel: Kernel) -> Accounts:
    """The accounts of this realm."""
    return kernel.open_accounts(RealmPolicy(REALM, welcome), open_sessions(kernel))


SPEC = AppSpec(
    name=REALM,
    create_app=create_app,
    create_work=create_work,
    documents=documents,
    renderer=bodies,
    open_accounts=open_accounts,
    page=True,
    larger_bodies={f"{API}/conversations/import": IMPORT_BYTES},
)
