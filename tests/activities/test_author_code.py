"""Author code runs in threads that are kept, and left behind when they do not come back."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from activities import author_code
from activities.author_code import awaited, in_thread
from core.errors import ExecutionTimeout


def test_what_it_answers_and_raises_comes_back() -> None:
    assert in_thread(lambda: threading.current_thread().name, 1) == "author-code"
    with pytest.raises(ZeroDivisionError):
        in_thread(lambda: 1 // 0, 1)


def test_a_thread_is_used_again() -> None:
    first = in_thread(threading.get_ident, 1)

    assert in_thread(threading.get_ident, 1) == first


def test_one_that_does_not_come_back_is_left_behind_and_never_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(author_code, "GRACE", 0.05)
    release = threading.Event()
    stuck: list[int] = []

    def wait() -> None:
        stuck.append(threading.get_ident())
        release.wait(10)

    began = time.monotonic()
    with pytest.raises(ExecutionTimeout):
        in_thread(wait, 0.05)

    assert time.monotonic() - began < 1
    assert in_thread(threading.get_ident, 1) not in stuck
    release.set()


async def test_whoever_awaits_it_holds_no_thread_and_its_thread_is_used_again() -> None:
    first = await awaited(threading.get_ident)

    assert await awaited(threading.get_ident) == first
    assert first != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await awaited(lambda: 1 // 0)
    assert in_thread(threading.get_ident, 1) == first


async def test_one_that_is_awaited_no_more_is_left_behind_and_never_used_again() -> None:
    release = threading.Event()
    stuck: list[int] = []

    def wait() -> None:
        stuck.append(threading.get_ident())
        release.wait(10)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await awaited(wait)

    others = {await awaited(threading.get_ident) for _ in range(3)}
    release.set()
    assert stuck[0] not in others


def test_one_that_comes_back_when_nobody_is_left_to_tell_does_no_harm() -> None:
    release = threading.Event()
    left: list[threading.Thread] = []

    def wait() -> None:
        left.append(threading.current_thread())
        release.wait(10)

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await awaited(wait)

    asyncio.run(give_up())
    release.set()

    left[0].join(5)
    assert not left[0].is_alive()
