"""POST /ws/ticket, and WS /ws beside it."""

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from hutong.apps.chat.contract.responses import SIGNED_IN, failures
from hutong.apps.chat.deps import App, Caller
from hutong.apps.chat.envelope import API, ok
from hutong.apps.chat.live.service import TICKET_SECONDS
from hutong.kernel.http.strict import StrictRoute

router = APIRouter(prefix=API, tags=["live"], route_class=StrictRoute)
PATH = "/ws"


class TicketView(BaseModel):
    """A word that opens one socket."""

    ticket: str
    expires_in: int = Field(description="Seconds in which it is good, once.")


@router.post(
    "/ws/ticket", status_code=201, response_model=TicketView, responses=failures(*SIGNED_IN), summary="A ticket for /ws"
)
async def issue_ticket(app: App, caller: Caller) -> Response:
    """For clients that open sockets where a token must not be: `WS /ws?ticket=…`, or in the first frame."""
    ticket = await app.live.tickets.issue(caller.user_id, str(caller.session_id))
    return ok({"ticket": ticket, "expires_in": int(TICKET_SECONDS)}, 201)
