"""What users see when the provider misbehaves, over HTTP, on every database; its lies are in tests/apps/emoji/test_lies.py."""

from typing import Any

from support.stand import Phone, Stand, until

QUICK = {"poll_seconds": 0.05, "down_pause_seconds": 0.1, "throttled_pause_seconds": 0.1}


async def created(phone: Phone) -> str:
    return str((await phone.create(await phone.uploaded())).data["task_id"])


async def test_a_refused_account_stops_submissions_and_burns_no_task(stand_up: Any) -> None:
    """Tasks wait in our queue while the account is out of order, and go through when it is paid again."""
    stand: Stand = await stand_up(emoji=QUICK | {"blocked_pause_seconds": 0.5})
    phone = await stand.phone()
    image_url = await phone.uploaded()
    await phone.call("POST", "/emoji/detect", json={"image_url": image_url})
    await stand.press("refuse-key", code="Arrearage")
    ids = [(await phone.create(image_url)).data["task_id"] for _ in range(3)]

    async def taken_back() -> bool:
        rows = await stand.host.kernel.db.read(
            lambda conn: conn.exec_driver_sql(
                "SELECT COUNT(*) FROM emoji_task_events WHERE note = 'the provider refuses the account'"
            ).scalar_one()
        )
        return bool(rows >= 1)

    await until(taken_back)
    states = {(await phone.task(task_id))["status"] for task_id in ids}
    await stand.press("reset")

    assert states <= {"pending", "processing"}
    assert {(await phone.ended(task_id))["status"] for task_id in ids} == {"completed"}
    assert (await stand.sandbox_totals())["creates"] == 3
    assert await phone.balance() == 70


async def test_a_server_error_that_the_vendor_owns_up_to_is_no_lost_answer(stand_up: Any) -> None:
    """It said itself that nothing was accepted, so it is asked again, as often as it takes, and nothing is paid twice."""
    stand: Stand = await stand_up(emoji=QUICK | {"submissions": 1})
    phone = await stand.phone()
    image_url = await phone.uploaded()
    await stand.press("break", code="ModelServiceFailed", on="create", times="1")
    task = await phone.ended((await phone.create(image_url)).data["task_id"])

    assert task["status"] == "completed"
    assert (await stand.sandbox_totals())["creates"] == 1


async def test_a_lost_answer_costs_one_more_submission_and_then_the_points_go_back(stand_up: Any) -> None:
    """At most `submissions` in all: the second attempt succeeds, or the task fails with its points back."""
    stand: Stand = await stand_up(emoji=QUICK | {"submissions": 2})
    phone = await stand.phone()
    await stand.press("lose-answer", times="1")
    first = await phone.ended(await created(phone))
    await stand.press("lose-answer", times="2")
    second = await phone.ended(await created(phone))

    assert (first["status"], second["status"]) == ("completed", "failed")
    assert await phone.entries() == [("reward", 100), ("consume", -10), ("consume", -10), ("refund", 10)]


async def test_a_hung_provider_ends_in_a_refund(stand_up: Any) -> None:
    stand: Stand = await stand_up(emoji=QUICK | {"generation_seconds": 0.5})
    phone = await stand.phone()
    await stand.press("hang", times="1")
    task = await phone.ended(await created(phone))

    assert task["status"] == "failed" and "too long" in task["error_message"]
    assert await phone.balance() == 100


async def test_a_link_that_died_ends_in_a_refund(stand_up: Any) -> None:
    """The vendor made the video and its link answers 403 for good: it is tried a few times, then the points go back."""
    stand: Stand = await stand_up(emoji=QUICK)
    phone = await stand.phone()
    await stand.press("throttle", times="", on="query")  # until the link is dead, we do not hear of the video
    task_id = await created(phone)

    async def made() -> str | None:
        async with stand.client.get(f"{stand.base}/sandbox/dashscope/control/tasks") as answer:
            rows = (await answer.json())["tasks"]
        return next((row["task_id"] for row in rows if row["status"] == "SUCCEEDED"), None)

    await stand.press("expire-link", task_id=await until(made))
    await stand.press("reset")
    task = await phone.ended(task_id)

    assert task["status"] == "failed"
    assert await phone.balance() == 100


async def test_throttling_only_delays(stand_up: Any) -> None:
    stand: Stand = await stand_up(emoji=QUICK)
    phone = await stand.phone()
    image_url = await phone.uploaded()
    await phone.call("POST", "/emoji/detect", json={"image_url": image_url})
    await stand.press("throttle", times="3", on="create")
    await stand.press("throttle", times="3", on="query")
    await stand.press("lose-query", times="3")
    task = await phone.ended((await phone.create(image_url)).data["task_id"])

    assert task["status"] == "completed"
    assert (await stand.sandbox_totals())["creates"] == 1


async def test_the_answer_about_somebody_elses_task_gives_nobody_their_video(stand_up: Any) -> None:
    """A vendor that mixes up answers for good: the task fails in the end, rather than show another one's face."""
    stand: Stand = await stand_up(emoji=QUICK | {"generation_seconds": 1.0})
    other, phone = await stand.phone(), await stand.phone()
    await other.ended(await created(other))
    await stand.press("lie", what="wrong-task", times="")
    task = await phone.ended(await created(phone))

    assert (task["status"], task["result_url"]) == ("failed", None)
    assert await phone.balance() == 100
