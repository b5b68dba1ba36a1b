"""The clients of DashScope's emoji models. Source: vendor's API reference for emoji-detect-v1 and emoji-v1
(reference/emoji.md §2.1–2.4).
"""

from typing import Any
from urllib.parse import quote, urlsplit

from hutong.kernel.gateway import (
    AnswerLost,
    Box,
    FaceVerdict,
    ProviderDown,
    ProviderRejected,
    VideoProgress,
    VideoRequest,
    VideoState,
)
from hutong.kernel.gateway.errors import ProviderFailed
from hutong.kernel.http.outbound import Answer, AnswerTooLarge, Outbound, OutboundFailed
from hutong.kit.text import is_clean
from hutong.providers.dashscope.errors import failure_of, refusal_of
from hutong.providers.dashscope.settings import DashScopeSettings

VENDOR = "dashscope"
DETECT_PATH = "/services/aigc/image2video/face-detect"
LONGEST_VIDEO = 86_400
LONGEST_ID = 128
LONGEST_WAIT = 300.0
CREATE_PATH = "/services/aigc/image2video/video-synthesis"
STATES = {
    "PENDING": VideoState.WAITING,
    "SUSPENDED": VideoState.WAITING,
    "RUNNING": VideoState.RUNNING,
    "SUCCEEDED": VideoState.SUCCEEDED,
    "FAILED": VideoState.FAILED,
    "CANCELED": VideoState.FAILED,
    "UNKNOWN": VideoState.LOST,
}


class DashScopeEmoji:
    """Detection and video of DashScope: implements `FaceDetection` and `ImageToVideo`.

    Args:
        settings: key and limits.
        base_url: of the vendor or the sandbox, ending in `/api/v1`.
        outbound: the kernel's client.
    """

    def __init__(self, settings: DashScopeSettings, base_url: str, outbound: Outbound) -> None:
        self._settings = settings
        self._base = base_url.rstrip("/")
        self._outbound = outbound

    async def detect(self, image_url: str) -> FaceVerdict:
        body = {"model": "emoji-detect-v1", "input": {"image_url": image_url}, "parameters": {"ratio": "1:1"}}
        answer = await self._call("detect", "POST", DETECT_PATH, body)
        content = _content(answer)
        code = str(_output(content).get("code") or content.get("code") or "")
        if (refusal := refusal_of(code)) is not None:
            return FaceVerdict(refusal=refusal, vendor_code=code)
        if code or answer.status != 200:
            raise failure_of(answer.status, code, _retry_after(answer))
        output = _output(content)
        return FaceVerdict(_box(output.get("bbox_face")), _box(output.get("ext_bbox_face")))

    async def submit(self, request: VideoRequest) -> str:
        given = {
            "image_url": request.image_url,
            "driven_id": request.driven_id,
            "face_bbox": list(request.face_bbox),
            "ext_bbox": list(request.ext_bbox),
        }
        headers = {"X-DashScope-Async": "enable"}
        answer = await self._call("create", "POST", CREATE_PATH, {"model": "emoji-v1", "input": given}, headers)
        if answer.status == 200:
            return _accepted(answer)
        code = _code_of(answer)
        if answer.status >= 500 and not code:  # a proxy's page: the vendor behind it may have accepted
            raise AnswerLost(f"DashScope answered {answer.status} to a submission")
        raise failure_of(answer.status, code, _retry_after(answer))

    async def query(self, remote_id: str) -> VideoProgress:
        answer = await self._call("query", "GET", f"/tasks/{quote(remote_id, safe='')}")
        content = _content(answer)
        if answer.status != 200:
            raise failure_of(answer.status, str(content.get("code") or ""), _retry_after(answer))
        return _progress(content, remote_id)

    async def cancel(self, remote_id: str) -> None:
        try:
            await self._call("cancel", "POST", f"/tasks/{quote(remote_id, safe='')}/cancel")
        except ProviderFailed:
            return  # it may be running already; the vendor fails it by itself after three hours

    async def fetch(self, video_url: str) -> bytes:
        self._check_host(video_url)
        try:
            answer = await self._outbound.download(VENDOR, video_url, largest=self._settings.largest_video)
        except AnswerTooLarge as error:
            raise ProviderDown(f"the video is too large: {error.message}", vendor_code="link.too_large") from error
        except OutboundFailed as error:
            raise ProviderDown(f"the video could not be fetched: {error.message}") from error
        if answer.status != 200:
            raise ProviderDown(f"the video's link answered {answer.status}", vendor_code=f"link.{answer.status}")
        if answer.body[4:8] != b"ftyp":
            raise ProviderDown("what the video's link gave is no MP4", vendor_code="link.not_mp4")
        return answer.body

    def _check_host(self, video_url: str) -> None:
        """Results come from the vendor's storage, or from the sandbox itself; nowhere else (SSRF)."""
        host = urlsplit(video_url).hostname or ""
        own = urlsplit(self._base).hostname
        if host != own and not any(host.endswith(suffix) for suffix in self._settings.video_hosts):
            raise ProviderRejected(f"videos are not fetched from {host}", vendor_code="link.foreign_host")

    async def _call(
        self, call: str, method: str, path: str, json: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        key = self._settings.api_key.get_secret_value()
        sent = {"Authorization": f"Bearer {key}", **(headers or {})}
        timeout = self._settings.timeout
        try:
            return await self._outbound.request(
                VENDOR, call, method, self._base + path, headers=sent, json=json, timeout=timeout
            )
        except OutboundFailed as error:
            kind = AnswerLost if error.sent else ProviderDown
            raise kind(f"DashScope did not answer: {error.message}", retry_after=error.retry_after) from error


def _progress(content: dict[str, Any], remote_id: str) -> VideoProgress:
    """What a query's answer says.

    Raises:
        ProviderDown: it is about another generation (answers that were mixed up), so it says nothing about this one.
    """
    output = _output(content)
    if output.get("task_id") != remote_id:
        raise ProviderDown("DashScope answered about another task than it was asked for")
    state = STATES.get(_text(output.get("task_status")), VideoState.LOST)
    url = _text(output.get("video_url")) if state is VideoState.SUCCEEDED else ""
    usage = content.get("usage")
    seconds = usage.get("video_duration") if isinstance(usage, dict) else None
    billed = int(seconds) if isinstance(seconds, int | float) and 0 <= seconds < LONGEST_VIDEO else 0
    return VideoProgress(state, url or None, billed, _text(output.get("code")), _text(output.get("message")))


def _text(value: Any) -> str:
    """A string that can be stored; empty for anything else."""
    return value if isinstance(value, str) and is_clean(value) else ""


def _content(answer: Answer) -> dict[str, Any]:
    try:
        content = answer.json()
    except OutboundFailed as error:
        raise ProviderDown(f"DashScope answered {answer.status} without JSON") from error
    if not isinstance(content, dict):
        raise ProviderDown(f"DashScope answered {answer.status} with something else than an object")
    return content


def _code_of(answer: Answer) -> str:
    """The vendor's code in a failed answer; empty when the answer is not the vendor's own."""
    try:
        return str(_content(answer).get("code") or "")
    except ProviderDown:
        return ""


def _accepted(answer: Answer) -> str:
    """The remote id in a 200; one without it may have been accepted all the same, so it must not be asked again freely."""
    try:
        remote_id = _text(_output(_content(answer)).get("task_id"))
    except ProviderDown as error:
        raise AnswerLost(error.message) from error
    if not 1 <= len(remote_id) <= LONGEST_ID:
        raise AnswerLost("DashScope accepted a submission without naming its task")
    return remote_id


def _output(content: dict[str, Any]) -> dict[str, Any]:
    output = content.get("output")
    return output if isinstance(output, dict) else {}


def _box(value: Any) -> Box:
    if isinstance(value, list) and len(value) == 4 and all(isinstance(part, int | float) for part in value):
        left, top, right, bottom = (int(part) for part in value)
        if 0 <= left < right and 0 <= top < bottom:
            return left, top, right, bottom
    raise ProviderDown("DashScope's answer holds no usable box")


def _retry_after(answer: Answer) -> float | None:
    """Seconds that the vendor asks us to wait; what is no such number is not heeded, nor is one that is out of all reason."""
    try:
        seconds = float(answer.headers.get("retry-after", ""))
    except ValueError:
        return None
    return min(seconds, LONGEST_WAIT) if seconds >= 0 else None
