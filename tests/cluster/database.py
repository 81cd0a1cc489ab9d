"""Three PostgreSQL servers under Patroni with a synchronous standby, and the etcd they vote in."""

import json
import os
import secrets
import signal
import subprocess

from programs import Program, as_database_user, free_ports, get, postgres_folder, program, until

# Short, so that a test need not wait: a server that vanishes is replaced after some ten seconds.
TIMES = {"ttl": 10, "loop_wait": 2, "retry_timeout": 4, "primary_start_timeout": 0}


class Server:
    """One PostgreSQL server and the Patroni that looks after it."""

    def __init__(self, database, name, ports):
        self.name = name
        self.port, self.rest = ports
        self.folder = database.folder / name
        self.folder.mkdir(mode=0o700)
        self.data = self.folder / "data"
        config = self.folder / "patroni.yml"
        config.write_text(json.dumps(self.configuration(database)))
        own(self.folder, config)
        # Debian's Patroni is Python, and must not meet packages of ours.
        command = as_database_user([program("patroni"), config])
        self.patroni = Program(name, command, self.folder / "log", {"HOME": str(self.folder)})

    def configuration(self, database):
        users = {"superuser": "postgres", "replication": "standby"}
        return {
            "scope": "keyward",
            "name": self.name,
            "restapi": {"listen": f"127.0.0.1:{self.rest}", "connect_address": f"127.0.0.1:{self.rest}"},
            # Not `etcd3`: with that, Debian's Patroni takes the lead back without asking when it wakes from a long stall, and
            # what was acknowledged meanwhile is lost. The old interface compares before it sets.
            "etcd": {"hosts": [f"127.0.0.1:{port}" for port in database.etcd_ports]},
            "bootstrap": {
                "dcs": {
                    **TIMES,
                    "maximum_lag_on_failover": 1048576,
                    "synchronous_mode": True,
                    # Without any standby nothing is acknowledged: an acknowledged guess is on two machines.
                    "synchronous_mode_strict": True,
                    "postgresql": {
                        "use_pg_rewind": True,
                        "parameters": {
                            "max_connections": 200,
                            "shared_buffers": "32MB",
                            "max_wal_senders": 10,
                            "wal_keep_size": "64MB",
                            # A standby looks for the new primary at once: until one follows, nothing is confirmed.
                            "wal_retrieve_retry_interval": "500ms",
                            "fsync": "on",
                            "synchronous_commit": "on",
                            "full_page_writes": "on",
                        },
                    },
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, "data-checksums", "no-sync", {"wal-segsize": "4"}],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{self.port}",
                "connect_address": f"127.0.0.1:{self.port}",
                "data_dir": str(self.data),
                "bin_dir": str(postgres_folder()),
                "pgpass": str(self.folder / "pgpass"),
                "authentication": {
                    role: {"username": user, "password": database.password} for role, user in users.items()
                },
                "pg_hba": [
                    "host all all 127.0.0.1/32 scram-sha-256",
                    "host replication standby 127.0.0.1/32 scram-sha-256",
                ],
                "parameters": {"unix_socket_directories": str(self.folder), "logging_collector": "off"},
            },
        }

    def postmaster(self):
        try:
            return int((self.data / "postmaster.pid").read_text().split()[0])
        except (OSError, IndexError, ValueError):
            return None

    def signal_postgres(self, number):
        pid = self.postmaster()
        if pid is not None:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def kill(self):
        """The machine loses its power: Patroni and PostgreSQL at once."""
        self.signal_postgres(signal.SIGKILL)
        self.patroni.kill()

    def kill_postgres(self):
        self.signal_postgres(signal.SIGKILL)

    def start(self):
        self.patroni.start()

    def down(self):
        self.patroni.kill()
        self.signal_postgres(signal.SIGQUIT)


class Database:
    """The whole of it. One `Server` is the leader at a time."""

    def __init__(self, folder, etcds=3, servers=3):
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.password = secrets.token_hex(12)
        ports = free_ports(2 * etcds + 2 * servers)
        self.etcd_ports = [ports.pop() for _ in range(etcds)]
        self.etcds = self.voters([ports.pop() for _ in range(etcds)])
        self.servers = [Server(self, f"s{number}", (ports.pop(), ports.pop())) for number in range(1, servers + 1)]

    def voters(self, peers):
        members = ",".join(f"e{number}=http://127.0.0.1:{peer}" for number, peer in enumerate(peers, 1))
        voters = []
        for number, (client, peer) in enumerate(zip(self.etcd_ports, peers), 1):
            folder = self.folder / f"e{number}"
            folder.mkdir(mode=0o700)
            command = [program("etcd"), "--name", f"e{number}", "--data-dir", folder / "data", "--enable-v2"]
            command += ["--listen-client-urls", f"http://127.0.0.1:{client}"]
            command += ["--advertise-client-urls", f"http://127.0.0.1:{client}"]
            command += ["--listen-peer-urls", f"http://127.0.0.1:{peer}"]
            command += ["--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}"]
            command += ["--initial-cluster", members, "--initial-cluster-token", "keyward"]
            voters.append(Program(f"e{number}", command, folder / "log"))
        return voters

    def up(self):
        for etcd in self.etcds:
            etcd.start()
        until("etcd", 30, self.etcd_is_healthy)
        # The first makes the database; the others copy it.
        self.servers[0].start()
        until("the first PostgreSQL server", 60, lambda: self.is_primary(self.servers[0]))
        for server in self.servers[1:]:
            server.start()
        self.until_whole()
        self.query("CREATE ROLE keyward LOGIN PASSWORD '%s'" % self.password)
        self.query("CREATE DATABASE keyward OWNER keyward")
        self.query("CREATE TABLE probe (at timestamptz DEFAULT now())")
        return self

    def etcd_is_healthy(self):
        return all('"true"' in get(f"http://127.0.0.1:{port}/health")[1] for port in self.etcd_ports)

    def down(self):
        for program_ in [*self.servers, *self.etcds]:
            (program_.down if isinstance(program_, Server) else program_.kill)()

    def url(self, servers=None):
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers or self.servers)
        return f"postgres://keyward:{self.password}@{hosts}/keyward"

    def is_primary(self, server):
        return get(f"http://127.0.0.1:{server.rest}/primary")[0] == 200

    def leader(self):
        """Whom the voters hold for the primary, as it says itself; None while there is none."""
        for server in self.servers:
            if self.is_primary(server):
                return server
        return None

    def is_whole(self):
        """One primary, which all others follow, one of them synchronously."""
        primaries = [server for server in self.servers if self.is_primary(server)]
        # One that stood still says for a moment that it still is what it was.
        if len(primaries) != 1:
            return False
        try:
            following = self.query("SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'", primaries[0], seconds=5)
        except subprocess.SubprocessError:
            return False
        # Until the voters know who is synchronous, nobody may take over.
        if "sync_standby" not in get(f"http://127.0.0.1:{primaries[0].rest}/cluster")[1]:
            return False
        states = following.splitlines()
        return len(states) == len(self.servers) - 1 and states.count("sync") == 1

    def until_whole(self, seconds=90):
        until("a leader with its standbys", seconds, self.is_whole)

    def until_other_leader(self, old, seconds=60):
        def other():
            now = self.leader()
            return now if now is not None and now is not old else None

        return until("another leader", seconds, other)

    def switch(self):
        """A planned switchover, as before maintenance."""
        old = self.leader()
        body = json.dumps({"leader": old.name}).encode()
        # Patroni lets nobody lead whom it has not yet written down as synchronous.
        ask = lambda: get(f"http://127.0.0.1:{old.rest}/switchover", 60, "POST", body)[0] == 200
        until("a switchover", 30, ask, 0.5)
        return self.until_other_leader(old)

    def takes_writes(self, server):
        """Whether a write is acknowledged, by the synchronous standby too."""
        try:
            self.query("INSERT INTO probe DEFAULT VALUES", server, seconds=5)
            return True
        except subprocess.SubprocessError:
            return False

    def query(self, sql, server=None, base="postgres", seconds=30):
        server = server or self.leader()
        command = [postgres_folder() / "psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"]
        command += ["-p", str(server.port), "-U", "postgres", "-d", base, "-c", sql]
        environment = {"PATH": os.environ["PATH"], "PGPASSWORD": self.password, "PGCONNECT_TIMEOUT": "3"}
        return subprocess.run(
            command, check=True, capture_output=True, text=True, env=environment, timeout=seconds
        ).stdout.strip()


def own(*paths):
    if os.getuid() == 0:
        import pwd

        user = pwd.getpwnam("postgres")
        for path in paths:
            os.chown(path, user.pw_uid, user.pw_gid)
