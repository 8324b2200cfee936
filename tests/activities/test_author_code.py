"""Author code runs in threads that are kept, and left behind when they do not come back."""

from __future__ import annotations

import threading
import time

import pytest

from activities import author_code
from activities.author_code import in_thread
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
