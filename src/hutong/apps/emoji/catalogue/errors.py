"""What can go wrong with the catalogue."""

from hutong.kit.errors import NotFound


class TemplateUnknown(NotFound):
    """There is no template with this driven_id; see GET /config."""

    code = "emoji.template_unknown"
