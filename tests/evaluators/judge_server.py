"""A local OpenAI-compatible server for the tests of judges."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server:
    """Answers by a function (number of the request, body) → (status, payload, headers)."""

    def __init__(self, answer: Callable[[int, dict[str, Any]], tuple[int, Any, dict[str, str]]]) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.running = self.most = 0
        lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    outer.running += 1
                    outer.most = max(outer.most, outer.running)
                    number = len(outer.requests)
                    outer.requests.append({"path": self.path, **body})
                    outer.headers.append(dict(self.headers))
                status, payload, headers = answer(number, body)
                with lock:
                    outer.running -= 1
                data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(data)))
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:
                    self.close_connection = True

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.block_on_close = False
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"


def completion(content: str) -> dict[str, Any]:
    """The payload of a chat completion."""
    return {"choices": [{"message": {"role": "assistant", "content": content}}], "usage": {"total_tokens": 12}}


def verdict(score: object = 0.8, **more: object) -> dict[str, Any]:
    """The payload of a verdict."""
    return completion(json.dumps({"score": score, "reason": "because", **more}))


@contextmanager
def serving(answer: Callable[[int, dict[str, Any]], tuple[int, Any, dict[str, str]]]) -> Iterator[Server]:
    """A running server."""
    server = Server(answer)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join(5)


@contextmanager
def sending(*parts: bytes, pause: float = 0.0) -> Iterator[str]:
    """The address of a server that sends these bytes, part by part, whatever it is asked; the last one without end."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            for part in parts:
                connection.sendall(part)
                ended.wait(pause)
            while parts and not ended.is_set():
                connection.sendall(parts[-1])
                ended.wait(pause)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        ended.set()
        listener.close()


def slow(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)
