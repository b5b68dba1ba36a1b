"""The page of the DashScope sandbox."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hutong.providers.dashscope.sandbox.buttons import BUTTONS
from hutong.providers.dashscope.sandbox.page_texts import CHINESE, ENGLISH
from hutong.sandbox.pages import language
from providers.dashscope.sandbox_world import World, world


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


# The page


async def test_the_page_speaks_two_languages_and_loads_nothing_from_outside(api: World) -> None:
    empty = await api.call("GET", "/", headers={"Accept-Language": "en"})
    assert ENGLISH["no_tasks"] in empty.text
    assert "default-src 'none'" in empty.headers["content-security-policy"]
    await api.press("fail", code="InternalError.Upload")
    await api.until(await api.created(), "FAILED")
    await api.until(await api.created(driven_id="jingdian_lei"), "SUCCEEDED")
    await api.detect("wall.bin")
    for kind in ("hang", "lose-answer", "lose-query", "refuse-key", "refuse-picture", "throttle", "break"):
        await api.press(kind)
    await api.press("delay", seconds=1)
    english = await api.call("GET", "/", headers={"Accept-Language": "en-GB,zh;q=0.8"})
    chinese = await api.call("GET", "/", headers={"Accept-Language": "zh-CN,en;q=0.8"})
    assert english.status == 200
    for page, words in ((english.text, ENGLISH), (chinese.text, CHINESE)):
        for name in ("banner", "armed", "expire_link", "limits", "clear_finished"):
            assert words[name].replace("'", "&#39;") in page
        assert "InternalError.Upload" in page
        assert not re.search(r"""(src|href)=["'](https?:)?//""", page)
        assert "built-in method" not in page
    assert 'lang="zh-CN"' in chinese.text
    assert CHINESE["banner"] in (await api.call("GET", "/?lang=zh")).text


async def test_every_button_has_a_form(api: World) -> None:
    await api.press("hang")
    await api.created()
    await api.created()
    page = (await api.call("GET", "/")).text
    await api.press("let-go", task_id=(await api.tasks())["tasks"][-1]["task_id"])
    for task in (await api.tasks())["tasks"]:
        await api.until(task["task_id"], "SUCCEEDED")
    await api.press("hang")
    page += (await api.call("GET", "/")).text
    wanted = {*BUTTONS, "clear"}
    assert wanted - set(re.findall(r'action="control/([a-z-]+)"', page)) == set()


async def test_both_languages_have_the_same_words() -> None:
    assert set(ENGLISH) == set(CHINESE)
    assert not set(ENGLISH) & set(dir(dict))
    assert [language(None, text) for text in ("zh-TW", "fr,en;q=0.5", "fr", "en;q=0.2,zh;q=0.9", "zh;q=x")] == [
        *("zh", "en", "en", "zh", "en")
    ]
