"""Bodies of the points endpoints."""

from typing import Literal

from pydantic import BaseModel


class Balance(BaseModel):
    """How many points the caller has."""

    balance: int


class TransactionView(BaseModel):
    """One line of the caller's ledger. `amount` is negative when points were taken."""

    id: str
    type: Literal["consume", "purchase", "reward", "refund"]
    amount: int
    balance_after: int
    task_type: str | None
    task_id: str | None
    order_id: str | None
    reward_week: str | None
    created_at: str


class TransactionPage(BaseModel):
    """A page of the ledger, newest first."""

    items: list[TransactionView]
    total: int
    page: int
    page_size: int
