"""From a template and its values to subject, text and HTML."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from hutong.kernel.http.languages import Language
from hutong.kernel.settings import MailSettings

FOLDER = Path(__file__).parent / "templates"
ENVIRONMENT = Environment(
    loader=FileSystemLoader(FOLDER),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


@dataclass(frozen=True, slots=True)
class Rendered:
    """One mail's three parts; the subject has no line breaks."""

    subject: str
    text: str
    html: str


class Templates:
    """Renders the mails of `catalogue.TEMPLATES`.

    Args:
        settings: name of the product and address for questions.
    """

    def __init__(self, settings: MailSettings) -> None:
        self._given = {"brand": settings.product, "support": settings.support}

    def render(self, template: str, language: Language, values: Mapping[str, str]) -> Rendered:
        """One mail in one language. The first line of the text form is the subject.

        Raises:
            jinja2.UndefinedError: a value is missing.
        """
        given = {**values, **self._given, "lang": language}
        subject, _, text = ENVIRONMENT.get_template(f"{language}/{template}.txt").render(given).partition("\n")
        subject = " ".join(subject.split())
        html = ENVIRONMENT.get_template(f"{language}/{template}.html").render(given, subject=subject)
        return Rendered(subject, text.strip() + "\n", html)
