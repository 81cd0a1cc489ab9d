"""Ports for servers of tests: `python3 tests/ports.py [COUNT]` prints some.

Not from the range that the system hands out for outgoing connections: one of those may take the port between the look
and the start of the server.
"""

import pathlib
import random
import socket
import sys

RANGE = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST = 10_000


def free_ports(count):
    """Ports that were all free at one moment."""
    end = int(RANGE.read_text().split()[0]) if RANGE.exists() else 32_768
    found = []
    try:
        while len(found) < count:
            listener = socket.socket()
            try:
                listener.bind(("127.0.0.1", random.randrange(LOWEST, end)))
                found.append(listener)
            except OSError:
                listener.close()
        return [listener.getsockname()[1] for listener in found]
    finally:
        for listener in found:
            listener.close()


def free_port():
    return free_ports(1)[0]


if __name__ == "__main__":
    print(*free_ports(int((sys.argv + ["1"])[1])), sep="\n")
