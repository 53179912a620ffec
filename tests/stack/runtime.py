"""Lambda's Runtime API, for one call of a function."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Runtime:
    """Hands an event to the function that asks for one, and takes its answer.

    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
    """

    def __init__(self, event: dict[str, Any]) -> None:
        self._event: bytes | None = json.dumps(event).encode()
        self._answer: dict[str, Any] = {}
        self._answered = threading.Event()
        self._closed = threading.Event()
        runtime = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                event, runtime._event = runtime._event, None
                if event is None:
                    runtime._closed.wait()  # there is no second call
                    return
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", "the-only-one")
                self.send_header("Lambda-Runtime-Deadline-Ms", "4102444800000")
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:1:function:consumer")
                self.send_header("Content-Length", str(len(event)))
                self.end_headers()
                self.wfile.write(event)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                runtime._answer = {self.path.rpartition("/")[2]: json.loads(body)}
                runtime._answered.set()
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Runtime":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, seconds: float) -> dict[str, Any]:
        """Waits for it that long."""
        assert self._answered.wait(seconds), "the function has not answered"
        assert self._answer.keys() == {"response"}, self._answer
        response: dict[str, Any] = self._answer["response"]
        return response
