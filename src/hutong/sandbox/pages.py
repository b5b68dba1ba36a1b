"""What the pages of all sandboxes share: look, language, headers. The look lies in `templates/`."""

from pathlib import Path
from typing import Literal

from jinja2 import Environment, FileSystemLoader

Lang = Literal["en", "zh"]


def page_environment(folder: Path) -> Environment:
    """Templates of one sandbox, which may include the shared `page.css`, `page.js` and `forms.html`."""
    folders = [folder, Path(__file__).parent / "templates"]
    return Environment(loader=FileSystemLoader(folders), autoescape=True, trim_blocks=True, lstrip_blocks=True)


def page_headers(nonce: str, lang: str, *, frames: bool = False) -> dict[str, str]:
    """Nothing from outside, no framing; the one script and the one style sheet carry the nonce.

    With `frames` the page may show other documents of this host in frames of its own.
    """
    framed = "'self'" if frames else "'none'"
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; media-src 'self'; "
        "img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        f"; frame-src {framed}"
    )
    return {
        "Content-Security-Policy": policy,
        "Content-Language": {"en": "en", "zh": "zh-CN"}[lang],
        "Cache-Control": "no-store",
        "Vary": "Accept-Language",
        "Referrer-Policy": "same-origin",
    }


def language(asked: str | None, accepted: str) -> Lang:
    """The page's language: what was asked for, else the first of Accept-Language that there is, else English."""
    if asked:
        return "zh" if asked.lower().startswith("zh") else "en"
    ranked = sorted((_weighed(part) for part in accepted.split(",")), key=lambda pair: -pair[0])
    for weight, name in ranked:
        if weight > 0 and name.startswith(("zh", "en")):
            return "zh" if name.startswith("zh") else "en"
    return "en"


def _weighed(part: str) -> tuple[float, str]:
    name, _, weight = part.strip().lower().partition(";q=")
    try:
        return (float(weight) if weight else 1.0), name
    except ValueError:
        return 0.0, name
