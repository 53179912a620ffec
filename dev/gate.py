"""A way to a server that can be closed: connections are passed on, refused, or kept waiting for ever."""

import socket
import threading
from collections.abc import Callable
from types import TracebackType
from urllib.parse import urlsplit


class Gate:
    """Listens on a port of its own on 127.0.0.1 and passes on what comes, until it is told otherwise."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port = self._listener.getsockname()[1]
        self._target: tuple[str, int] | None = None
        self._connections: list[socket.socket] = []
        self._mode = "open"
        self._requests = 0
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def __enter__(self) -> "Gate":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def requests(self) -> int:
        """How many HTTP requests have been passed on."""
        return self._requests

    def leads_to(self, endpoint: str) -> None:
        """Sets the server behind the gate."""
        address = urlsplit(endpoint)
        assert address.hostname and address.port
        self._target = (address.hostname, address.port)

    def open(self) -> None:
        """Passes connections on."""
        with self._lock:
            if self._mode == "closed":
                self._listener = socket.create_server(("127.0.0.1", self._port))
                threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
            self._mode = "open"
            self._cut()

    def close(self) -> None:
        """Refuses connections, and cuts those that there are."""
        with self._lock:
            if self._mode != "closed":
                # On its own, close() would leave the accepting thread listening.
                self._listener.shutdown(socket.SHUT_RDWR)
                self._listener.close()
            self._mode = "closed"
            self._cut()

    def hang(self) -> None:
        """Accepts connections and never answers."""
        self.open()
        with self._lock:
            self._mode = "hanging"

    def _cut(self) -> None:
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._connections.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.append(near)
                if self._mode == "hanging" or self._target is None:
                    continue
            threading.Thread(target=self._carry, args=(near, self._target), daemon=True).start()

    def _count(self, piece: bytes) -> None:
        # Heads of requests are small, so each is written in one piece.
        with self._lock:
            self._requests += piece.count(b" HTTP/1.1\r\n")

    def _carry(self, near: socket.socket, target: tuple[str, int]) -> None:
        """Passes on both ways until both ends have said all, and then forgets the connection."""
        try:
            with near, socket.create_connection(target) as far:
                with self._lock:
                    self._connections.append(far)
                back = threading.Thread(target=_pass_on, args=(far, near), daemon=True)
                back.start()
                _pass_on(near, far, self._count)
                back.join()
        except OSError:
            pass  # nobody listens there: the near end sees its connection closed
        with self._lock:
            self._connections = [each for each in self._connections if each.fileno() != -1]


def _pass_on(source: socket.socket, target: socket.socket, seen: Callable[[bytes], None] = lambda _: None) -> None:
    try:
        while piece := source.recv(65536):
            seen(piece)
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
