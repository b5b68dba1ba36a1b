"""Answers of the provider that are not true: every lie of the sandbox's page, over HTTP."""

from typing import Any

import pytest

from support.stand import FAST, Phone, Stand

PATIENT = {"poll_seconds": 0.25}
"""A link that is of no use is tried for four times as long, so that a second try comes in time on a slow machine, too."""


async def created(phone: Phone) -> str:
    return str((await phone.create(await phone.uploaded())).data["task_id"])


@pytest.mark.parametrize(
    ("lie", "status"),
    [
        ("garbage", "completed"),
        ("wrong-task", "completed"),
        ("stale", "completed"),
        ("no-id", "completed"),
        ("cut-short", "completed"),
        ("not-video", "completed"),
        ("too-large", "completed"),
        ("no-url", "failed"),
        ("bad-url", "failed"),
        ("foreign-url", "failed"),
    ],
)
async def test_one_lie_of_the_provider_is_seen_through(stand_up: Any, lie: str, status: str) -> None:
    """Another's answer, garbage, half a video: asked again. A result that is none: the points go back."""
    stand: Stand = await stand_up(emoji=PATIENT, dashscope=FAST["dashscope"] | {"largest_video": 10_000})
    phone, other = await stand.phone(), await stand.phone()
    await other.ended(await created(other))
    await stand.press("lie", what=lie)
    task = await phone.ended(await created(phone))

    assert task["status"] == status
    assert await phone.balance() == (90 if status == "completed" else 100)
