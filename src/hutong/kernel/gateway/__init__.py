"""The model gateway: ports for chat, face detection and image-to-video, with what routes, limits, retries and accounts for calls.

Apps call the ports; a provider implements them; only `host.wiring` joins the two.
Its page is docs/kernel/gateway.md.
"""

from hutong.kernel.gateway.errors import (
    AnswerLost,
    ProviderBlocked,
    ProviderDown,
    ProviderRejected,
    ProviderThrottled,
    SourceUnreachable,
)
from hutong.kernel.gateway.ports import (
    Box,
    FaceDetection,
    FaceVerdict,
    Gateway,
    ImageToVideo,
    Refusal,
    VideoProgress,
    VideoRequest,
    VideoState,
)
from hutong.kernel.gateway.slots import VIDEO_LANE, Busy, Lane, free_slot, lock_lane, pause_lane, take_slot

__all__ = [
    "VIDEO_LANE",
    "AnswerLost",
    "Box",
    "Busy",
    "FaceDetection",
    "FaceVerdict",
    "Gateway",
    "ImageToVideo",
    "Lane",
    "ProviderBlocked",
    "ProviderDown",
    "ProviderRejected",
    "ProviderThrottled",
    "Refusal",
    "SourceUnreachable",
    "VideoProgress",
    "VideoRequest",
    "VideoState",
    "free_slot",
    "lock_lane",
    "pause_lane",
    "take_slot",
]
