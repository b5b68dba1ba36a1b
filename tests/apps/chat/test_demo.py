"""The chat app's part of the demo, against a whole installation and its sandbox."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hutong.host.demos.chat import converse
from hutong.host.demos.stage import DemoFailed, Stage
from hutong.kernel.http.outbound import Outbound
from support.openai_sandbox import press_openai
from support.stand import Stand

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PACE = {"first_token_seconds": 0, "between_tokens_seconds": 0.01}


async def _plays(stand: Stand, output: Path) -> str:
    """What the demo prints."""
    outbound, printed = Outbound(allow_private=True), io.StringIO()
    try:
        await converse(Stage(stand.base, outbound, Console(file=printed, width=120), output))
    finally:
        await outbound.close()
    return printed.getvalue()


async def test_a_talk_is_cut_resumed_and_saved(stand_up: Callable[..., Any], tmp_path: Path) -> None:
    stand = await stand_up(openai_sandbox=PACE)

    printed = await _plays(stand, tmp_path)

    assert "Nothing is missing and nothing came twice" in printed
    saved = (tmp_path / "chat.md").read_text("utf-8")
    assert saved.count("## You") == saved.count("## gpt-4o-mini") == 2
    assert "```python" in saved and saved.count("no model was asked") == 2
    assert "hutongs of Beijing" in saved


async def test_a_talk_that_breaks_off_is_no_success(stand_up: Callable[..., Any], tmp_path: Path) -> None:
    stand = await stand_up(openai_sandbox=PACE)
    await press_openai(stand.client, f"{stand.base}/sandbox/openai", "cut", after=5)

    with pytest.raises(DemoFailed):
        await _plays(stand, tmp_path)
    assert not (tmp_path / "chat.md").exists()
