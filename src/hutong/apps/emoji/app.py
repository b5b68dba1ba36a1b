"""The emoji app, put together: `create_app(kernel)` for requests, `create_work(kernel)` for jobs."""

from datetime import timedelta
from importlib.resources import as_file, files

from fastapi import FastAPI
from sqlalchemy import Connection
from starlette.staticfiles import StaticFiles

from hutong import __version__
from hutong.apps.emoji import envelope
from hutong.apps.emoji.auth import endpoints as auth
from hutong.apps.emoji.catalogue import endpoints as catalogue
from hutong.apps.emoji.catalogue.service import BANNERS, POINTS, STYLES, Catalogue, documents
from hutong.apps.emoji.contract.headers import HEADERS
from hutong.apps.emoji.deps import Emoji
from hutong.apps.emoji.generation import endpoints as generation
from hutong.apps.emoji.generation.erasing import Erasing
from hutong.apps.emoji.generation.rules import failure_kind
from hutong.apps.emoji.generation.service import Generations
from hutong.apps.emoji.generation.tasks import Pipeline
from hutong.apps.emoji.operations import endpoints as operations
from hutong.apps.emoji.pictures import endpoints as pictures
from hutong.apps.emoji.pictures.service import Pictures
from hutong.apps.emoji.points import endpoints as points
from hutong.apps.emoji.settings import EmojiSettings
from hutong.apps.emoji.user import endpoints as user
from hutong.apps.emoji.user.service import Profiles
from hutong.kernel.assembly import AppSpec, Kernel, Work, joined
from hutong.kernel.credits import EntryKind, create_account, grant
from hutong.kernel.credits.ledger import Move
from hutong.kernel.http.answers import install
from hutong.kernel.http.description import describe
from hutong.kernel.identity import Identity, RealmPolicy, TokenRealm, User

REALM = "emoji"
SIGNUP_KEY = "signup"
ROUTERS = (auth, user, points, pictures, generation, catalogue, operations)
UPLOAD_OVERHEAD = 64 * 1024


def create_app(kernel: Kernel) -> FastAPI:
    """The app as FastAPI, without the edge that the host puts around it."""
    app = FastAPI(
        title="Hutong emoji",
        version=__version__,
        description="A photo of a face becomes a personalised emoji video.",
        docs_url=None,  # the host serves it
        redoc_url=None,
        redirect_slashes=False,  # a redirect would lead to whatever the Host header says
        openapi_url=None if kernel.settings.production else "/openapi.json",
        generate_unique_id_function=lambda route: route.name,
    )
    describe(app, HEADERS)
    app.state.emoji = _parts(kernel)
    install(app, envelope.render)
    for feature in ROUTERS:
        app.include_router(feature.router)
    with as_file(files("hutong.apps.emoji") / "assets") as folder:
        app.mount("/assets", StaticFiles(directory=folder), name="assets")
    return app


def create_work(kernel: Kernel) -> Work:
    """The app's jobs, schedules and invariants."""
    settings = kernel.section(EmojiSettings)
    lane = kernel.gateway.video_lane
    poll = settings.poll_seconds or kernel.gateway.poll_seconds
    pipeline = Pipeline(kernel, settings, lane, poll, lambda code: failure_kind(kernel.gateway.refusal_of(code)))
    return joined([pipeline.work(), Erasing(kernel, settings).work()])


def _parts(kernel: Kernel) -> Emoji:
    settings = kernel.section(EmojiSettings)
    identity = _identity(kernel, settings)
    styles, points_rules, banners = (kernel.documents[name] for name in (STYLES, POINTS, BANNERS))
    base_url = f"{kernel.settings.public_url.rstrip('/')}{kernel.mounted_at[REALM]}/"
    shelf = Catalogue(styles, points_rules, banners, base_url)
    shots = Pictures(kernel, settings.link_seconds)
    return Emoji(
        kernel=kernel,
        settings=settings,
        identity=identity,
        profiles=Profiles(kernel, identity),
        catalogue=shelf,
        pictures=shots,
        generations=Generations(kernel, settings, shelf, shots, kernel.gateway.video_lane.in_flight),
    )


def _identity(kernel: Kernel, settings: EmojiSettings) -> Identity:
    keys = kernel.settings.realm_keys(REALM, settings.tokens)
    tokens = TokenRealm(keys, kernel.clock, timedelta(days=settings.token_days))
    policy = RealmPolicy(REALM, lambda conn, new: _welcome(conn, new, kernel))
    return Identity(policy, tokens, kernel.db, kernel.epochs, kernel.ids, kernel.clock)


def _welcome(conn: Connection, new: User, kernel: Kernel) -> None:
    """Open the points account of a new user, with the sign-up reward of the live configuration."""
    create_account(conn, new.id, new.created_at)
    reward = kernel.documents[POINTS].value.signup_reward
    if reward.enabled:
        grant(
            conn,
            Move(
                entry_id=kernel.ids(),
                account_id=new.id,
                kind=EntryKind.REWARD,
                amount=reward.amount,
                key=SIGNUP_KEY,
                now=new.created_at,
                period_key=SIGNUP_KEY,
                ref_type=SIGNUP_KEY,
            ),
        )


SPEC = AppSpec(
    name=REALM,
    create_app=create_app,
    create_work=create_work,
    documents=documents,
    renderer=lambda _kernel: envelope.render,
    larger_bodies={"/api/v1/emoji/upload": 10 * 1024 * 1024 + UPLOAD_OVERHEAD},
)
