"""A complete Keyward on loopback: three nodes behind HAProxy, and PostgreSQL with failover.

    cluster.py up [--dev] [--nodes N]    start, print all addresses, and run until Ctrl-C
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from database import Database, own
from programs import BINARY, Program, free_ports, get, program, until

STOPS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]

# No limit of a client's network may come between: all clients are on one machine.
OPEN = """
[photon]
sends_per_user_hour = 0
sends_per_user_day = 0
sends_per_address_day = 0
sends_per_network_hour = 0
new_keys_per_network_hour = 0

[enceeper]
ip_requests_per_hour = 0
failed_proofs_per_ip = 0
failed_proofs_per_address = 0

[cis]
wrong_signatures_per_key_minute = 0
client_failures_minute = 0
network_failures_minute = 0

[profile.ott]
max_sends_per_ip_hour = 0
"""


class Node:
    """One Keyward."""

    def __init__(self, cluster, name, ports, url, switches, settings):
        self.name = name
        self.port, self.admin_port = ports
        self.url, self.admin_url = (f"http://127.0.0.1:{port}" for port in ports)
        self.folder = cluster.folder / self.name
        self.folder.mkdir()
        self.data = self.folder / "data"
        self.config = self.folder / "keyward.toml"
        self.config.write_text(cluster.configuration(self, url, settings))
        self.database_url = url
        self.switches = list(switches)
        self.binary = BINARY
        self.environment = {}
        self.program = None

    def start(self):
        command = [self.binary, "serve", "--config", self.config, "--data", self.data, *self.switches]
        self.program = Program(self.name, command, self.folder / "log", self.environment).start()
        return self

    def refusal(self, seconds=60):
        """Starts it where it must refuse to; what it says then."""
        log = self.folder / "log"
        known = log.stat().st_size if log.exists() else 0
        self.start()
        until(f"{self.name} to refuse", seconds, lambda: not self.program.runs())
        if self.program.process.returncode == 0:
            raise AssertionError(f"{self.name} ended as if all were well")
        return log.read_bytes()[known:].decode(errors="replace")

    def is_ready(self):
        return get(f"{self.url}/readyz", 5)[0] == 200

    def until_ready(self, seconds=60):
        def ready():
            if not self.program.runs():
                raise AssertionError(f"{self.name} ended:\n{self.program.tail()}")
            return self.is_ready()

        start = time.monotonic()
        until(f"{self.name} to be ready", seconds, ready, 0.05)
        return time.monotonic() - start

    def command(self, *arguments, seconds=120):
        command = [self.binary, *arguments, "--data", self.data]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, timeout=seconds)
        if done.returncode != 0:
            raise AssertionError(f"keyward {' '.join(arguments)}: {done.stderr}")
        return done.stdout.strip()


class Cluster:
    def __init__(self, folder=None, etcds=3, servers=3, nodes=3, switches=(), settings=OPEN):
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="keyward-cluster-"))
        # The servers of PostgreSQL run as somebody else and must get to their own folders.
        self.folder.chmod(0o711)
        # An identity provider, for those who make one, and nodes with a verifier of faces.
        self.issuer = self.faces = None
        self.ended = False
        self.mailbox = self.folder / "mailbox.jsonl"
        self.database = Database(self.folder / "database", etcds, servers)
        (self.folder / "database").chmod(0o711)
        own(self.folder / "database")
        ports = free_ports(2 + 2 * nodes)
        self.port, self.database_port = ports.pop(), ports.pop()
        self.url = f"http://127.0.0.1:{self.port}"
        self.nodes = []
        for number in range(1, nodes + 1):
            # The last node finds the primary through the proxy, the others by themselves.
            proxied = f"postgres://keyward:{self.database.password}@127.0.0.1:{self.database_port}/keyward"
            url = proxied if number == nodes else self.database.url()
            self.nodes.append(Node(self, f"n{number}", (ports.pop(), ports.pop()), url, switches, settings))
        # Others on the same database, behind no proxy.
        self.more = []
        self.socket = self.folder / "haproxy.sock"
        config = self.folder / "haproxy.cfg"
        config.write_text(self.proxy_configuration())
        self.proxy = Program("haproxy", [program("haproxy"), "-db", "-f", config], self.folder / "haproxy.log")

    def configuration(self, node, url, settings):
        return f"""
[server]
listen = "127.0.0.1:{node.port}"
public_url = "{self.url}"
trusted_proxies = ["127.0.0.1"]

[admin]
listen = "127.0.0.1:{node.admin_port}"

[storage]
url = "{url}"

[keys]
file = "{self.folder}/keys/keyward.keys"

[mail]
kind = "file"
path = "{self.mailbox}"
{settings}
"""

    def proxy_configuration(self):
        databases = "\n".join(
            f"    server {server.name} 127.0.0.1:{server.port} check port {server.rest}" for server in self.database.servers
        )
        nodes = "\n".join(f"    server {node.name} 127.0.0.1:{node.port} check" for node in self.nodes)
        return f"""
global
    stats socket {self.socket} mode 600 level admin
    maxconn 4000

defaults
    timeout connect 2s
    timeout client 1h
    timeout server 1h
    timeout check 2s
    retries 3
    option redispatch

listen database
    mode tcp
    bind 127.0.0.1:{self.database_port}
    option httpchk OPTIONS /primary
    http-check expect status 200
    default-server inter 1s fall 2 rise 1 on-marked-down shutdown-sessions
{databases}

listen keyward
    mode http
    bind 127.0.0.1:{self.port}
    balance roundrobin
    option forwardfor
    option httpchk GET /readyz
    http-check expect status 200
    default-server inter 1s fall 2 rise 1
{nodes}
"""

    def up(self):
        try:
            self.database.up()
            self.proxy.start()
            # The first makes the keys; every node has the same.
            self.nodes[0].start().until_ready()
            for node in self.nodes[1:]:
                node.start()
            for node in self.nodes[1:]:
                node.until_ready()
            until("the proxy to see the nodes", 30, lambda: get(f"{self.url}/readyz")[0] == 200)
        except BaseException as error:
            # The logs of one that did not come up are worth something; not of one that was stopped.
            self.down(keep=isinstance(error, Exception))
            raise
        return self

    def beside(self, settings):
        """One more node beside each, with other settings; the addresses of both."""
        ports = free_ports(2 * len(self.nodes))
        more = [
            Node(self, f"{node.name}-beside", (ports.pop(), ports.pop()), node.database_url, node.switches, settings).start()
            for node in self.nodes
        ]
        self.more += more
        for node in more:
            node.until_ready()
        return {node.url: beside.url for node, beside in zip(self.nodes, more)}

    def down(self, keep=False):
        """Ends everything that this cluster started; with `keep`, leaves the logs. Once: the second time does nothing."""
        with undisturbed():
            if not self.ended:
                self.ended = True
                self.end(keep)

    def end(self, keep):
        for node in [*self.nodes, *self.more]:
            if node.program is not None:
                node.program.kill()
        self.proxy.kill()
        self.database.down()
        if keep or os.environ.get("KEYWARD_KEEP"):
            print(f"cluster: the files are kept in {self.folder}", flush=True)
        else:
            # PostgreSQL may still be writing its last.
            for _ in range(20):
                shutil.rmtree(self.folder, ignore_errors=True)
                if not self.folder.exists():
                    break
                time.sleep(0.2)

    def tell_proxy(self, command):
        with socket.socket(socket.AF_UNIX) as talk:
            talk.connect(str(self.socket))
            talk.sendall(f"{command}\n".encode())
            return talk.makefile().read()

    def drain(self, node, seconds=30):
        """Sends it nothing new, and waits until it has nothing under way."""
        self.tell_proxy(f"set server keyward/{node.name} state drain")
        row = f"keyward,{node.name},"

        def idle():
            line = next(line for line in self.tell_proxy("show stat").splitlines() if line.startswith(row))
            return line.split(",")[4] == "0"

        until(f"{node.name} to be idle", seconds, idle, 0.05)

    def readmit(self, node):
        self.tell_proxy(f"set server keyward/{node.name} state ready")

    def letters(self):
        try:
            lines = self.mailbox.read_text().splitlines()
        except FileNotFoundError:
            return []
        letters = []
        for line in lines:
            try:
                letters.append(json.loads(line))
            except ValueError:
                # What a node that was killed left of a line, or the end put behind it.
                continue
        return letters


def ended(*_):
    raise KeyboardInterrupt


def end_well():
    """Whoever is told to stop, or loses his terminal, cleans up first."""
    for number in STOPS:
        signal.signal(number, ended)


@contextlib.contextmanager
def undisturbed():
    """Whoever cleans up does so to the end, however often he is told to stop."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in STOPS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main():
    parser = argparse.ArgumentParser(description="A complete Keyward on loopback.")
    parser.add_argument("action", choices=["up"])
    parser.add_argument("--dev", action="store_true", help="run nodes in development mode, with cheap hashing and movable clocks")
    parser.add_argument("--nodes", type=int, default=3)
    arguments = parser.parse_args()
    end_well()
    switches = ["--dev", "--dev-fast-hash"] if arguments.dev else []
    cluster = Cluster(nodes=arguments.nodes, switches=switches)
    try:
        cluster.up()
        print(f"Keyward, any node:   {cluster.url}")
        for node in cluster.nodes:
            print(f"  {node.name}                 {node.url}  admin {node.admin_url}  --data {node.data}")
        print("PostgreSQL, primary: 127.0.0.1:%d" % cluster.database_port)
        for server in cluster.database.servers:
            print(f"  {server.name}                 127.0.0.1:{server.port}  {server.folder / 'patroni.yml'}")
        print(f"Messages:            {cluster.mailbox}")
        print(f"Show the primary:    patronictl -c {cluster.database.servers[0].folder / 'patroni.yml'} list")
        print("Ctrl-C stops everything.", flush=True)
        while True:
            time.sleep(1)
            for node in cluster.nodes:
                if not node.program.runs():
                    raise SystemExit(f"cluster: {node.name} ended:\n{node.program.tail()}")
    except KeyboardInterrupt:
        print("cluster: stopping")
    finally:
        cluster.down()


if __name__ == "__main__":
    main()
