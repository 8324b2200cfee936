"""Each command as people and scripts use it, against a real server and worker."""

from __future__ import annotations

import json
import uuid

from client.cli.exits import ExitCode
from tests.client.desk import Desk

NEEDS_TWO = {"needs": [{"roles": ["approver"], "needed": 2}]}


def state() -> str:
    return f"box/{uuid.uuid4().hex[:12]}"


def two(desk: Desk) -> str:
    """Write the part of a payload that makes two approvers needed, and answer where."""
    return desk.write("two.json", {"metadata": NEEDS_TWO, "actor_id": "eve"})


async def waiting(desk: Desk, state_id: str, *arguments: str) -> str:
    """Submit a request that waits for two approvers, and answer its id."""
    submitted = await desk.run(
        *("submit", state_id, "Put", "key=x", "value=7", "--file", two(desk), "--json"), *arguments
    )
    assert (submitted.code, submitted.err) == (ExitCode.DONE, "")
    return str(submitted.value["request_id"])


async def test_a_change_that_needs_nothing_is_submitted_and_waited_for(desk: Desk) -> None:
    state_id = state()

    done = await desk.run(
        *("submit", state_id, "Add", "key=x", "amount=2", "--as", "ana", "--reason", "why not"),
        *("--tag", "one", "--tag", "two", "--expires-in", "2h", "--wait"),
    )
    history = await desk.run("history", state_id)
    in_json = await desk.run("history", state_id, "--json")

    assert (done.code, done.err) == (ExitCode.DONE, "")
    assert "Executed: committed as version 1." in done.out
    assert "/numbers/x: added 2" in done.out
    assert history.out.startswith("version 1")
    assert "why not" in history.out
    assert [entry["version"] for entry in in_json.value] == [1]


async def test_people_decide_from_the_command_line(desk: Desk) -> None:
    state_id = state()
    request_id = await waiting(desk, state_id)

    inbox = await desk.run("pending", "--as", "ben")
    shown = await desk.run("show", request_id)
    granted = await desk.run("approve", request_id, "--as", "ben", "--reason", "looks right")
    after = await desk.run("pending", "--as", "ben", "--json")
    twice = await desk.run("approve", request_id, "--as", "ben")
    taken_back = await desk.run("withdraw", request_id, "--as", "ben")
    again = await desk.run("approve", request_id, "--json", MUTATOR_ACTOR="ben")
    done = await desk.run("--as", "cleo", "--json", "approve", request_id)

    assert request_id in inbox.out
    for said in ("Pending until", "who can: role:approver", "/numbers/x: added 7", "Binding"):
        assert said in shown.out
    for said in ("You approve", "/numbers/x: added 7", "v1:sha256:", "1 given"):
        assert said in granted.out
    assert request_id not in {r["request_id"] for r in after.value}
    assert (twice.code, twice.err.count("\n")) == (ExitCode.REFUSED, 1)
    assert "has granted" in twice.err
    assert taken_back.code == again.code == done.code == ExitCode.DONE
    assert (done.value["status"], done.value["resulting_version"]) == ("Executed", 1)


async def test_a_rejected_and_a_canceled_request_say_how_they_ended(desk: Desk) -> None:
    rejected, canceled = await waiting(desk, state()), await waiting(desk, state())

    no = await desk.run("reject", rejected, "--as", "ben", "--reason", "not today")
    gone = await desk.run("cancel", canceled, "--as", "eve")
    late = await desk.run("approve", rejected, "--as", "ana", "--json")
    listed = await desk.run("list", "--requester", "eve", "--status", "Rejected", "--json")

    assert (no.code, gone.code) == (ExitCode.DONE, ExitCode.DONE)
    assert "not today" in no.out
    assert "Canceled" in gone.out
    assert late.code == ExitCode.REFUSED
    assert late.error["type"] == "RequestClosed"
    assert rejected in {r["request_id"] for r in listed.value}


async def test_a_preview_shows_what_would_be_and_makes_nothing(desk: Desk) -> None:
    state_id = state()
    shown = await desk.run(
        *("preview", state_id, "Put", "--param", '{"key": "x", "value": 7}'),
        *("--file", two(desk), "--as", "eve"),
    )
    history = await desk.run("history", state_id)

    assert shown.code == ExitCode.DONE
    for said in ("It would wait for", "2 of role:approver", "ana, ben, cleo", "added 7"):
        assert said in shown.out
    assert (history.code, history.out) == (ExitCode.REFUSED, "")


async def test_watching_prints_each_change_until_the_end(desk: Desk) -> None:
    request_id = await waiting(desk, state())
    watching = await desk.start("watch", request_id, "--json", "--every", "0.1")
    assert watching.stdout is not None
    first = json.loads(await watching.stdout.readline())

    for actor in ("ben", "ana"):
        assert (await desk.run("approve", request_id, "--as", actor)).code == ExitCode.DONE
    rest, err = await watching.communicate()

    assert (watching.returncode, err) == (ExitCode.DONE, b"")
    statuses = [first["status"], *(json.loads(line)["status"] for line in rest.splitlines())]
    assert (statuses[0], statuses[-1]) == ("Pending", "Executed")


async def test_a_moved_state_is_shown_and_refreshed(desk: Desk) -> None:
    state_id = state()
    request_id = await waiting(desk, state_id)
    await desk.run("submit", state_id, "Put", "key=x", "value=1", "--as", "ana", "--wait")

    before = await desk.run("show", request_id)
    refreshed = await desk.run("refresh", request_id, "--as", "eve")
    after = await desk.run("show", request_id)

    assert "it is at version 1, this was assessed on version 0" in before.out
    assert refreshed.code == ExitCode.DONE
    assert "/numbers/x: 1 -> 7" in after.out


async def test_a_renewal_shows_the_difference_since_each_grant(desk: Desk) -> None:
    state_id = state()
    request_id = await waiting(desk, state_id)
    await desk.run("approve", request_id, "--as", "ben")
    await desk.run("submit", state_id, "Put", "key=x", "value=1", "--as", "ana", "--wait")
    await desk.run("refresh", request_id, "--as", "eve")

    shown = await desk.run("show", request_id)

    assert "Since ben granted it (asked again)" in shown.out
    assert "- /numbers/x: added 7" in shown.out
    assert "+ /numbers/x: 1 -> 7" in shown.out


async def test_a_repeated_submission_joins_and_another_is_refused(desk: Desk) -> None:
    state_id, mine = state(), f"mine-{uuid.uuid4().hex}"
    await waiting(desk, state_id, "--request-id", mine)

    joined = await desk.run(
        *("submit", state_id, "Put", "key=x", "value=7", "--file", two(desk), "--json"),
        *("--request-id", mine),
    )
    other = await desk.run(
        *("submit", state_id, "Put", "key=x", "value=8", "--file", two(desk), "--json"),
        *("--request-id", mine),
    )

    assert joined.value["joined"] is True
    assert (other.code, other.out) == (ExitCode.REFUSED, "")
    assert other.error["type"] == "RequestIdReused"


async def test_bad_input_ends_with_one_sentence_that_names_it(desk: Desk) -> None:
    for arguments, code, named in (
        ("submit box/1 Divide --as ana", ExitCode.REFUSED, "Divide"),
        ("submit nobody/1 Add key=x --as ana", ExitCode.REFUSED, "nobody"),
        ("submit box/no-such Add key=x --as ana", ExitCode.REFUSED, "box/no-such"),
        ("submit box/1 Add amount=2 --as ana", ExitCode.REFUSED, "key"),
        ("preview box/1 Divide --as ana", ExitCode.REFUSED, "Divide"),
        ("submit box/1 Add key=x amount=-9 --as ana", ExitCode.REFUSED, "below zero"),
        ("show nothing", ExitCode.REFUSED, "'nothing'"),
        ("approve nothing --as ben", ExitCode.REFUSED, "'nothing'"),
        ("watch nothing", ExitCode.REFUSED, "'nothing'"),
        ("history box/never-opened", ExitCode.REFUSED, "box/never-opened"),
        ("pending --as zoe", ExitCode.REFUSED, "zoe"),
        ("list --store sqlite:////nowhere/mutator.db", ExitCode.UNREACHABLE, "nowhere"),
        ("show nothing --store mysql://x", ExitCode.UNREACHABLE, "mysql"),
    ):
        ended = await desk.run(*arguments.split(), MUTATOR_CREDENTIAL="unused")

        assert (ended.code, ended.out) == (code, ""), arguments
        assert ended.err.count("\n") == 1, ended.err
        assert named in ended.err, ended.err


async def test_a_request_that_is_denied_at_once_has_its_own_exit_code(desk: Desk) -> None:
    denied = desk.write("denied.json", {"metadata": {"deny": "not in winter"}})

    ended = await desk.run(
        *("submit", state(), "Add", "key=x", "--as", "ana", "--file", denied, "--json")
    )

    assert ended.code == ExitCode.NOT_EXECUTED
    assert ended.value["status"] == "Rejected"
    assert "not in winter" in ended.error["message"]


async def test_waiting_for_an_end_can_be_bounded(desk: Desk) -> None:
    ended = await desk.run(
        *("submit", state(), "Add", "key=x", "--as", "eve", "--file", two(desk)),
        *("--wait", "--within", "1s"),
    )

    assert ended.code == ExitCode.NOT_SETTLED
    assert ended.err.count("\n") == 1


# What is waited for besides approvals.


def needing(desk: Desk, *needs: dict[str, object]) -> str:
    """Write the part of a payload that demands these, and answer where."""
    return desk.write("needs.json", {"metadata": {"needs": needs}, "actor_id": "eve"})


async def pending(desk: Desk, *arguments: str, state_id: str = "") -> str:
    """Submit a request that waits for what is in `needs.json`, and answer its id."""
    submitted = await desk.run(
        *("submit", state_id or state(), "Put", "key=x", "value=7"),
        *("--file", str(desk.folder / "needs.json"), "--json", *arguments),
    )
    assert (submitted.code, submitted.err) == (ExitCode.DONE, "")
    assert submitted.value["status"] == "Pending"
    return str(submitted.value["request_id"])


async def test_checks_and_reviews_are_in_the_inbox_and_are_answered(desk: Desk) -> None:
    needing(
        desk,
        {"kind": "check", "name": "silent", "people": ["dan"]},
        {"kind": "review", "roles": ["security"], "needed": 1, "title": "Secure"},
    )
    request_id = await pending(desk)

    inboxes = [await desk.run("pending", "--as", who, "--json") for who in ("dan", "ben", "cleo")]
    passed = await desk.run(
        *("fulfil", request_id, "--as", "dan", "--check", "silent", "--passed"),
        *("--evidence", "run=7", "--evidence", "log=green"),
    )
    refused = await desk.run("fulfil", request_id, "--as", "dan", "--check", "Secure", "--passed")
    done = await desk.run(
        *("fulfil", request_id, "--as", "ben", "--passed", "--reason", "no holes", "--json")
    )
    shown = await desk.run("show", request_id, "--json")

    assert [request_id in {r["request_id"] for r in box.value} for box in inboxes] == [
        *(True, True, False)
    ]
    for said in ("You pass", "/numbers/x: added 7", "Secure: review by 1 of role:security"):
        assert said in passed.out
    assert (refused.code, refused.err.count("\n")) == (ExitCode.REFUSED, 1)
    assert "may not" in refused.err
    assert (done.code, done.value["status"]) == (ExitCode.DONE, "Executed")
    assert any("green" in json.dumps(d) for d in shown.value["decisions"])


async def test_a_failed_check_rejects_and_says_why(desk: Desk) -> None:
    needing(desk, {"kind": "check", "name": "silent", "people": ["dan"]})
    request_id = await pending(desk)

    failed = await desk.run("fulfil", request_id, "--as", "dan", "--failed", "--reason", "too slow")

    assert failed.code == ExitCode.DONE
    assert "Rejected (check, failed)" in failed.out
    assert "too slow" in failed.out


async def test_a_right_is_handed_on_from_the_command_line(desk: Desk) -> None:
    needing(desk, {"roles": ["security"], "needed": 1})
    request_id = await pending(desk)

    handed = await desk.run(
        *("delegate", request_id, "--as", "ben", "--to", "cleo", "--until", "3d", "--json")
    )
    shown = await desk.run("show", request_id)
    inbox = await desk.run("pending", "--as", "cleo", "--json")
    nobody = await desk.run("delegate", request_id, "--as", "ben", "--to", "zoe", "--until", "3d")
    done = await desk.run("approve", request_id, "--as", "cleo", "--json")

    assert (handed.code, handed.value["status"]) == (ExitCode.DONE, "Pending")
    assert "cleo may answer in the place of ben until" in shown.out
    assert request_id in {r["request_id"] for r in inbox.value}
    assert (nobody.code, nobody.err.count("\n")) == (ExitCode.REFUSED, 1)
    assert "zoe" in nobody.err
    assert done.value["status"] == "Executed"


async def test_a_newer_request_supersedes_from_the_command_line(desk: Desk) -> None:
    needing(desk, {"roles": ["approver"], "needed": 1})
    state_id = state()
    older = await pending(desk, state_id=state_id)
    newer = await pending(desk, "--supersedes", older, "--as", "ana", state_id=state_id)

    other = await desk.run("supersede", older, "--by", "never-was", "--as", "eve")
    gone = await desk.run("supersede", older, "--by", newer, "--as", "eve")
    shown = await desk.run("show", newer)

    assert (other.code, other.err.count("\n")) == (ExitCode.REFUSED, 1)
    assert "never-was" in other.err
    assert gone.code == ExitCode.DONE
    assert "Superseded" in gone.out
    assert newer in gone.out
    assert f"It names request {older}, whose place it is to take." in shown.out


async def test_what_is_said_is_shown(desk: Desk) -> None:
    needing(desk, {"roles": ["approver"], "needed": 1})
    request_id = await pending(desk)

    said = await desk.run("comment", request_id, "Why now?\nReally.", "--as", "dan")
    shown = await desk.run("show", request_id)
    in_json = await desk.run("show", request_id, "--json")
    long = await desk.run("comment", request_id, "x" * 1001, "--as", "dan")
    other_place = await desk.run("show", request_id, "--store", f"sqlite:///{desk.folder / 'none'}")

    assert (said.code, said.err) == (ExitCode.DONE, "")
    assert "dan: Why now?\n      Really.\n" in shown.out
    assert [c["text"] for c in in_json.value["said"]] == ["Why now?\nReally."]
    assert in_json.value["comments"] == 1
    assert (long.code, long.err.count("\n")) == (ExitCode.REFUSED, 1)
    assert "text" in long.err
    assert other_place.code == ExitCode.UNREACHABLE


async def test_what_a_request_waits_for_is_shown_with_what_meets_it(desk: Desk) -> None:
    needing(desk, {"roles": ["approver"], "needed": 1})
    first = await pending(desk)
    needing(desk)

    submitted = await desk.run(
        *("submit", state(), "Put", "key=x", "value=7", "--as", "eve"),
        *("--not-before", "2099-12-01T09:00+01:00", "--expires-in", "3650d"),
        *("--depends-on", first, "--on-state-moved", "supersede"),
    )

    assert submitted.code == ExitCode.NOT_EXECUTED
    assert "unsatisfiable, no_window" in submitted.out

    later = await desk.run(
        *("submit", state(), "Put", "key=x", "value=7", "--as", "eve", "--not-before", "2h"),
        *("--depends-on", first, "--on-state-moved", "supersede"),
    )

    assert later.code == ExitCode.DONE
    for said in (
        f"told when request {first} ends",
        "at the earliest",
        "it is a matter of time",
        "It ends when box/",
    ):
        assert said in later.out


async def test_a_preview_is_refused_where_the_state_has_moved_since_it_was_written(
    desk: Desk,
) -> None:
    state_id = state()
    await desk.run("submit", state_id, "Add", "key=x", "--as", "ana", "--wait")

    shown = await desk.run(
        *("preview", state_id, "Add", "key=x", "--as", "ana"),
        *("--expected-version", "0", "--strategy", "reject_stale"),
    )

    assert shown.code == ExitCode.DONE
    assert "It would be rejected (stale, moved)" in shown.out


async def test_a_preview_over_a_range_shows_where_it_changes(desk: Desk) -> None:
    shown = await desk.run(
        *("preview", state(), "Add", "key=x", "amount=1", "--as", "ana", "--not-before", "2h"),
        *("--vary", "amount=-20..20:10"),
    )
    in_json = await desk.run(
        *("preview", state(), "Add", "key=x", "--as", "ana", "--vary", "amount=1,2", "--json"),
    )
    nowhere = await desk.run(
        *("preview", state(), "Add", "key=x", "--as", "ana", "--vary", "/key/deeper=1"),
    )

    assert shown.code == ExitCode.DONE
    for said in ("at the earliest", "Over the range", "-20 to -10: rejected (validation,"):
        assert said in shown.out
    assert "0 to 20: waits for not before" in shown.out
    assert [(r["first"], r["last"]) for r in in_json.value["varied"]] == [(1, 2)]
    assert (nowhere.code, nowhere.err.count("\n")) == (ExitCode.REFUSED, 1)
    assert "no map to put 'deeper' in" in nowhere.err
