"""Small servers that answer what a test wants, each in threads of its own."""

import socketserver
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

ALIVE = b'{"status":"ok"}'


@contextmanager
def site(body: bytes, *, status: int = 200, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Answer each GET with this body. Yield the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments):
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, _request, _address):  # a client that does not trust the certificate
            pass

    with _serving(Server(("127.0.0.1", 0), Handler, bind_and_activate=True), tls) as port:
        yield port


@contextmanager
def old_redis() -> Iterator[int]:
    """Answer as a Redis of version 6.0 does. Yield the port."""
    memory = b"# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n"
    answers = {
        b"HELLO": b"%1\r\n" + _bulk(b"server") + _bulk(b"redis"),
        b"PING": b"+PONG\r\n",
        b"GET": b"$-1\r\n",
        b"SET": b"+OK\r\n",
        b"SELECT": b"+OK\r\n",
        b"SERVER": _bulk(b"# Server\r\nredis_version:6.0.16\r\n"),
        b"MEMORY": _bulk(memory),
    }

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            while head := self.rfile.readline():
                words = []
                for _ in range(int(head[1:])):
                    size = int(self.rfile.readline()[1:])
                    words.append(self.rfile.read(size + 2)[:-2].upper())
                key = words[1] if words[0] == b"INFO" else words[0]
                self.wfile.write(answers.get(key, b"-ERR unknown command\r\n"))

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True

    with _serving(Server(("127.0.0.1", 0), Handler)) as port:
        yield port


def _bulk(content: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(content), content)


@contextmanager
def _serving(server: socketserver.TCPServer, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
