"""Copies of what SQL says, kept in the store so that it need not be asked each time.

A change leaves an empty mark for a few seconds. Readers who read the old row before the change find it and cannot put the old
copy back: they add copies, they never replace one.
"""

from hutong.kernel.store.client import Store, StoreUnavailable

CHANGED, CHANGED_SECONDS = b"", 5
"""A reader that takes longer than this between its read and its write would have to be a very slow one."""


class Copies:
    """Copies of one kind, one for each subject. Without the store there are none, and nothing else changes.

    Args:
        store: keeps them.
        name: of the kind, as in `user`; the key is `user:{42}`.
        seconds: that a copy is kept.
    """

    def __init__(self, store: Store, name: str, seconds: float) -> None:
        self._store, self._name, self._seconds = store, name, seconds

    async def find(self, subject: int) -> bytes | None:
        """The copy, if there is one."""
        try:
            return await self._store.get(self.key(subject)) or None
        except StoreUnavailable:
            return None

    async def keep(self, subject: int, content: bytes, *, at_most: float | None = None) -> None:
        """Keep a copy, unless there is one or the subject changed a moment ago.

        Args:
            subject: whose it is.
            content: not empty.
            at_most: seconds after which it is no longer true, where that is known.
        """
        seconds = self._seconds if at_most is None else max(1.0, min(self._seconds, at_most))
        try:
            await self._store.put_if_absent(self.key(subject), content, seconds=seconds)
        except StoreUnavailable:
            return  # the next reader asks SQL again

    async def forget(self, subject: int) -> None:
        """Drop the copy, after what it tells has changed."""
        try:
            await self._store.put(self.key(subject), CHANGED, seconds=CHANGED_SECONDS)
        except StoreUnavailable:
            return  # what cannot be dropped cannot be read either; it ends by its time

    def key(self, subject: int) -> str:
        """Where the copy lies, on the node of whatever else carries the subject's number as its hash tag."""
        return f"{self._name}:{{{subject}}}"
