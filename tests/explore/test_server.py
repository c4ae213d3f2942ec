"""The server answers this page alone, says what is wrong in a sentence, and outlives everything that is sent to it."""

from __future__ import annotations

import http.client
import io
import json
import socket
import threading

import numpy as np
import pytest
from PIL import Image

from minifcn.explore.server import Explorer, serve


@pytest.fixture
def explorer(session):
    server = Explorer([session, session])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def ask(explorer, path: str, body: bytes | None = None, token: str | None = None, **headers: str):
    """(status, content type, body)"""
    connection = http.client.HTTPConnection("127.0.0.1", explorer.server_port, timeout=30)
    method = "GET" if body is None else "POST"
    connection.request(method, f"/{explorer.token if token is None else token}/{path}", body, headers)
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_the_page_and_its_files(explorer):
    status, headers, page = ask(explorer, "")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"minifcn" in page
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    for name, kind in (("app.js", "text/javascript"), ("style.css", "text/css"), ("two.html", "text/html")):
        status, headers, _ = ask(explorer, name)
        assert (status, headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")


@pytest.mark.parametrize("path", ["", "app.js", "api/overview"])
def test_strangers_are_refused(explorer, path):
    assert ask(explorer, path)[0] == 200
    assert ask(explorer, path, token="")[0] == 403
    assert ask(explorer, path, token=explorer.token[:-1])[0] == 403
    assert ask(explorer, path, token="%C3%A9")[0] == 403
    assert ask(explorer, path, Host="evil.example")[0] == 403
    assert ask(explorer, path, Host=f"evil.example:{explorer.server_port}")[0] == 403
    assert ask(explorer, path, Host="127.0.0.1:1")[0] == 403
    assert ask(explorer, path, Host=f"localhost:{explorer.server_port}")[0] == 200


def test_a_stranger_cannot_change_anything(explorer):
    before = explorer.sessions[0]
    assert ask(explorer, "api/changes", b"[]", token="x")[0] == 403
    assert ask(explorer, "api/changes", b"[]", Host="evil.example")[0] == 403
    assert explorer.sessions[0] is before


def test_nobody_but_this_machine(explorer):
    assert explorer.server_address[0] == "127.0.0.1"


def test_answers_are_the_sessions(explorer, session):
    _, _, body = ask(explorer, "api/forward?run=1&key=conv2_1&channel=3&row=4&column=5")
    assert json.loads(body) == json.loads(json.dumps(session.forward("conv2_1", 3, 4, 5)))
    _, _, body = ask(explorer, "api/backward?key=pool1&channel=0&row=4&column=5&start=pool3|1|2|3")
    assert json.loads(body)["value"] == session.trace.gradient("pool1", ("pool3", 1, 2, 3))[0, 4, 5]
    _, _, body = ask(explorer, "api/weight?key=conv2_1&index=3,1,2,0&start=")
    assert json.loads(body)["value"] == session.trace.weight_gradient("conv2_1", (3, 1, 2, 0)).value


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("api/forward?key=conv9&channel=0&row=0&column=0", 400, "there is no layer 'conv9'"),
        ("api/forward?key=conv1_1&channel=0&row=-1&column=0", 400, "no place"),
        ("api/forward?key=conv1_1&channel=0&row=x&column=0", 400, "invalid literal"),
        ("api/forward?key=conv1_1", 404, "channel"),
        ("api/nothing", 404, "api/nothing"), ("api/overview?run=7", 400, "no number 7"), ("../server.py", 404, "server.py"),
        ("api/weight?key=pool1&index=0,0,0,0", 400, "pool1 is a MaxPool2d"),
        ("api/map?key=conv1_1&channel=99", 400, "no place"),
        ("api/gradient?key=pool1&channel=0&start=a|b", 400, "not enough values"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(explorer, path, status, sentence):
    found, _, body = ask(explorer, path)
    assert found == status
    assert sentence in json.loads(body)["error"]


def test_a_picture_from_the_page(explorer, session, rng):
    pixels = rng.integers(0, 256, (45, 61, 3), np.uint8)
    status, _, body = ask(explorer, "api/picture?run=1", png(pixels))
    assert status == 200
    assert json.loads(body)["picture"]["shape"] == [45, 61, 3]
    np.testing.assert_array_equal(explorer.sessions[1].image, pixels)
    assert explorer.sessions[0] is session


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"this is no picture", 400, "the picture: the picture cannot be decoded"), (b"", 400, "cannot be decoded"),
        (png(np.zeros((2000, 1500, 3), np.uint8)), 400, "2000x1500 has 3.0 million pixels"),
        (png(np.zeros((40, 40, 3), np.uint8))[:-30], 400, "cannot be decoded"),
    ],
    ids=["text", "nothing", "huge", "cut short"],
)  # fmt: skip
def test_a_damaged_picture_and_a_huge_one_leave_all_as_it_was(explorer, session, body, status, sentence):
    found, _, answer = ask(explorer, "api/picture", body)
    assert found == status
    assert sentence in json.loads(answer)["error"]
    assert explorer.sessions[0] is session
    assert ask(explorer, "api/overview")[0] == 200


def test_more_bytes_than_a_picture_has_are_not_read(explorer):
    found, _, answer = ask(explorer, "api/picture", b"", **{"Content-Length": str(10**9)})
    assert found == 413
    assert "32 MB" in json.loads(answer)["error"]


def test_changes_from_the_page(explorer):
    status, _, body = ask(explorer, "api/changes", json.dumps([{"kind": "off", "key": "conv1_1", "channel": 0}]).encode())
    assert status == 200
    assert len(json.loads(body)["changes"]) == 1
    for wrong in (b"{", b"[3]", b'[{"kind": "off", "key": "conv9", "channel": 0}]', b"\xff"):
        assert ask(explorer, "api/changes", wrong)[0] == 400
    assert len(explorer.sessions[0].trace.changes) == 1


def test_a_tab_that_closes_leaves_the_server_alive(explorer, capsys):
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", explorer.server_port)) as line:
            line.sendall(
                f"GET /{explorer.token}/api/overview HTTP/1.1\r\nHost: 127.0.0.1:{explorer.server_port}\r\n\r\n".encode()
            )
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset, not closed
    assert ask(explorer, "api/overview")[0] == 200
    assert "Traceback" not in capsys.readouterr().err


def test_nonsense_on_the_line_leaves_the_server_alive(explorer, capsys):
    for sent in (
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"BREW / HTTP/1.1\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\n\r\n",
        b"GET /\xff\xe9/ HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", explorer.server_port), timeout=10) as line:
            line.sendall(sent)
            line.shutdown(socket.SHUT_WR)
            line.recv(1000)
    assert ask(explorer, "api/overview")[0] == 200
    assert "Traceback" not in capsys.readouterr().err


def test_a_port_that_is_taken(explorer, session):
    with pytest.raises(OSError, match=f"port {explorer.server_port} cannot be used .*--port"):
        serve([session], explorer.server_port)
