"""GET /users/me/quota; GET, POST and DELETE /users/me/keys."""

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from hutong.apps.chat.contract.responses import SIGNED_IN, WITH_BODY, failures
from hutong.apps.chat.deps import App, Caller
from hutong.apps.chat.envelope import API, ok
from hutong.apps.chat.rows.errors import KeyUnknown
from hutong.kernel.http.strict import Moment, StrictModel, StrictRoute
from hutong.kernel.identity.api_keys import LONGEST_NAME, ApiKey
from hutong.kernel.identity.errors import ApiKeyExpiryInvalid, ApiKeyNameInvalid, ApiKeysFull
from hutong.kernel.quotas import COUNTERS, CounterUse
from hutong.kit.clock import iso_z
from hutong.kit.ids import parse_id

router = APIRouter(prefix=f"{API}/users/me", tags=["account"], route_class=StrictRoute)


class CounterView(BaseModel):
    """One counter of a quota."""

    used: int = Field(description="For good.")
    reserved: int = Field(description="By replies that are being generated.")
    limit: int | None = Field(description="Null: unlimited.")
    remaining: int | None
    resets_at: str = Field(description="When it begins anew, at midnight UTC.")


class QuotaView(BaseModel):
    """The four counters, as they are in the database at this moment."""

    daily_requests: CounterView
    monthly_requests: CounterView
    daily_tokens: CounterView
    monthly_tokens: CounterView


class NewKey(StrictModel):
    """An API key to make."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME, description="For you to know it by.")
    expires_at: Moment | None = Field(None, description="A moment in the future; left out, the key does not expire.")


class KeyView(BaseModel):
    """An API key, without its secret."""

    id: str
    name: str
    hint: str = Field(description="Its first and last characters.")
    created_at: str
    expires_at: str | None
    last_used_at: str | None = Field(description="At most a minute behind.")


class MadeKey(KeyView):
    """An API key that was just made."""

    secret: str = Field(description="Shown this once; nothing but a digest of it is kept.")


class KeyList(BaseModel):
    """The caller's API keys, the newest first."""

    items: list[KeyView]


@router.get(
    "/quota", response_model=QuotaView, responses=failures(*SIGNED_IN), summary="What is used, and what is left"
)
async def read_quota(app: App, caller: Caller) -> Response:
    """Asked of the database each time, for what is reserved changes with every reply."""
    use = await app.kernel.db.read(app.quotas.usage, caller.user_id, caller.limits)
    headers = use.headers(app.kernel.clock.now())
    return ok(QuotaView(**{name: _counter(getattr(use, name)) for name in COUNTERS}), headers=headers)


@router.get("/keys", response_model=KeyList, responses=failures(*SIGNED_IN), summary="API keys")
async def list_keys(app: App, caller: Caller) -> Response:
    """The keys that were not revoked; of those that expired, too."""
    found = await app.kernel.db.read(app.keys.list, caller.user_id)
    return ok(KeyList(items=[KeyView(**_facts(key)) for key in found]))


@router.post(
    "/keys",
    status_code=201,
    response_model=MadeKey,
    responses=failures(*SIGNED_IN, *WITH_BODY, ApiKeysFull, ApiKeyNameInvalid, ApiKeyExpiryInvalid),
    summary="Make an API key",
)
async def create_key(body: NewKey, app: App, caller: Caller) -> Response:
    """For programs, at the endpoints under `/v1`; metered by the caller's own quota."""
    key, secret = await app.kernel.db.write(app.keys.create, caller.user_id, body.name, body.expires_at)
    return ok(MadeKey(**_facts(key), secret=secret), 201)


@router.delete(
    "/keys/{key_id}",
    status_code=204,
    response_class=Response,
    responses=failures(*SIGNED_IN, KeyUnknown),
    summary="Revoke an API key",
)
async def revoke_key(key_id: str, app: App, caller: Caller) -> Response:
    """Every process refuses it within five seconds."""
    number = parse_id(key_id)
    if number is None or not await app.kernel.db.write(app.keys.revoke, caller.user_id, number):
        raise KeyUnknown
    return Response(status_code=204)


def _counter(use: CounterUse) -> CounterView:
    return CounterView(
        used=use.used, reserved=use.reserved, limit=use.limit, remaining=use.remaining, resets_at=iso_z(use.resets_at)
    )


def _facts(key: ApiKey) -> dict[str, str | None]:
    return {
        "id": str(key.id),
        "name": key.name,
        "hint": f"{key.prefix}…{key.last_four}",
        "created_at": iso_z(key.created_at),
        "expires_at": iso_z(key.expires_at) if key.expires_at else None,
        "last_used_at": iso_z(key.last_used_at) if key.last_used_at else None,
    }
