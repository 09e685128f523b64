"""A proxy before an HTTP server that does what bad networks, wrong addresses and failing servers do."""

import socket
import threading
import time
from collections import deque
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_CLOSE = b"\r\nConnection: close\r\n\r\n"
_ANSWERS = {
    "500": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4" + _CLOSE + b"sick",
    "no http": b"220 mail.example.org ESMTP\r\n",
    "page": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15" + _CLOSE + b"<p>Welcome!</p>",
    "broken xml": b"HTTP/1.1 503 Slow\r\nContent-Type: application/xml\r\nContent-Length: 7" + _CLOSE + b"<Error>",
    "not utf-8": b"HTTP/1.1 503 Slow\r\nContent-Type: text/html\r\nContent-Length: 2" + _CLOSE + b"\xff\xfe",
}


class Fault(Enum):
    CUT_REQUEST = "the connection ends half way through the request's body, at the server too"
    CUT_ANSWER = "the connection ends half way through the answer's body"
    CUT_AT_ONCE = "the connection ends before anything is answered"
    LOST_ANSWER = "the server does what was asked, and the answer is lost"
    WRONG_BYTES = "the answer's body has a changed byte"
    WHOLE = "a part is asked for, and the answer says that it is the whole"
    STALL = "nothing of the request's body is taken for 3 s"
    HANG = "nothing is answered"
    HANG_HALF_WAY = "nothing comes after half of the answer's body"
    ANSWER_500 = "500"
    NO_HTTP = "no http"
    PAGE = "page"
    BROKEN_XML = "broken xml"
    NOT_UTF8 = "not utf-8"


class FaultProxy:
    """Passes requests on, one a connection; a planned fault befalls the next request of its method, in order."""

    def __init__(self, port):
        self._target = ("127.0.0.1", port)
        self._plans = deque()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self.requests = []

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def n_left(self):
        """How many planned faults have not come yet."""
        return len(self._plans)

    def forget_plans(self):
        with self._lock:
            self._plans.clear()

    def plan(self, fault, *, method, times=1):
        with self._lock:
            self._plans.extend([(method, fault)] * times)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self):
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one_request(self):
                self.close_connection = True
                self.raw_requestline = self.rfile.readline()
                if self.raw_requestline and self.parse_request():
                    proxy._answer(self)
                self.close_connection = True

        return Handler

    def _next_fault(self, method):
        with self._lock:
            self.requests.append(method)
            if self._plans and self._plans[0][0] == method:
                return self._plans.popleft()[1]
        return None

    def _answer(self, request):
        fault = self._next_fault(request.command)
        size_bytes = int(request.headers.get("Content-Length") or 0)
        if fault is Fault.CUT_REQUEST:
            self._pass_on(request, size_bytes // 2)
            return
        if fault is Fault.CUT_AT_ONCE:
            return
        if fault is Fault.HANG:
            self._ended.wait()
            return
        if fault and fault.value in _ANSWERS:
            request.rfile.read(size_bytes)
            request.wfile.write(_ANSWERS[fault.value])
            return
        if fault is Fault.STALL:
            time.sleep(3)
        answer = self._pass_on(request, size_bytes)
        if fault is not Fault.LOST_ANSWER:
            self._write(request, fault, answer)

    def _write(self, request, fault, answer):
        head, end, body = answer.partition(b"\r\n\r\n")
        if fault is Fault.WHOLE:
            head = head.replace(b" 206 Partial Content", b" 200 OK")
        if fault is Fault.WRONG_BYTES:
            body = bytes([body[0] ^ 1]) + body[1:]
        if fault in (Fault.CUT_ANSWER, Fault.HANG_HALF_WAY):
            body = body[: len(body) // 2]
        request.wfile.write(head + end + body)
        if fault is Fault.HANG_HALF_WAY:
            self._ended.wait()

    def _pass_on(self, request, size_bytes):
        """Send a request with so many bytes of its body, and return all that the server answers."""
        del request.headers["Connection"]
        lines = [request.requestline, *(f"{name}: {value}" for name, value in request.headers.items())]
        head = "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")
        answer = bytearray()
        with socket.create_connection(self._target) as server:
            server.sendall(head + request.rfile.read(size_bytes))
            if size_bytes < int(request.headers.get("Content-Length") or 0):
                return b""
            while piece := server.recv(65536):
                answer += piece
        return bytes(answer)
