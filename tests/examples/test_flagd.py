"""The proof that a published file is what flagd reads: OpenFeature's own provider reads it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import Reason

from core import Outcome
from examples.feature_flags import ChangeRollout, ChangeVariant, DisableFlag, EnableFlag
from tests.examples.publisher import Publisher

POLL = 0.02
"""Seconds between the provider's looks at the file."""


@pytest.fixture
def publisher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publisher:
    """Answer the flag set `web`, published once: version 1, with `dark-mode` disabled."""
    monkeypatch.setenv("MUTATOR_FLAGS_DIR", str(tmp_path))
    publisher = Publisher()
    publisher.approved(DisableFlag(flag="dark-mode"))
    return publisher


@pytest.fixture
def client(publisher: Publisher, tmp_path: Path) -> Iterator[OpenFeatureClient]:
    """Answer an OpenFeature client that reads the published file, as any application would."""
    provider = FlagdProvider(
        resolver_type=ResolverType.FILE,
        offline_flag_source_path=str(tmp_path / "web.json"),
        deadline_ms=int(POLL * 1000),
    )
    api.set_provider_and_wait(provider, domain="examples")
    yield api.get_client(domain="examples")
    provider.shutdown()
    api.clear_providers()


def someone(n: int) -> EvaluationContext:
    return EvaluationContext(targeting_key=f"person-{n}")


def seen_version(client: OpenFeatureClient) -> object:
    """Answer the version of the file that the provider evaluates by."""
    return client.get_string_details("search-ranking", "code").flag_metadata["stateVersion"]


def wait_for(what: Callable[[], bool], seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(POLL / 4)
    return True


def caught_up(client: OpenFeatureClient, publisher: Publisher) -> bool:
    return wait_for(lambda: seen_version(client) == publisher.version)


def test_the_provider_sees_the_new_value_after_a_commit(
    client: OpenFeatureClient, publisher: Publisher
) -> None:
    assert client.get_string_value("search-ranking", "code") == "bm25"

    result = publisher.approved(ChangeVariant(flag="search-ranking", variant="semantic"))

    assert result.outcome is Outcome.COMMITTED
    assert wait_for(lambda: client.get_string_value("search-ranking", "code") == "vectors")


def test_the_provider_sees_the_old_value_after_a_refusal(
    client: OpenFeatureClient, publisher: Publisher
) -> None:
    result = publisher.unapproved(ChangeVariant(flag="search-ranking", variant="semantic"))

    assert result.outcome is Outcome.BLOCKED
    time.sleep(10 * POLL)
    assert client.get_string_value("search-ranking", "code") == "bm25"
    assert seen_version(client) == 1


def test_a_flag_that_is_enabled_decides_and_one_that_is_disabled_leaves_it_to_the_code(
    client: OpenFeatureClient, publisher: Publisher
) -> None:
    code = {"text": "Hello"}
    assert client.get_object_value("welcome-banner", code) == code

    publisher.approved(EnableFlag(flag="welcome-banner"))
    assert caught_up(client, publisher)
    assert client.get_object_value("welcome-banner", code) == {"text": "Welcome", "colour": "grey"}

    publisher.approved(DisableFlag(flag="welcome-banner"))
    assert caught_up(client, publisher)
    assert client.get_object_details("welcome-banner", code).reason == Reason.DISABLED


def test_a_rollout_reaches_its_share_and_whoever_was_in_stays_in(
    client: OpenFeatureClient, publisher: Publisher
) -> None:
    def reached() -> set[int]:
        return {n for n in range(1000) if client.get_boolean_value("beta", False, someone(n))}

    before: set[int] = set()
    flags = publisher.state.flags
    publisher.state = publisher.state.with_flag("beta", flags["new-checkout"].changed(metadata={}))
    for percentage in (20, 60, 100):
        publisher.approved(ChangeRollout(flag="beta", variant="on", percentage=percentage))
        assert caught_up(client, publisher)

        now = reached()

        assert abs(len(now) - 10 * percentage) <= 50
        assert before <= now
        before = now

    publisher.approved(ChangeRollout(flag="beta", variant="on", percentage=0))
    assert caught_up(client, publisher)
    assert reached() == set()


def test_targeting_that_refers_to_an_evaluator_still_works_after_a_change_of_its_flag(
    client: OpenFeatureClient, publisher: Publisher
) -> None:
    inside = EvaluationContext(targeting_key="ana", attributes={"email": "ana@example.com"})
    outside = EvaluationContext(targeting_key="zoe", attributes={"email": "zoe@example.org"})

    publisher.approved(DisableFlag(flag="upload-limit"))
    publisher.approved(EnableFlag(flag="upload-limit"))

    assert caught_up(client, publisher)
    assert client.get_integer_value("upload-limit", 1, inside) == 500
    assert client.get_integer_value("upload-limit", 1, outside) == 10


def test_each_evaluation_says_which_version_it_went_by(
    client: OpenFeatureClient, publisher: Publisher
) -> None:
    publisher.approved(ChangeVariant(flag="search-ranking", variant="mixed"))

    assert caught_up(client, publisher)
    metadata = client.get_string_details("search-ranking", "code").flag_metadata
    assert metadata["stateVersion"] == 2
    assert metadata["version"] == "2026.1"
    assert metadata["team"] == "team-web"
