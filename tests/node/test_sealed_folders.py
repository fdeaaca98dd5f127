"""Folders that are whole or not there."""

import json
from pathlib import Path

import pytest

from matching.errors import WattbookError
from node.sealed_folders import FolderKind


class RefusedError(WattbookError):
    pass


class DamagedError(WattbookError):
    pass


BOX = FolderKind("box", "box.json", RefusedError, DamagedError)
FILES = {"a": b"", "inner/b": bytes(range(256)) * 5_000}


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """A sealed one, in a folder that was not there."""
    with BOX.made_at_once(tmp_path / "boxes" / "box") as draft:
        put(draft)
        assert BOX.seal(draft, made_at=7).keys() == FILES.keys()
    return tmp_path / "boxes" / "box"


def put(folder: Path) -> None:
    for name, content in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)


def test_it_is_there_once_all_is_in_it(tmp_path: Path) -> None:
    target = tmp_path / "box"
    with BOX.made_at_once(target) as draft:
        put(draft)
        assert not target.exists()
    assert (target / "inner" / "b").read_bytes() == FILES["inner/b"]
    assert list(tmp_path.iterdir()) == [target]


def test_an_empty_folder_may_be_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "box").mkdir()
    with BOX.made_at_once(tmp_path / "box") as draft:
        put(draft)
    assert (tmp_path / "box" / "a").is_file()


def test_whatever_else_is_in_its_place_stays(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    for taken in (tmp_path / "full", tmp_path / "full" / "mine"):
        with pytest.raises(RefusedError, match="not empty"), BOX.made_at_once(taken):
            pytest.fail("nothing can be made here")
    assert list(tmp_path.rglob("*")) == [tmp_path / "full", tmp_path / "full" / "mine"]


def test_it_is_gone_if_anything_fails(tmp_path: Path) -> None:
    def interrupted() -> None:
        with BOX.made_at_once(tmp_path / "box") as draft:
            put(draft)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_what_is_as_it_was_is_accepted_and_copied(box: Path, tmp_path: Path) -> None:
    BOX.check(box)
    copy = tmp_path / "copy"
    copy.mkdir()
    assert BOX.put_back(box, copy) == BOX.entries(box)
    assert {name: (copy / name).read_bytes() for name in FILES} == FILES
    assert not (copy / BOX.manifest).exists()


def test_a_byte_more_less_or_changed_is_found(box: Path, tmp_path: Path) -> None:
    path, whole = box / "inner" / "b", FILES["inner/b"]
    for damaged in (whole + b"\0", whole[:-1], whole[:-1] + b"\0"):
        path.write_bytes(damaged)
        with pytest.raises(DamagedError, match="the box's file inner/b is damaged"):
            BOX.check(box)
        with pytest.raises(DamagedError, match="the box's file inner/b is damaged"):
            BOX.put_back(box, tmp_path)


def test_what_is_no_folder_of_this_kind_is_refused(box: Path) -> None:
    manifest = json.loads((box / BOX.manifest).read_text(encoding="utf-8"))
    (box / BOX.manifest).write_text(json.dumps(manifest | {"format": 2}), encoding="utf-8")
    with pytest.raises(RefusedError, match="of format 2: must be 1"):
        BOX.check(box)
    (box / BOX.manifest).unlink()
    with pytest.raises(RefusedError, match=r"is no box: box\.json is missing"):
        BOX.check(box)


@pytest.mark.parametrize("name", ["/etc/passwd", "../a", "inner/../../a"])
def test_a_manifest_that_names_a_file_outside_is_damaged(box: Path, tmp_path: Path, name: str) -> None:
    manifest = json.loads((box / BOX.manifest).read_text(encoding="utf-8"))
    manifest["files"][name] = manifest["files"]["a"]
    (box / BOX.manifest).write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(DamagedError, match=r"box\.json is damaged: .* is outside of it"):
        BOX.put_back(box, tmp_path)
