"""A TCP proxy that can refuse connections or leave them without an answer."""

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit


class TcpProxy:
    """Listens on a port of 127.0.0.1, and forwards connections to a server until told otherwise."""

    def __init__(self) -> None:
        self._target: tuple[str, int] | None = None
        self._connections: set[socket.socket] = set()
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
        address = urlsplit(endpoint)
        assert address.hostname and address.port
        self._target = (address.hostname, address.port)

    def open(self) -> None:
        """Forwards connections. Closes those that hang."""
        self._listen(is_hanging=False)

    def hang(self) -> None:
        """Accepts connections and never answers."""
        self._listen(is_hanging=True)

    def close(self) -> None:
        """Refuses connections, and closes the open ones."""
        if self._listener is not None:
            # Without it, the accepting thread would go on listening.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for connection in self._connections.copy():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._connections.clear()

    def _listen(self, is_hanging: bool) -> None:
        self.close()
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener, is_hanging), daemon=True).start()

    def _accept(self, listener: socket.socket, is_hanging: bool) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = listener.accept()
                self._connections.add(client)
                if self._target and not is_hanging:
                    threading.Thread(target=self._forward, args=(client, self._target), daemon=True).start()

    def _forward(self, client: socket.socket, target: tuple[str, int]) -> None:
        with suppress(OSError), client, socket.create_connection(target) as server:
            self._connections.add(server)
            responses = threading.Thread(target=_copy, args=(server, client), daemon=True)
            responses.start()
            _copy(client, server)
            responses.join()
            self._connections -= {client, server}


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
