"""A reverse proxy that marks requests as received over TLS, so that policies which deny plain HTTP can be tested.

The emulator's own TLS would do, but it needs port 443.
"""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import urllib3

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class TlsProxy:
    """Listens on a port of 127.0.0.1, with TLS if there is a context."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._endpoint = ""
        self._http = urllib3.PoolManager(maxsize=20, retries=False, timeout=60)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server.server_port}"

    def forward_to(self, endpoint: str) -> None:
        """Sets the server."""
        self._endpoint = endpoint

    def request(self, method: str, path: str, headers: urllib3.HTTPHeaderDict, body: bytes) -> urllib3.BaseHTTPResponse:
        """Forwards a request. `Host` stays, because signatures cover it."""
        headers["X-Forwarded-Proto"] = "https"
        url = self._endpoint + path
        return self._http.urlopen(method, url, headers=headers, body=body, redirect=False, decode_content=False)


@contextmanager
def listening(tls: ssl.SSLContext | None = None) -> Iterator[TlsProxy]:
    """Runs one for as long as the block runs."""
    proxy = TlsProxy(tls)
    with proxy.server as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield proxy
        finally:
            server.shutdown()


def _handler(end: TlsProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def __getattr__(self, name: str) -> object:
            """Handles every method."""
            if name.startswith("do_"):
                return self._forward
            raise AttributeError(name)

        def _forward(self) -> None:
            headers = urllib3.HTTPHeaderDict()
            for name, value in self.headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    headers.add(name, value)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            response = end.request(self.command, self.path, headers, body)
            self.send_response_only(response.status, response.reason)
            for name, value in response.headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    self.send_header(name, value)
            length = response.headers.get("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(response.data)))
            self.end_headers()
            self.wfile.write(response.data)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
