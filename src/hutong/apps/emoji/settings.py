"""Settings of the emoji app."""

from pydantic import Field

from hutong.kernel.settings import RealmKeys, Section

DAY = 86_400


class EmojiSettings(Section):
    """Limits, times and keys; the defaults are the contract's."""

    tokens: RealmKeys = Field(RealmKeys(), description="Signing keys of the realm; required in production.")
    token_days: int = Field(7, ge=1, description="Days that a token is good.")
    login_per_minute: int = Field(600, ge=1, description="Sign-ins of one address a minute.")
    upload_per_minute: int = Field(120, ge=1, description="Uploads of one user a minute.")
    detect_per_minute: int = Field(60, ge=1, description="Detections of one user a minute: each costs the operator.")
    create_per_minute: int = Field(120, ge=1, description="Creations of one user a minute.")
    link_seconds: int = Field(DAY, ge=60, description="Seconds that a link to a picture or video is good.")
    poll_seconds: float = Field(
        0, ge=0, description="Seconds between two looks at a generation; 0 means 15, or 1 with the sandbox."
    )
    generation_seconds: float = Field(1800, gt=0, description="Seconds after which a generation fails and is refunded.")
    picture_days: int = Field(
        30, ge=1, description="Days after which an uploaded picture that no task uses is removed."
    )
    storing_seconds: float = Field(
        20 * 3600,
        gt=0,
        description="Seconds for which a finished video is tried to be stored (the vendor's link lives 24 hours).",
    )
    queue_seconds: float = Field(
        DAY, gt=0, description="Seconds in our queue after which a task fails and is refunded."
    )
    blocked_pause_seconds: float = Field(
        60,
        gt=0,
        description="Seconds without submissions after the provider refused the account (unpaid, bad key).",
    )
    down_pause_seconds: float = Field(
        5,
        gt=0,
        description="Seconds before a submission is tried again after the provider failed, unless it names others.",
    )
    throttled_pause_seconds: float = Field(
        2, gt=0, description="Seconds before a submission is tried again that was one too many, unless it names others."
    )
    submissions: int = Field(
        2, ge=1, description="Submissions of one task whose answer was lost; each may cost the operator."
    )
    usual_seconds: float = Field(
        60, gt=0, description="Seconds that a generation usually takes, for the ETA until enough have been measured."
    )
