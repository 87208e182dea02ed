"""A change is seen once, by what the file system says."""

from __future__ import annotations

import os
from pathlib import Path

from turnout.config.watch import Watcher


def test_changes(tmp_path: Path) -> None:
    path = tmp_path / "turnout.yaml"
    path.write_text("a")
    watcher = Watcher(path)
    assert not watcher.changed()
    path.write_text("ab")
    assert watcher.changed()
    assert not watcher.changed()
    os.utime(path, ns=(1, 1))
    assert watcher.changed()


def test_a_replaced_file_of_the_same_size_and_time(tmp_path: Path) -> None:
    path, other = tmp_path / "turnout.yaml", tmp_path / "new"
    for each in (path, other):
        each.write_text("same")
        os.utime(each, ns=(1, 1))
    watcher = Watcher(path)
    other.replace(path)
    assert watcher.changed()


def test_a_missing_file_is_no_change_until_it_is_back(tmp_path: Path) -> None:
    path, aside = tmp_path / "turnout.yaml", tmp_path / "aside"
    path.write_text("a")
    watcher = Watcher(path)
    path.rename(aside)
    assert not watcher.changed()
    aside.rename(path)
    assert not watcher.changed()
    path.unlink()
    path.write_text("other")
    assert watcher.changed()


def test_a_file_that_comes_later(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path / "turnout.yaml")
    assert not watcher.changed()
    (tmp_path / "turnout.yaml").write_text("a")
    assert watcher.changed()


def test_through_a_symbolic_link(tmp_path: Path) -> None:
    """As container mounts do it: the link goes to another folder."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "turnout.yaml").write_text(name)
    link = tmp_path / "data"
    link.symlink_to(tmp_path / "one")
    watcher = Watcher(link / "turnout.yaml")
    link.unlink()
    link.symlink_to(tmp_path / "two")
    assert watcher.changed()
