"""All the pages by file name."""

from collections.abc import Callable, Mapping

from hutong.host.reference.cli_page import render_cli
from hutong.host.reference.errors_page import render_errors
from hutong.host.reference.jobs_page import render_jobs
from hutong.host.reference.metrics_page import render_metrics
from hutong.host.reference.settings_page import render_settings

PAGES: Mapping[str, Callable[[], str]] = {
    "cli.md": render_cli,
    "errors.md": render_errors,
    "jobs.md": render_jobs,
    "metrics.md": render_metrics,
    "settings.md": render_settings,
}


def render_all() -> dict[str, str]:
    """Every page's file name and text; the same on every machine."""
    return {name: render() for name, render in PAGES.items()}
