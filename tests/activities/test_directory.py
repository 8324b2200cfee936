"""The directory file: read anew when it changes, and refused in one sentence when it is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from activities.directory import DirectoryFile
from core.errors import DirectoryError, UnknownActor


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
        ("people = 3", "needs tables"),
        ('[people.ana]\nroles = "security"', "does not say who is who"),
        ("[people]\nana = 1", "needs tables"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    file = written(tmp_path / "directory.toml", text)

    with pytest.raises(DirectoryError, match=says):
        file()


def test_a_missing_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DirectoryError, match="Give its path with --directory"):
        DirectoryFile(tmp_path / "nowhere.toml")()
