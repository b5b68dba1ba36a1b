"""Every mail is there in every language and in both forms, and nothing that it is given can break out of its place."""

from email.message import EmailMessage
from email.policy import SMTP
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError, meta

from hutong.kernel.http.languages import LANGUAGES, Language
from hutong.kernel.mail import PURPOSES, TEMPLATES, Templates, amount_text, moment_text
from hutong.kernel.mail.rendering import ENVIRONMENT, FOLDER
from hutong.kernel.mail.words import LONGEST_VALUE, clean_value
from hutong.kernel.settings import MailSettings
from hutong.kit.clock import SystemClock
from hutong.kit.text import is_printable

OF_THEIR_OWN = {"code_box", "facts", "hint", "what"}
GIVEN_BY_THE_HOUSE = {"brand", "support", "lang", "subject"} | OF_THEIR_OWN
SHARED = {"frame.html", "foot.txt"}
FORMS = ("txt", "html")
VALUES = {"purpose": "login", "code": "482913", "minutes": "10"}
templates = Templates(MailSettings(product="Lantern & Co", support="help@example.com"))


def values_of(template: str, **changed: str) -> dict[str, str]:
    return {name: changed.get(name, VALUES.get(name, f"the {name}")) for name in TEMPLATES[template]}


def placeholders(path: Path) -> set[str]:
    return meta.find_undeclared_variables(ENVIRONMENT.parse(path.read_text("utf-8")))


@pytest.mark.parametrize(("template", "language", "form"), list(product(TEMPLATES, LANGUAGES, FORMS)))
def test_every_form_in_every_language_shows_every_value(template: str, language: str, form: str) -> None:
    path = FOLDER / language / f"{template}.{form}"

    assert placeholders(path) - GIVEN_BY_THE_HOUSE == TEMPLATES[template]


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_is_no_text_that_nobody_sends(language: str) -> None:
    files = {path.name for path in (FOLDER / language).iterdir()} - SHARED

    assert files == {f"{template}.{form}" for template in TEMPLATES for form in FORMS}
    assert {path.name for path in FOLDER.iterdir() if path.is_dir()} == set(LANGUAGES)


@pytest.mark.parametrize(("template", "language"), list(product(TEMPLATES, LANGUAGES)))
def test_a_mail_says_who_sends_it_and_where_to_ask(template: str, language: Language) -> None:
    done = templates.render(template, language, values_of(template))

    assert done.subject and len(done.subject) < 80
    assert "Lantern & Co" in done.text and "Lantern &amp; Co" in done.html
    assert "help@example.com" in done.text and "help@example.com" in done.html
    assert f'<html lang="{language}">' in done.html
    assert "482913" not in done.subject  # subjects lie in clear in more places than bodies
    for name, value in values_of(template).items():
        if name != "purpose":
            assert value in done.text and value in done.html


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_support_address_no_word_of_one(language: Language) -> None:
    done = Templates(MailSettings()).render("account.welcome", language, {})

    assert "@" not in done.text and "mailto" not in done.html


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_code_says_what_it_is_for(language: Language) -> None:
    subjects = {
        templates.render("account.code", language, values_of("account.code", purpose=purpose)).subject
        for purpose in PURPOSES
    }

    assert len(subjects) == len(PURPOSES)


@pytest.mark.parametrize("template", [name for name, values in TEMPLATES.items() if values])
def test_a_missing_value_is_an_error_and_no_gap(template: str) -> None:
    for name in TEMPLATES[template]:
        with pytest.raises(UndefinedError):
            templates.render(template, "en", {key: text for key, text in values_of(template).items() if key != name})


def test_values_are_text_in_html() -> None:
    done = templates.render("order.receipt", "en", values_of("order.receipt", item="<script>alert(1)</script>\"'"))

    assert "<script>" not in done.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in done.html
    assert "<script>alert(1)</script>" in done.text


@given(st.text(max_size=300))
def test_no_value_can_break_a_header(value: str) -> None:
    """Whatever a value holds, the subject is one line, and a header of a mail can hold it."""
    cleaned = clean_value(value)
    done = templates.render("order.receipt", "zh-CN", values_of("order.receipt", order_no=cleaned))
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = done.subject

    assert len(cleaned) <= LONGEST_VALUE
    assert len(done.subject.splitlines()) == 1
    assert is_printable(cleaned)
    assert clean_value(cleaned) == cleaned
    assert [line.partition(b":")[0] for line in mail.as_bytes().split(b"\r\n") if line and line[:1] != b" "] == [
        b"Subject"
    ]


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1230, "CNY", "CNY 12.30"),
        (5, "CNY", "CNY 0.05"),
        (0, "USD", "USD 0.00"),
        (123456789, "USD", "USD 1,234,567.89"),
        (980, "JPY", "JPY 980"),
        (1500, "KWD", "KWD 1.500"),
        (-250, "EUR", "EUR -2.50"),
    ],
)
def test_amounts_have_their_currencys_digits(amount: int, currency: str, text: str) -> None:
    assert amount_text(amount, currency) == text


def test_moments_name_their_zone() -> None:
    assert moment_text(SystemClock().now()).endswith(" UTC")
