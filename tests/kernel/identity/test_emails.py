"""Which texts are e-mail addresses, and which of them are the same."""

import pytest

from hutong.kernel.identity.emails import normalise_email
from hutong.kernel.identity.errors import EmailInvalid


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("a@example.com", "a@example.com"),
        ("A.B@Example.COM", "a.b@example.com"),
        ("  a@example.com ", "a@example.com"),
        ("a+tag@example.com", "a+tag@example.com"),
        ("a@exаmple.com", "a@xn--exmple-4nf.com"),
        ("a@例子.中国", "a@xn--fsqu00a.xn--fiqs8s"),
        ("a@XN--FSQU00A.xn--fiqs8s", "a@xn--fsqu00a.xn--fiqs8s"),
        ("a@ｅｘａｍｐｌｅ。com", "a@example.com"),
        ("o'neill!#$%&*+-/=?^_`{|}~@example.com", "o'neill!#$%&*+-/=?^_`{|}~@example.com"),
        (f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 57}.io", f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 57}.io"),
    ],
)
def test_the_form_that_is_kept(typed: str, kept: str) -> None:
    assert normalise_email(typed) == kept
    assert normalise_email(kept) == kept


@pytest.mark.parametrize(
    "typed",
    [
        *(
            "",
            "@",
            "a",
            "a@",
            "@example.com",
            "a@b",
            "a@example.com.",
            "a@.com",
            "a@example..com",
            "a@-x.com",
            "a@x-.com",
        ),
        *(
            "a b@example.com",
            '"a b"@example.com',
            "a@@example.com",
            "a@b@example.com",
            ".a@example.com",
            "a.@example.com",
        ),
        *(
            "a..b@example.com",
            "a@[192.0.2.1]",
            "a@192.0.2.1",
            "a@exam_ple.com",
            "a@example.com\n",
            "a@example.com\r\nBcc: x",
        ),
        *(
            "ä@example.com",
            "ａ@example.com",
            "a＠example.com",
            "a\0@example.com",
            "a@exa\u200bmple.com\ud800",
            "a@☃\u202e.com",
        ),
        *(
            f"{'a' * 65}@example.com",
            f"a@{'b' * 64}.com",
            f"a@{'b.' * 127}com",
            "a" * 1_000_000,
            "a@" + "é" * 1_000_000 + ".com",
        ),
    ],
)
def test_what_is_no_address(typed: str) -> None:
    with pytest.raises(EmailInvalid) as caught:
        normalise_email(typed)

    assert typed[:10] not in str(caught.value) or len(typed) < 3
