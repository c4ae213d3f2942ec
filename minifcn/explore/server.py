"""The page's server, for this machine alone: Python's own, on 127.0.0.1, with a token in its address.

A request with another Host header, or without the token, is refused with 403: no other page in the browser, and nobody else on
this machine, can read along. Answers are written at once (no Nagle, a buffered file): 44 ms become 1.
"""

from __future__ import annotations

import contextlib
import http.server
import importlib.resources
import io
import json
import secrets
import sys
import threading
import traceback
import urllib.parse
from collections.abc import Callable
from typing import Any, cast

from minifcn import data
from minifcn.explore.session import Session, changes_of
from minifcn.explore.trace import Place

_KINDS = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
_MOST_BYTES = 32 * 2**20  # of an uploaded picture


class Explorer(http.server.ThreadingHTTPServer):
    """Serves one session, or two side by side, at ``address``."""

    daemon_threads = True  # a request that is under way does not hold up the end

    def __init__(self, sessions: list[Session], port: int = 0) -> None:
        self.sessions, self.token, self.lock = sessions, secrets.token_urlsafe(12), threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A tab that was closed says nothing; anything else is a mistake of ours."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            traceback.print_exc()


class _Upload(io.BytesIO):
    """A picture that came from the page; what is wrong with it is said of this name."""

    def __str__(self) -> str:
        return "the picture"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 600  # of an idle connection
    server: Explorer

    def log_message(self, *_: Any) -> None:
        """Nothing: the page says what went wrong."""

    def do_GET(self) -> None:
        self._answer(lambda path, query: _QUESTIONS[path](self._session(query), query))

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MOST_BYTES:
            self.close_connection = True
            self._send(413, {"error": f"more than {_MOST_BYTES >> 20} MB cannot be taken; give a smaller copy"})
            return
        body = self.rfile.read(int(length))
        self._answer(lambda path, query: self._replaced(_ORDERS[path](self._session(query), body), query))

    def _answer(self, ask: Callable[[str, dict[str, str]], dict[str, Any]]) -> None:
        """Refuses strangers, hands out the page's files, and else answers what ``ask`` does."""
        address, _, questions = self.path.partition("?")
        token, _, path = address.removeprefix("/").partition("/")
        hosts = {f"{name}:{self.server.server_port}" for name in ("127.0.0.1", "localhost")}
        if self.headers.get("Host") not in hosts or not secrets.compare_digest(token.encode(), self.server.token.encode()):
            self._send(403, {"error": "this page opens at the address, token included, that minifcn explore has printed"})
            return
        if self.command == "GET" and path in _files():
            self._send(200, _files()[path], _KINDS[path.rpartition(".")[2] or "html"])
            return
        query = dict(urllib.parse.parse_qsl(questions))
        try:
            with self.server.lock:
                answer = ask(path, query)
        except KeyError as error:
            self._send(404, {"error": f"there is no {error}"})
        except (ValueError, TypeError, MemoryError, OverflowError) as error:
            self._send(400, {"error": str(error) or "not enough memory: use a smaller picture"})
        else:
            self._send(200, answer)

    def _session(self, query: dict[str, str]) -> Session:
        run = int(query.get("run", 0))
        if not 0 <= run < len(self.server.sessions):
            raise ValueError(f"there are {len(self.server.sessions)} networks, and no number {run}")
        return self.server.sessions[run]

    def _replaced(self, session: Session, query: dict[str, str]) -> dict[str, Any]:
        self.server.sessions[int(query.get("run", 0))] = session
        return session.overview()

    def _send(self, status: int, answer: dict[str, Any] | bytes, kind: str = "application/json") -> None:
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in (
            ("Content-Type", f"{kind}; charset=utf-8"), ("Content-Length", str(len(body))), ("Cache-Control", "no-store"),
            ("Content-Security-Policy", _POLICY), ("Referrer-Policy", "no-referrer"), ("X-Content-Type-Options", "nosniff"),
        ):  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def _files() -> dict[str, bytes]:
    """The page's files by their paths; the empty one is the page itself."""
    files = page_files()
    return {**files, "": files["index.html"]}


def page_files() -> dict[str, bytes]:
    """The files of the page, as they lie in the package."""
    folder = importlib.resources.files("minifcn.explore") / "page"
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name.rpartition(".")[2] in _KINDS}


def _place(query: dict[str, str]) -> Place:
    return query["key"], int(query["channel"]), int(query["row"]), int(query["column"])


def _start(query: dict[str, str]) -> Place | None:
    """Where the backward pass begins: at the loss, or at the number "key|channel|row|column"."""
    if not query.get("start"):
        return None
    key, channel, row, column = query["start"].rsplit("|", 3)
    return key, int(channel), int(row), int(column)


def _painted(session: Session, body: bytes) -> Session:
    return session.with_picture(data.read_image(cast(Any, _Upload(body))))


_QUESTIONS: dict[str, Callable[[Session, dict[str, str]], dict[str, Any]]] = {
    "api/overview": lambda session, query: session.overview(),
    "api/map": lambda session, query: session.map(query["key"], int(query["channel"])),
    "api/channels": lambda session, query: session.channels(query["key"]),
    "api/kernel": lambda session, query: session.kernel(query["key"], int(query["channel"]), int(query["input"])),
    "api/forward": lambda session, query: session.forward(*_place(query)),
    "api/influence": lambda session, query: session.influence(*_place(query)),
    "api/gradient": lambda session, query: session.gradient(query["key"], int(query["channel"]), _start(query)),
    "api/gradients": lambda session, query: session.gradients(_start(query)),
    "api/backward": lambda session, query: session.backward(*_place(query), _start(query)),
    "api/weight": lambda session, query: session.weight(
        query["key"], [int(n) for n in query["index"].split(",")], _start(query)
    ),
}  # fmt: skip
_ORDERS: dict[str, Callable[[Session, bytes], Session]] = {
    "api/picture": _painted,
    "api/changes": lambda session, body: session.changed(changes_of(json.loads(body))),
}


def serve(sessions: list[Session], port: int = 0, opened: Callable[[str], None] = print) -> None:
    """Serves until Ctrl-C; ``opened`` is told the address. Raises OSError or ValueError where the port is taken or none."""
    if not 0 <= port < 2**16:
        raise ValueError(f"port {port} is none: give one from 1 to {2**16 - 1}, or 0 for one that is free")
    try:
        server = Explorer(sessions, port)
    except OSError as error:
        raise OSError(f"port {port} cannot be used ({error.strerror}): choose another with --port, or none") from error
    with server:
        opened(server.address)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever(poll_interval=0.1)
