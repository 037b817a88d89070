"""A file is whole or absent, whatever happens while it is written."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gm.io.files
from gm.errors import DataError
from gm.io.files import same_content, sha256, write_atomic


def test_text_and_bytes_are_written_and_directories_made(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a" / "b" / "text.yaml", "é: 1\n")
    write_atomic(str(tmp_path / "a" / "data.fits"), b"\x00\x01")
    assert (tmp_path / "a" / "b" / "text.yaml").read_bytes() == b"\xc3\xa9: 1\n"
    assert (tmp_path / "a" / "data.fits").read_bytes() == b"\x00\x01"
    assert os.listdir(tmp_path / "a" / "b") == ["text.yaml"]


def test_the_mode_is_that_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("x")
    write_atomic(tmp_path / "new", "x")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o444])
def test_the_mode_of_a_file_that_is_replaced_stays(tmp_path: Path, mode: int) -> None:
    (tmp_path / "old").write_text("x")
    (tmp_path / "old").chmod(mode)
    write_atomic(tmp_path / "old", "y")
    assert stat.S_IMODE((tmp_path / "old").stat().st_mode) == mode


def test_files_are_equal_when_their_bytes_are(tmp_path: Path) -> None:
    big = bytes(3 << 20)
    contents = {"a": big, "same": big, "end": big[:-1] + b"x", "short": big[:-1]}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        os.utime(tmp_path / name, (1, 1))
    assert [same_content(tmp_path / "a", tmp_path / name) for name in (*contents, "none")] == [True, True] + [False] * 3


def test_an_old_file_is_replaced_and_a_link_followed(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    (tmp_path / "link").symlink_to("old")
    write_atomic(tmp_path / "link", "new")
    assert (tmp_path / "old").read_text() == "new"
    assert (tmp_path / "link").is_symlink()


def test_a_device_is_written_to_and_stays_one() -> None:
    write_atomic("/dev/null", "x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


class FullDisk:
    """A file whose disk is full, as seen at the first write or, with a buffer, only when it is closed."""

    def __init__(self, path: Path, when: str) -> None:
        self.file = open(path, "xb")  # noqa: SIM115 - closed by __exit__
        self.when = when

    def __enter__(self) -> FullDisk:
        return self

    def write(self, data: bytes) -> None:
        self.file.write(data[: len(data) // 2])
        if self.when == "write":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        self.file.close()
        if kind is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("when", ["write", "close"])
def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    target = tmp_path / "fit.yaml"
    target.write_text("old")
    monkeypatch.setattr(gm.io.files, "open", lambda path, mode: FullDisk(path, when), raising=False)
    with pytest.raises(DataError, match=r"fit.yaml: cannot be written: No space left on device"):
        write_atomic(target, "new content")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["fit.yaml"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB; skips where this user may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run([mount, "-t", "tmpfs", "-o", "size=64k", "gm", folder], capture_output=True).returncode
    ):
        pytest.skip("this user may not mount a tmpfs")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_really_full_disk(small_disk: Path) -> None:
    target = small_disk / "fit.yaml"
    write_atomic(target, "old")
    with pytest.raises(DataError, match="No space left on device"):
        write_atomic(target, b"x" * 100_000)
    assert target.read_text() == "old"
    assert os.listdir(small_disk) == ["fit.yaml"]


def test_an_interrupt_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "fit.yaml", "new")
    assert os.listdir(tmp_path) == []


def test_what_stands_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match=r"cannot be written: .*\('.*/file' is a file\)"):
        write_atomic(tmp_path / "file" / "fit.yaml", "x")
    with pytest.raises(DataError, match=r"cannot be written: Is a directory"):
        write_atomic(tmp_path, "x")
    with pytest.raises(DataError, match=r"cannot be written: File name too long"):
        write_atomic(tmp_path / ("x" * 300), "x")


@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_a_directory_without_permission(held_back: Path, mode: int) -> None:
    folder = held_back / "results"
    folder.mkdir(mode)
    with pytest.raises(DataError, match=r"cannot be written: Permission denied \(no permission in '.*results'\)"):
        write_atomic(folder / "fit" / "fit.yaml", "x")


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    # FIPS 180-4, example for SHA-256("abc")
    assert sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(DataError, match=r"missing: cannot be read: No such file or directory"):
        sha256(tmp_path / "missing")
