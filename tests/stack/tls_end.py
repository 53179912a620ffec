"""Where TLS ends, as far as the emulator can tell: what comes through here counts as HTTPS, what goes past it is plain HTTP.

Policies that deny plain HTTP can then be tried both ways. The emulator's own TLS would do, but it takes port 443 as well.
"""

import http.client
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_OF_ONE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class TlsEnd:
    """Listens on a port of its own on 127.0.0.1, and passes each request on as what has come over TLS."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._behind: str | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"

    def leads_to(self, endpoint: str) -> None:
        """Sets the server behind it."""
        self._behind = urlsplit(endpoint).netloc

    def serve(self) -> None:
        self._server.serve_forever()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def ask(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes) -> http.client.HTTPResponse:
        """Passes a request on. Its `Host` stays, since signatures cover it."""
        assert self._behind is not None
        connection = http.client.HTTPConnection(self._behind, timeout=60)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        connection.putheader("X-Forwarded-Proto", "https")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        return connection.getresponse()


@contextmanager
def listening() -> Iterator[TlsEnd]:
    """One for as long as the block runs."""
    end = TlsEnd()
    thread = threading.Thread(target=end.serve, daemon=True)
    thread.start()
    try:
        yield end
    finally:
        end.close()
        thread.join()


def _handler(end: TlsEnd) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def parse_request(self) -> bool:
            """Any method there is."""
            if not super().parse_request():
                return False
            setattr(self, f"do_{self.command}", self._pass_on)
            return True

        def _pass_on(self) -> None:
            body = self._body()
            headers = [(name, value) for name, value in self.headers.items() if name.lower() not in _OF_ONE_CONNECTION]
            answer = end.ask(self.command, self.path, headers, body)
            said = answer.read()
            self.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in _OF_ONE_CONNECTION:
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, *_: object) -> None:
            pass

    return Handler
