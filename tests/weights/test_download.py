"""Well-known weights from a server in this process that cuts off, corrupts and answers 404; and their names."""

from __future__ import annotations

import hashlib
import socket

import numpy as np
import pytest

from minifcn import models, weights
from minifcn.weights import download as D
from support.file_server import serving

CONTENT = np.random.default_rng(1).bytes(1_300_000)
NAME = f"vgg16-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server of CONTENT, whose name is that of vgg16's file; the cache is in tmp_path."""
    monkeypatch.setitem(D.FILES, "vgg16", NAME)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with serving(CONTENT, NAME) as server:
        yield server


def test_the_addresses_are_torchvisions():
    """Each is an address of a network's weights in torchvision, and no network that is torchvision's too is left out."""
    pytest.importorskip("torch")
    from minifcn.bench.twins.torchvision_models import models as theirs

    known = {
        weight.url
        for builder in theirs.list_models()
        for weight in theirs.get_model_weights(builder)
        if not builder.startswith("quantized")
    }
    for name in D.FILES:
        assert D.address(name) in known, name
        assert D.address(name).rpartition("/")[2].startswith(name.replace("-", "_"))
    assert D.FILES.keys() <= set(models.names())
    assert {"vgg16", "vgg19", "resnet50", "resnet101", "squeezenet1_1"} <= D.FILES.keys()


def test_fetched_once_and_kept(server, tmp_path):
    told = []
    path = D.download("vgg16", server.url, progress=lambda done, total: told.append((done, total)))
    assert path == tmp_path / "minifcn" / "weights" / NAME
    assert path.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert D.download("vgg16", server.url) == path
    assert len(server.asked) == 1
    assert [file.name for file in path.parent.iterdir()] == [NAME]


def test_cut_off_and_continued(server, tmp_path):
    server.cut = 400_000
    with pytest.raises(ConnectionError, match=rf"{NAME} could not be fetched \(.*400000 of 1300000.*run this again"):
        D.download("vgg16", server.url, tmp_path)
    assert not (tmp_path / NAME).exists()
    server.cut = None
    assert D.download("vgg16", server.url, tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=400000-"]


def test_a_server_that_knows_no_ranges(server, tmp_path):
    server.cut = 400_000
    with pytest.raises(ConnectionError):
        D.download("vgg16", server.url, tmp_path)
    server.cut, server.ranges = None, False
    assert D.download("vgg16", server.url, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("where", [0, 650_000, len(CONTENT) - 1])
def test_corrupted(server, tmp_path, where):
    server.content = CONTENT[:where] + bytes([CONTENT[where] ^ 1]) + CONTENT[where + 1 :]
    with pytest.raises(ValueError, match=rf"what came is not {NAME}, its SHA256 is \w+ instead of {NAME[6:14]}; nothing of it"):
        D.download("vgg16", server.url, tmp_path)
    assert not list(tmp_path.iterdir())
    server.content = CONTENT
    assert D.download("vgg16", server.url, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(("status", "said"), [(404, "Not Found"), (403, "Forbidden"), (500, "Internal Server Error")])
def test_not_there(server, tmp_path, status, said):
    server.status = status
    with pytest.raises(
        ConnectionError, match=rf"{server.url} could not be fetched \({said}\); .*put the file at {tmp_path}/{NAME}"
    ):
        D.download("vgg16", server.url, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_wrong_file_in_the_cache_is_found(server, tmp_path):
    (tmp_path / NAME).write_bytes(CONTENT[:-1])
    with pytest.raises(ValueError, match=rf"{tmp_path}/{NAME}: its SHA256 is .*; remove the file and fetch it again"):
        D.download("vgg16", server.url, tmp_path)
    assert not server.asked


def test_what_cannot_be_asked_for(tmp_path):
    with pytest.raises(ValueError, match="'vgg17' cannot be downloaded; choose one of alexnet, vgg11"):
        D.download("vgg17", folder=tmp_path)
    for url in ("file:///etc/passwd", "ftp://x/y.pth", "vgg16.pth"):
        with pytest.raises(ValueError, match=f"--url {url}: give an address that begins with https"):
            D.download("vgg16", url, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_command_without_a_network_says_where_to_put_the_file(tmp_path, monkeypatch, capsys):
    from minifcn import cli

    with socket.socket() as nobody:  # bound, but nobody listens
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/vgg16.pth"
        with pytest.raises(SystemExit) as leaving:
            cli.main(["weights", "download", "vgg16", "--url", url, "--folder", str(tmp_path)])
    said = capsys.readouterr().err
    assert leaving.value.code == 2
    assert said.count("\n") == 1
    assert url in said
    assert f"put the file at {tmp_path}/vgg16-397923af.pth" in said


def test_what_was_downloaded_is_taken_in(tmp_path, monkeypatch, capsys):
    """All the way: a file of PyTorch's from a server, and the command that the first one names."""
    torch = pytest.importorskip("torch")
    from minifcn import cli

    state = models.build("vgg16", 9, width=1 / 32).state_dict()
    torch.save({key: torch.tensor(array) for key, array in state.items()}, tmp_path / "vgg16.pth")
    content = (tmp_path / "vgg16.pth").read_bytes()
    name = f"vgg16-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    monkeypatch.setitem(D.FILES, "vgg16", name)
    monkeypatch.chdir(tmp_path)
    with serving(content, name) as server:
        cli_main(cli, "weights", "download", "vgg16", "--url", server.url, "--folder", "kept")
    command = capsys.readouterr().out.splitlines()[-1].partition("minifcn ")[2]
    assert command == f"weights import kept/{name} --model vgg16 --out vgg16.safetensors"
    cli_main(cli, *command.split(), "--width", str(1 / 32))
    found = weights.read(tmp_path / "vgg16.safetensors")
    assert all(found[key].tobytes() == array.tobytes() for key, array in state.items())


def cli_main(cli, *arguments: str) -> None:
    with pytest.raises(SystemExit) as leaving:
        cli.main(list(arguments))
    assert not leaving.value.code
