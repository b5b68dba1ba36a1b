"""Templates and prices from the live documents."""

import hashlib
from importlib.resources import files
from typing import Any
from urllib.parse import urljoin

import orjson

from hutong.apps.emoji.catalogue.errors import TemplateUnknown
from hutong.apps.emoji.catalogue.schemas import (
    Banners,
    ConfigView,
    Points,
    SignupReward,
    Styles,
    StyleView,
    TaskType,
    Template,
    TemplateView,
)
from hutong.kernel.config import Document

STYLES, POINTS, BANNERS = "pickitchen-styles.json", "pickitchen-points.json", "pickitchen-banners.json"


def documents() -> list[Document[Any]]:
    """This app's live documents with their bundled defaults."""
    bundled = files("hutong.apps.emoji") / "documents"
    models = {STYLES: Styles, POINTS: Points, BANNERS: Banners}
    return [Document(name, model, (bundled / name).read_bytes()) for name, model in models.items()]


class Catalogue:
    """What may be made and what it costs, as of this moment.

    Args:
        styles, points, banners: the live documents.
        base_url: relative preview links are resolved against it.
    """

    def __init__(
        self, styles: Document[Styles], points: Document[Points], banners: Document[Banners], base_url: str
    ) -> None:
        self._styles, self._points, self._banners, self._base = styles, points, banners, base_url
        self._rendered: tuple[str, str, bytes] | None = None

    def get_template(self, driven_id: str) -> Template:
        """The template.

        Raises:
            TemplateUnknown.
        """
        for style in self._styles.value.styles:
            for template in style.templates:
                if template.driven_id == driven_id:
                    return template
        raise TemplateUnknown

    def price(self, task_type: TaskType) -> int:
        """Points that a task of this type costs."""
        return int(getattr(self._points.value.points_rules, task_type))

    @property
    def signup_reward(self) -> SignupReward:
        return self._points.value.signup_reward

    def config(self) -> tuple[bytes, str]:
        """The body of GET /config (its `data`) and its entity tag, made anew when a document changed."""
        version = f"{self._styles.version}{self._points.version}{self._banners.version}"
        if self._rendered is None or self._rendered[0] != version:
            body = orjson.dumps(self._view().model_dump(mode="json"))
            self._rendered = (version, f'"{hashlib.sha256(body).hexdigest()[:32]}"', body)
        return self._rendered[2], self._rendered[1]

    def _view(self) -> ConfigView:
        styles = [
            StyleView(category=style.category, templates=[self._template(item) for item in style.templates])
            for style in self._styles.value.styles
        ]
        banners = sorted(self._banners.value.banners, key=lambda banner: banner.sort)
        placed = [banner.model_copy(update={"image_url": urljoin(self._base, banner.image_url)}) for banner in banners]
        return ConfigView(banners=placed, styles=styles, points_rules=self._points.value.points_rules)

    def _template(self, template: Template) -> TemplateView:
        preview = urljoin(self._base, template.preview_url) if template.preview_url else ""
        return TemplateView(driven_id=template.driven_id, name=template.name, preview_url=preview)
