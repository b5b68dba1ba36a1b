"""docs/reference is what the code renders, and says something about everything that it lists."""

from pathlib import Path

import pytest

from hutong.host.reference import markdown, render_all, render_documents
from hutong.host.reference.cli_page import list_commands
from hutong.host.reference.settings_page import Setting, list_settings

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
PAGES = ("cli.md", "errors.md", "jobs.md", "metrics.md", "settings.md")


def test_the_committed_pages_are_what_the_code_renders() -> None:
    rendered = render_all()

    stale = [name for name, text in rendered.items() if _committed(name) != text]

    assert not stale, f"{', '.join(stale)} in docs/reference is out of date: run `make docs` and commit the result"


def test_every_app_describes_itself_as_its_frozen_document_does() -> None:
    """Clients are generated from it: a difference is a change of the contract, to be looked at and committed."""
    documents = render_documents()

    stale = [path.name for path, text in documents.items() if not path.is_file() or path.read_text("utf-8") != text]

    assert documents and not stale, "the API changed: run `make docs`, look at the difference, and commit it"


def test_no_page_is_left_over() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(render_all()) == sorted(PAGES)


@pytest.mark.parametrize("setting", list(list_settings()), ids=lambda setting: setting.variable)
def test_every_setting_says_in_a_sentence_what_it_is(setting: Setting) -> None:
    text = setting.field.description or ""

    assert text.endswith((".", ")")) and len(text) > 10, setting.variable


@pytest.mark.parametrize("name", PAGES)
def test_pages_tell_nothing_about_the_machine_that_rendered_them(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another environment, the same page."""
    monkeypatch.setenv("HUTONG_JOBS__CONCURRENCY", "7")
    monkeypatch.setenv("HUTONG_PUBLIC_URL", "https://elsewhere.example.com")
    text = render_all()[name]

    assert str(FOLDER.parents[1]) not in text
    assert "elsewhere.example.com" not in text
    assert text == _committed(name)


@pytest.mark.parametrize("name", PAGES)
def test_pages_open_with_the_command_that_makes_them(name: str) -> None:
    assert _committed(name).splitlines()[2] == markdown.GENERATED


@pytest.mark.parametrize("name", ["jobs.md", "metrics.md", "errors.md", "cli.md"])
def test_every_row_says_what_it_is(name: str) -> None:
    meanings = [line.split(" | ")[-1].strip(" |") for line in _committed(name).splitlines() if line.startswith("| `")]

    assert meanings and all(meanings)


def test_every_command_has_help() -> None:
    import typer

    from hutong.host.cli.main import app

    assert [name for name, command in list_commands(typer.main.get_command(app), "hutong") if not command.help] == []


def _committed(name: str) -> str:
    path = FOLDER / name
    return path.read_text("utf-8") if path.is_file() else ""
