"""The live documents of this app and the body of GET /config. Source: contracts/emoji.md, seed 004 §4.6."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

TaskType = Literal["emoji", "avatar", "pose"]
DrivenId = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Template(_Part):
    """One motion that a picture can be given."""

    driven_id: DrivenId
    name: Annotated[str, Field(min_length=1, max_length=64)]
    preview_url: Annotated[str, Field(max_length=512)] = ""
    task_type: TaskType = "emoji"


class Style(_Part):
    """A category of templates."""

    category: Annotated[str, Field(min_length=1, max_length=64)]
    templates: list[Template]


class Styles(_Part):
    """`pickitchen-styles.json`."""

    styles: list[Style]


class PointsRules(_Part):
    """What each kind of task costs, in points."""

    emoji: Annotated[int, Field(ge=1, le=1_000_000)] = 10
    avatar: Annotated[int, Field(ge=1, le=1_000_000)] = 20
    pose: Annotated[int, Field(ge=1, le=1_000_000)] = 20


class SignupReward(_Part):
    """Points that a new user gets once."""

    enabled: bool = True
    amount: Annotated[int, Field(ge=1, le=1_000_000)] = 100


class WeeklyReward(_Part):
    """Points of weekly members, in the seed's own form."""

    enabled: bool = True
    amount: Annotated[int, Field(ge=1, le=1_000_000)] = 2000
    cron: str = "0 0 0 * * 1"
    timezone: Literal["UTC"] = "UTC"


class Points(_Part):
    """`pickitchen-points.json`."""

    points_rules: PointsRules = PointsRules()
    signup_reward: SignupReward = SignupReward()
    weekly_reward: WeeklyReward = WeeklyReward()


class Banner(_Part):
    """One banner of the start page."""

    id: int
    image_url: Annotated[str, Field(max_length=512)]
    link: Annotated[str, Field(max_length=512)] = ""
    sort: int = 0


class Banners(_Part):
    """`pickitchen-banners.json`."""

    banners: list[Banner]


class TemplateView(BaseModel):
    """A template as clients see it."""

    driven_id: str
    name: str
    preview_url: str


class StyleView(BaseModel):
    """A category as clients see it."""

    category: str
    templates: list[TemplateView]


class ConfigView(BaseModel):
    """All that a client needs at its start."""

    banners: list[Banner]
    styles: list[StyleView]
    points_rules: PointsRules
