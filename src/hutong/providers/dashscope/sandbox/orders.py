"""Reading what a client sent: JSON bodies of the two model calls and the query of the list."""

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request

from hutong.kit.clock import epoch_ms
from hutong.providers.dashscope.sandbox.answers import BEIJING, TASK_LIFE_MS, Refusal, request_id
from hutong.providers.dashscope.sandbox.pictures import picture_url
from hutong.providers.dashscope.sandbox.ports import Box
from hutong.providers.dashscope.sandbox.queue import Order

MAX_BODY = 256 * 1024
DETECT_MODEL = "emoji-detect-v1"
VIDEO_MODEL = "emoji-v1"
RATIO = "1:1"
PAGE_SIZE = 10
MAX_PAGE_SIZE = 100

TEMPLATES = frozenset(
    {
        *("mengwa_kaixin", "mengwa_dengyan", "mengwa_gandong", "mengwa_renzhen_1", "mengwa_jidong", "mengwa_kun_1"),
        *("mengwa_jiaoxie", "dagong_kaixin", "dagong_yangwang", "dagong_kunhuo", "dagong_zhuakuang", "dagong_wunai"),
        *("dagong_weixiao", "dagong_ganji", "jingdian_tiaopi", "jingdian_deyi_1", "jingdian_qidai"),
        *("jingdian_landuo_1", "jingdian_xianqi", "jingdian_lei"),
    }
)
"""Every `driven_id` the vendor documents (reference: emoji-v1 templates)."""


async def json_body(request: Request) -> Mapping[str, Any]:
    """The request's body as a JSON object.

    Raises:
        Refusal: BadRequest.TooLarge or BadRequest.IllegalInput.
    """
    received = bytearray()
    try:
        async for chunk in request.stream():
            received += chunk
            if len(received) > MAX_BODY:
                raise Refusal("BadRequest.TooLarge")
    except ClientDisconnect:
        raise Refusal("BadRequest.IllegalInput") from None  # nobody reads it; the call has no effect
    try:
        body = json.loads(received)
    except ValueError:
        raise Refusal("BadRequest.IllegalInput") from None
    if not isinstance(body, dict):
        raise Refusal("BadRequest.IllegalInput")
    return body


def detect_url(body: Mapping[str, Any]) -> str:
    """The picture's address of a face-detect call.

    Raises:
        Refusal: the vendor's code for whatever is missing or wrong.
    """
    _check_model(body, DETECT_MODEL)
    address = _text(_part(body, "input"), "image_url", "input.image_url")
    picture_url(address)
    ratio = _text(_part(body, "parameters"), "ratio", "parameters.ratio")
    if ratio != RATIO:
        raise Refusal("InvalidParameter", f'parameters.ratio must be "{RATIO}".')
    return address


def order(body: Mapping[str, Any]) -> Order:
    """The order of a video-synthesis call, with a new task id.

    Raises:
        Refusal: the vendor's code for whatever is missing or wrong.
    """
    _check_model(body, VIDEO_MODEL)
    part = _part(body, "input")
    address = _text(part, "image_url", "input.image_url")
    picture_url(address)
    driven_id = _text(part, "driven_id", "input.driven_id")
    if driven_id not in TEMPLATES:
        raise Refusal("InvalidParameter", f"input.driven_id {driven_id!r} does not exist.")
    return Order(
        task_id=str(uuid.uuid4()),
        request_id=request_id(),
        image_url=address,
        image_path=image_path(address),
        driven_id=driven_id,
        face_bbox=_box(part, "face_bbox"),
        ext_bbox=_box(part, "ext_bbox"),
    )


def image_path(address: str) -> str:
    """The part of an address that names the picture; the signature in its query changes with every call."""
    return urlsplit(address).path or "/"


def conditions(query: Mapping[str, str], now_ms: int) -> list[tuple[str, object]]:
    """The filters of a list call as SQL conditions (reference: asynchronous task management; 24 hours at most).

    Raises:
        Refusal: InvalidParameter for a time that cannot be read or a span over 24 hours.
    """
    start, end = _moment(query, "start_time"), _moment(query, "end_time")
    last = end if end is not None else (start + TASK_LIFE_MS if start is not None else now_ms)
    first = start if start is not None else last - TASK_LIFE_MS
    if last - first > TASK_LIFE_MS:
        raise Refusal("InvalidParameter", "The time range from start_time to end_time must not exceed 24 hours.")
    found: list[tuple[str, object]] = [("submit_ms >= ?", first), ("submit_ms <= ?", last), ("forgotten = ?", 0)]
    for name, column in (("task_id", "id"), ("status", "status")):
        if query.get(name):
            found.append((f"{column} = ?", query[name]))
    if query.get("model_name", VIDEO_MODEL) != VIDEO_MODEL:
        found.append(("1 = ?", 0))
    return found


def page(query: Mapping[str, str]) -> tuple[int, int]:
    """Page number and size of a list call.

    Raises:
        Refusal: InvalidParameter, when they are not positive numbers.
    """
    return _number(query, "page_no", 1, 1_000_000), _number(query, "page_size", PAGE_SIZE, MAX_PAGE_SIZE)


def _number(query: Mapping[str, str], name: str, usual: int, most: int) -> int:
    text = query.get(name) or str(usual)
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= most):
        raise Refusal("InvalidParameter", f"{name} must be a number from 1 to {most}.")
    return int(text)


def _moment(query: Mapping[str, str], name: str) -> int | None:
    """Milliseconds since 1970 of `YYYYMMDDhhmmss` in Beijing; the vendor's Java SDK sends milliseconds as they are."""
    text = query.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) not in {13, 14}:
        raise Refusal("InvalidParameter", f"{name} must have the form YYYYMMDDhhmmss.")
    if len(text) == 13:
        return int(text)
    try:
        moment = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)
    except ValueError:
        raise Refusal("InvalidParameter", f"{name} must have the form YYYYMMDDhhmmss.") from None
    return epoch_ms(moment)


def _check_model(body: Mapping[str, Any], expected: str) -> None:
    if _text(body, "model", "model") != expected:
        raise Refusal("ModelNotFound")


def _part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = body.get(name)
    if part is None:
        raise Refusal("InvalidParameter", f"Field required: {name}")
    if not isinstance(part, dict):
        raise Refusal("InvalidParameter", f"{name} must be an object.")
    return part


def _text(part: Mapping[str, Any], name: str, path: str) -> str:
    value = part.get(name)
    if value is None or value == "":
        raise Refusal("InvalidParameter", f"Field required: {path}")
    if not isinstance(value, str) or len(value) > 4096:
        raise Refusal("InvalidParameter", f"{path} must be a string of at most 4096 characters.")
    return value


def _box(part: Mapping[str, Any], name: str) -> Box:
    value = part.get(name)
    if value is None:
        raise Refusal("InvalidParameter", f"Field required: input.{name}")
    good = isinstance(value, list) and len(value) == 4 and all(type(number) is int for number in value)
    if not good or not (0 <= value[0] < value[2] and 0 <= value[1] < value[3]):
        raise Refusal("InvalidParameter", f"input.{name} must be four integers: left, top, right, bottom.")
    return value[0], value[1], value[2], value[3]
