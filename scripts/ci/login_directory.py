"""Knows one user and one password, and says so in the protocol of LDAP.

Spark's thrift server checks passwords only against such a directory. For tests of a wrong password:
it answers binds on the loopback address and nothing else.
"""

from __future__ import annotations

import argparse
import hmac
import os
import socketserver
import sys
from functools import partial

PASSWORD_VARIABLE = "AGENT_ANALYTICS_SPARK_PASSWORD"
# Tags of the encoding (BER), and the two result codes that are needed.
SEQUENCE, INTEGER, OCTET_STRING, ENUMERATED = 0x30, 0x02, 0x04, 0x0A
BIND_REQUEST, BIND_RESPONSE = 0x60, 0x61
SUCCESS, INVALID_CREDENTIALS = 0, 49


def decode(data: bytes, start: int = 0) -> tuple[int, bytes, int]:
    """Return tag and content of the element at `start`, and where the next one begins."""
    tag, length, start = data[start], data[start + 1], start + 2
    if length & 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(data[start : start + size]), start + size
    return tag, data[start : start + length], start + length


def encode(tag: int, content: bytes) -> bytes:
    """Return one element; the answers are short, so that one byte holds the length."""
    return bytes([tag, len(content)]) + content


class Login(socketserver.BaseRequestHandler):
    """One connection; ends at the first message that is no bind."""

    def __init__(self, user: str, password: str, *arguments: object) -> None:
        """Remember who is let in."""
        self._user, self._password = user.encode(), password.encode()
        super().__init__(*arguments)  # type: ignore[arg-type]

    def handle(self) -> None:
        """Answer binds."""
        while data := self.request.recv(65536):
            message = decode(data)[1]
            _, number, start = decode(message)
            operation, bind, _ = decode(message, start)
            if operation != BIND_REQUEST:
                return
            start = decode(bind)[2]
            _, user, start = decode(bind, start)
            password = decode(bind, start)[1]
            known = user == self._user and hmac.compare_digest(password, self._password)
            result = encode(ENUMERATED, bytes([SUCCESS if known else INVALID_CREDENTIALS]))
            nothing = encode(OCTET_STRING, b"")
            answer = encode(BIND_RESPONSE, result + nothing + nothing)
            self.request.sendall(encode(SEQUENCE, encode(INTEGER, number) + answer))


class Directory(socketserver.ThreadingTCPServer):
    """A thread per connection."""

    allow_reuse_address = True
    daemon_threads = True


def main() -> int:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", required=True, help=f"whose password is in {PASSWORD_VARIABLE}")
    parser.add_argument("--marker", help="ignored; tells this process from others in a list")
    arguments = parser.parse_args()
    password = os.environ.get(PASSWORD_VARIABLE)
    if not password:
        print(f"error: set {PASSWORD_VARIABLE} to the password to accept", file=sys.stderr)
        return 2
    handler = partial(Login, arguments.user, password)
    with Directory(("127.0.0.1", arguments.port), handler) as directory:
        directory.serve_forever()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
