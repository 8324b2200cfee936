"""The directory file: read anew when it changes, and refused in one sentence when it is wrong."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from activities.directory import DirectoryFile
from core import Requirement
from core.errors import DirectoryError, UnknownActor
from core.governance.approval import grant
from core.governance.request import Status
from tests.activities.desk import NOON, Desk


def written(path: Path, text: str) -> DirectoryFile:
    path.write_text(text)
    return DirectoryFile(path)


def test_people_have_the_roles_and_groups_the_file_gives_them(tmp_path: Path) -> None:
    file = written(
        tmp_path / "directory.toml",
        'roles = ["auditor"]\n[people.Ben]\nname = "Ben"\nroles = ["security"]\ngroups = ["web"]\n',
    )

    directory = file()

    assert directory.person("ben").tokens == {"user:ben", "role:security", "group:web"}
    assert directory.person("BEN") == directory.person("ben")
    assert {"role:auditor", "role:security"} <= directory.known
    with pytest.raises(UnknownActor, match="does not know 'mallory'"):
        directory.person("mallory")


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "directory.toml"
    file = written(path, "[people.ana]\n")
    assert file().find("ben") is None

    path.write_text("[people.ana]\n[people.ben]\n")
    os.utime(path, ns=(1, 1))

    assert file().find("ben") is not None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[people", "is no TOML"),
        ("people = 3", "people: Input should be a valid dictionary"),
        ('[people.ana]\nroles = "security"', "does not say who is who: people.ana.roles: "),
        ("[people]\nana = 1", "people.ana: "),
        ('roles = "security"\n[people.ana]', "does not say who is who: roles: "),
        ("roles = 5\n[people.ana]", "roles: "),
        ("roles = [1]\n[people.ana]", "roles.0: "),
        ("groups = {web = 1}\n[people.ana]", "groups: "),
        ('roles = [""]\n[people.ana]', "roles.0: "),
        ("role = []\n[people.ana]", "role: Extra inputs are not permitted"),
        ('[people.ana]\nrole = "security"', "people.ana.role: Extra inputs"),
        ('[people.ana]\nid = "ben"', "people.ana.id: Extra inputs"),
        ('[people." "]', "people. .*: "),
        ('[people."a\\u0000"]', "control character"),
        ('[people.ana]\nroles = ["a\\nb"]', "people.ana.roles.0: .*control character"),
        ("[people.Ben]\n[people.ben]", "'Ben' and 'ben' are one id"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    file = written(tmp_path / "directory.toml", text)

    with pytest.raises(DirectoryError, match=says):
        file()


@pytest.mark.parametrize("text", ["", 'roles = ["security"]\n', "[people]\n"])
def test_g8_a_file_with_nobody_in_it_is_an_outage_as_it_is_still_being_written(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "directory.toml"
    file = written(path, "[people.ana]\n")
    assert file().find("ana")

    path.write_text(text)
    with pytest.raises(DirectoryError, match="has nobody in it"):
        file()

    path.write_text("[people.ana]\n[people.ben]\n")
    assert file().find("ben")


def test_g8_an_approved_request_outlives_a_file_that_is_caught_while_it_is_written(
    tmp_path: Path, desk: Desk
) -> None:
    path = tmp_path / "directory.toml"
    text = "[people.ana]\n[people.ben]\nroles = ['security']\n"
    file = written(path, text)
    desk = replace(desk, outside=replace(desk.outside, directory=file))
    desk.demanded[:] = [Requirement.approval(roles=["security"], needed=1)]
    request = desk.open()
    ben = file().person("ben")
    approved = grant(request, ben, NOON, decision_id="d1", binding=request.binding)
    desk.note(approved)

    path.write_text("")
    with pytest.raises(DirectoryError, match="has nobody in it"):
        desk.execute(approved)
    path.write_text(text)

    assert desk.execute(approved).status == Status.EXECUTED


def test_a_missing_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DirectoryError, match="Give its path with --directory"):
        DirectoryFile(tmp_path / "nowhere.toml")()
