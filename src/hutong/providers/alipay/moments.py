"""Alipay's times: whole seconds of Beijing, without a zone on the wire. Source: Alipay OpenAPI, `timestamp`, `gmt_*`."""

import re
from datetime import UTC, datetime, timedelta, timezone

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")  # no summer time since 1991
_WRITTEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?", re.ASCII)


def written(moment: datetime) -> str:
    """`moment` as Alipay writes it; parts of a second are dropped."""
    return moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def read(text: str) -> datetime:
    """The moment, in UTC, that Alipay means; refunds have milliseconds, the rest does not.

    Raises:
        ValueError: it is none.
    """
    if _WRITTEN.fullmatch(text) is None:
        raise ValueError(f"{text[:32]!r} is no time")
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING).astimezone(UTC)
