"""The bodies of the vendor's answers.

Reference: DashScope emoji-detect-v1 and emoji-v1 API, asynchronous task management, error codes.
"""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from starlette.responses import JSONResponse

from hutong.providers.dashscope.sandbox.queue import Task

BEIJING = timezone(timedelta(hours=8))
TASK_LIFE_MS = 24 * 3600 * 1000

THROTTLED = "Requests rate limit exceeded, please try again later."
BAD_PICTURE = "please upload another image"

CODES: Mapping[str, tuple[int, str]] = {
    "InvalidParameter": (400, "Required parameter(s) missing or invalid, please check the request parameters."),
    "BadRequest.IllegalInput": (400, "The input parameter requires json format."),
    "BadRequest.InputDownloadFailed": (400, "Failed to download the input file."),
    "BadRequest.TooLarge": (413, "Payload Too Large"),
    "InvalidURL": (400, "Invalid URL provided in your request."),
    "InvalidURL.ConnectionRefused": (400, "Connection refused, please provide available URL."),
    "InvalidURL.Timeout": (400, "Download timeout, please check network connection."),
    "UnsupportedOperation": (400, "Failed to cancel the task, please confirm if the task is in PENDING status."),
    "DataInspectionFailed": (400, "Input or output data may contain inappropriate content."),
    "IPInfringementSuspect": (400, "Input data is suspected of being involved in IP infringement."),
    "Arrearage": (400, "Access denied, please make sure your account is in good standing."),
    "InvalidFile.NoHuman": (400, f"The input image has no human body, {BAD_PICTURE}."),
    "InvalidFile.MultiHuman": (400, f"The input image has multi human bodies, {BAD_PICTURE}."),
    "InvalidFile.FacePose": (400, f"The pose of the detected face is invalid, {BAD_PICTURE} with a frontal face."),
    "InvalidFile.FullFace": (400, f"The pose of the detected face is invalid, {BAD_PICTURE} with whole face."),
    "InvalidFile.Value": (400, "The value of the image is invalid, please upload other clearer image."),
    "InvalidFile.Size": (400, "Invalid file size, the image file size must be smaller than 10MB."),
    "InvalidFile.Openerror": (400, "Invalid file, cannot open file as image, video or audio."),
    "InvalidApiKey": (401, "Invalid API-key provided."),
    "AccessDenied": (403, "Access denied."),
    "AccessDenied.Unpurchased": (403, "Access to model denied. Please make sure you are eligible for using the model."),
    "AllocationQuota.FreeTierOnly": (403, "The free tier of the model has been exhausted."),
    "ModelNotFound": (404, "Model can not be found."),
    "Throttling": (429, THROTTLED),
    "Throttling.RateQuota": (429, THROTTLED),
    "Throttling.BurstRate": (429, "Request rate increased too quickly, please try again later."),
    "Throttling.AllocationQuota": (429, "Allocated quota exceeded, please increase your quota limit."),
    "InternalError": (500, "An internal error has occured, please try again later or contact service support."),
    "InternalError.Algo": (500, "An internal error has occured during algorithm execution."),
    "InternalError.Timeout": (500, "An internal timeout error has occured, please try again later."),
    "InternalError.Upload": (500, "Failed to upload result."),
    "SystemError": (500, "An system error has occured, please try again later."),
    "ModelServiceFailed": (500, "Failed to request model service."),
    "ModelUnavailable": (503, "Model is unavailable, please try again later."),
}
"""Status and usual message of each code; spellings are the vendor's. Clients match on the code alone."""


class Refusal(Exception):
    """An API call that ends with a top-level error; not billed by the vendor."""

    def __init__(self, code: str, message: str | None = None) -> None:
        self.code = code
        self.status, usual = CODES[code]
        self.message = message or usual
        super().__init__(code, self.message)


def request_id() -> str:
    return str(uuid.uuid4())


def answer(body: Mapping[str, Any], status: int = 200, request: str | None = None) -> JSONResponse:
    """A JSON answer with its request id in body and header."""
    number = request or request_id()
    return JSONResponse({**body, "request_id": number}, status, headers={"X-Request-Id": number})


def refused(refusal: Refusal) -> JSONResponse:
    return answer({"code": refusal.code, "message": refusal.message}, refusal.status)


def vendor_time(ms: int) -> str:
    """Milliseconds since 1970 as the vendor writes times: Beijing wall clock, no zone."""
    moment = datetime.fromtimestamp(ms / 1000, UTC).astimezone(BEIJING)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{ms % 1000:03d}"


def unknown_task(task_id: str) -> dict[str, Any]:
    """What a query for an id that does not exist, or is older than 24 hours, gets, with status 200."""
    return {"output": {"task_id": task_id, "task_status": "UNKNOWN"}}


def task_answer(task: Task, video_url: str | None) -> dict[str, Any]:
    """The answer to a query; `video_url` is needed for a SUCCEEDED task only."""
    output: dict[str, Any] = {"task_id": task.id, "task_status": task.status}
    for name, ms in (("submit_time", task.submit_ms), ("scheduled_time", task.scheduled_ms), ("end_time", task.end_ms)):
        if ms is not None:
            output[name] = vendor_time(ms)
    if task.status == "FAILED":
        output |= {"code": task.code, "message": task.message}
    if task.status != "SUCCEEDED":
        return {"output": output}
    output["video_url"] = video_url
    return {"output": output, "usage": {"video_duration": task.billed_seconds, "video_ratio": "standard"}}


def listed_task(task: Task) -> dict[str, Any]:
    """One row of the list of tasks; its times are milliseconds since 1970."""
    row: dict[str, Any] = {
        "api_key_id": "1",
        "caller_parent_id": "1000000000000000",
        "caller_uid": "1000000000000000",
        "gmt_create": task.submit_ms,
        "model_name": "emoji-v1",
        "region": "cn-beijing",
        "request_id": task.request_id,
        "status": task.status,
        "task_id": task.id,
        "user_api_unique_key": "apikey:v1:aigc:image2video:video-synthesis:emoji-v1",
    }
    times = {"start_time": task.scheduled_ms, "end_time": task.end_ms}
    return row | {name: ms for name, ms in times.items() if ms is not None}
