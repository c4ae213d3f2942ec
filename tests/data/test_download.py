"""Downloads from a server in this process: whole or not at all, continued, checked, and safely unpacked."""

from __future__ import annotations

import hashlib
import io
import socket
import tarfile
from pathlib import Path

import pytest

from minifcn.data import download as D
from support.file_server import serving

CONTENT = bytes(range(256)) * 5000
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def server():
    with serving(CONTENT, "set.tar") as server:
        yield server


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """archive({"path/in/tar": b"..."}) makes a tar known to `download` as "voc2012", served by a file:// URL."""

    def make(files: dict[str, bytes], folder: str = "VOCdevkit/VOC2012") -> Path:
        path = tmp_path / "site" / "set.tar"
        path.parent.mkdir(exist_ok=True)
        with tarfile.open(path, "w") as tar:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        md5 = hashlib.md5(path.read_bytes()).hexdigest()
        monkeypatch.setitem(D.ARCHIVES, "voc2012", D.Archive(path.as_uri(), md5, folder, "VOCdevkit/VOC2012"))
        return path

    return make


def test_the_archives_are_the_official_ones():
    assert D.ARCHIVES["voc2012"].md5 == "6cd6e144f989b92b3379bac3b3de84fd"
    assert D.ARCHIVES["voc2012"].filename == "VOCtrainval_11-May-2012.tar"
    assert D.ARCHIVES["sbd"].md5 == "82b4d87ceb2ed10f6038a1cba92111cb"
    assert D.ARCHIVES["sbd"].filename == "benchmark.tgz"


def test_a_file_is_fetched_with_progress(server, tmp_path):
    told = []
    D.fetch(server.url, tmp_path / "set.tar", MD5, lambda done, total: told.append((done, total)))
    assert (tmp_path / "set.tar").read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [path.name for path in tmp_path.iterdir()] == ["set.tar"]


def test_a_broken_download_goes_on_where_it_stopped(server, tmp_path):
    server.cut = 300_000
    with pytest.raises(ConnectionError, match=r"set\.tar could not be fetched .*300000 of 1280000 bytes.*run this again"):
        D.fetch(server.url, tmp_path / "set.tar", MD5)
    assert not (tmp_path / "set.tar").exists()
    assert (tmp_path / "set.tar.part").stat().st_size == 300_000
    server.cut, told = None, []
    D.fetch(server.url, tmp_path / "set.tar", MD5, lambda done, total: told.append((done, total)))
    assert server.asked == [None, "bytes=300000-"]
    assert (tmp_path / "set.tar").read_bytes() == CONTENT
    assert told[0][0] > 300_000
    assert told[-1] == (len(CONTENT), len(CONTENT))


def test_a_server_that_cannot_go_on_is_asked_for_all_again(server, tmp_path):
    (tmp_path / "set.tar.part").write_bytes(b"something else")
    server.ranges = False
    D.fetch(server.url, tmp_path / "set.tar", MD5)
    assert (tmp_path / "set.tar").read_bytes() == CONTENT


def test_a_finished_part_only_needs_its_name(server, tmp_path):
    (tmp_path / "set.tar.part").write_bytes(CONTENT)
    D.fetch(server.url, tmp_path / "set.tar", MD5)
    assert (tmp_path / "set.tar").read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_nothing_to_go_on_from(server, tmp_path):
    server.content = b"<html>please log in</html>"
    with pytest.raises(ValueError, match=rf"set\.tar: what came is not the archive, its MD5 is \w+ instead of {MD5}"):
        D.fetch(server.url, tmp_path / "set.tar", MD5)
    assert list(tmp_path.iterdir()) == []


def test_without_a_network_one_sentence_says_what_to_do(tmp_path):
    with socket.socket() as nobody:  # bound, but nobody listens
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/set.tar"
        with pytest.raises(ConnectionError, match=r"127.* could not be fetched \(.*refused.*put the file at .*set\.tar by"):
            D.fetch(url, tmp_path / "set.tar", MD5)
    assert list(tmp_path.iterdir()) == []


def test_a_set_is_fetched_unpacked_and_not_fetched_again(archive, tmp_path):
    site = archive({"VOCdevkit/VOC2012/JPEGImages/a.jpg": b"picture", "VOCdevkit/other/b": b"x"})
    (tmp_path / "data" / "VOCdevkit" / "VOC2007").mkdir(parents=True)
    folder = D.download("voc2012", tmp_path / "data")
    assert folder == tmp_path / "data" / "VOCdevkit" / "VOC2012"
    assert (folder / "JPEGImages" / "a.jpg").read_bytes() == b"picture"
    assert sorted(path.name for path in folder.parent.iterdir()) == ["VOC2007", "VOC2012"]
    site.unlink()
    assert D.download("voc2012", tmp_path / "data") == folder


def test_an_archive_that_was_brought_by_other_means_is_used_and_checked(archive, tmp_path):
    site = archive({"VOCdevkit/VOC2012/a": b"1"})
    (tmp_path / "data").mkdir()
    brought = tmp_path / "data" / "set.tar"
    brought.write_bytes(b"torn")
    with pytest.raises(ValueError, match=r"set\.tar: its MD5 is .*remove the file"):
        D.download("voc2012", tmp_path / "data")
    site.rename(brought)
    assert (D.download("voc2012", tmp_path / "data") / "a").read_bytes() == b"1"


def test_an_archive_may_not_write_elsewhere(archive, tmp_path):
    archive({"VOCdevkit/VOC2012/a": b"1", "../../../../escaped": b"2"})
    with pytest.raises(ValueError, match=r"set\.tar: the archive cannot be unpacked"):
        D.download("voc2012", tmp_path / "data")
    assert not list(tmp_path.rglob("escaped"))
    assert list((tmp_path / "data" / "VOCdevkit").iterdir()) == []


def test_an_archive_of_something_else_is_refused(archive, tmp_path):
    archive({"VOCdevkit/VOC2007/a": b"1"})
    with pytest.raises(ValueError, match=r"the archive has no folder VOCdevkit/VOC2012"):
        D.download("voc2012", tmp_path / "data")
    assert list((tmp_path / "data" / "VOCdevkit").iterdir()) == []


def test_a_damaged_archive_is_named(tmp_path):
    (tmp_path / "set.tar").write_bytes(CONTENT)
    with pytest.raises(ValueError, match=r"set\.tar: the archive cannot be unpacked .*remove it and fetch it again"):
        D.unpack(tmp_path / "set.tar", "VOC2012", tmp_path / "out" / "VOC2012")
    assert list((tmp_path / "out").iterdir()) == []


def test_unknown_sets_are_refused(tmp_path):
    with pytest.raises(ValueError, match="'coco' cannot be downloaded; choose one of voc2012, voc2011, sbd"):
        D.download("coco", tmp_path)
