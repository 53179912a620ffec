"""A TCP proxy that can refuse connections or leave them without an answer."""

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit


class TcpProxy:
    """Listens on a port of 127.0.0.1, and forwards connections to a server until told otherwise."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._target: tuple[str, int] | None = None
        self._connections: list[socket.socket] = []
        self._is_hanging = False
        self._listener: socket.socket | None = None
        self._port = 0
        self.open()

    def __enter__(self) -> "TcpProxy":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def forward_to(self, endpoint: str) -> None:
        """Sets the server."""
        address = urlsplit(endpoint)
        assert address.hostname and address.port
        self._target = (address.hostname, address.port)

    def open(self) -> None:
        """Forwards connections. Closes those that hang."""
        with self._lock:
            self._is_hanging = False
            self._close_connections()
            if self._listener is None:
                self._listener = socket.create_server(("127.0.0.1", self._port))
                self._port = self._listener.getsockname()[1]
                threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        """Refuses connections, and closes the open ones."""
        with self._lock:
            if self._listener is not None:
                # Without it, the accepting thread would go on listening.
                self._listener.shutdown(socket.SHUT_RDWR)
                self._listener.close()
                self._listener = None
            self._close_connections()

    def hang(self) -> None:
        """Accepts connections and never answers."""
        self.open()
        with self._lock:
            self._is_hanging = True

    def _close_connections(self) -> None:
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._connections.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = listener.accept()
                with self._lock:
                    self._connections.append(client)
                    if self._is_hanging or self._target is None:
                        continue
                threading.Thread(target=self._forward, args=(client, self._target), daemon=True).start()

    def _forward(self, client: socket.socket, target: tuple[str, int]) -> None:
        with suppress(OSError), client, socket.create_connection(target) as server:
            with self._lock:
                self._connections.append(server)
            responses = threading.Thread(target=_copy, args=(server, client), daemon=True)
            responses.start()
            _copy(client, server)
            responses.join()
        with self._lock:
            self._connections = [each for each in self._connections if each.fileno() != -1]


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
