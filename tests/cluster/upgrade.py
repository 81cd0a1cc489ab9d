"""A rolling upgrade: nodes of an older release (N) replaced one by one by the program under test (N+1), and back. The older
one is built from the commit that the file `before` names.

    upgrade.py     only build it, and say where it is
"""

import collections
import os
import pathlib
import random
import shutil
import subprocess
import time

from accounts import Person
from claim import check
from kinds import KINDS, House
from load import Caller, Load, patient, race
from programs import BINARY, ROOT

BEFORE = pathlib.Path(__file__).with_name("before")
# What is raced over nodes of both releases. Faces need nodes of their own, which are not replaced.
RACED = {kind: make for kind, make in KINDS.items() if kind != "scan of a face"}
RACERS = 12

# As the next release would apply its steps: under the lock of the schema, in one transaction. What `needs` says is the newest
# step that a server must know.
STEP = """
BEGIN;
SELECT name FROM migration_lock WHERE name = 'schema' FOR UPDATE;
SET LOCAL ROLE keyward;
{change};
INSERT INTO migration (number, name, checksum) VALUES ({number}, '{name}', sha256('{name}'));
INSERT INTO meta (name, value) VALUES ('schema_needs', {needs})
    ON CONFLICT (name) DO UPDATE SET value = greatest(meta.value, excluded.value);
COMMIT
"""
EXPAND = STEP.format(
    change="ALTER TABLE sealed_row ADD COLUMN shade BIGINT NOT NULL DEFAULT 0;"
    "CREATE INDEX sealed_row_shade ON sealed_row (kind, shade, id)",
    number=2,
    name="shade",
    needs=0,
)
CONTRACT = STEP.format(change="DROP INDEX sealed_row_shade", number=3, name="no_shade", needs=3)


def older():
    """The program of the older release, built if need be."""
    commit = BEFORE.read_text().split()[0]
    sources, target = ROOT / "target/before", ROOT / "target/before-build"
    if not (sources / commit).exists():
        shutil.rmtree(sources, ignore_errors=True)
        sources.mkdir(parents=True)
        packed = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True)
        if packed.returncode != 0:
            raise SystemExit(f"upgrade: {commit} is not here: git fetch --unshallow\n{packed.stderr.decode()}")
        subprocess.run(["tar", "-x"], cwd=sources, input=packed.stdout, check=True)
        (sources / commit).touch()
    command = ["cargo", "build", "--package", "keyward", "--locked", "--quiet"]
    subprocess.run(command, cwd=sources, env={**os.environ, "CARGO_TARGET_DIR": str(target)}, check=True)
    return target / "debug/keyward"


class User:
    """Somebody behind the proxy, for whom nothing may fail."""

    def __init__(self, url, seed):
        self.caller, self.dice = Caller(url), random.Random(seed)
        self.statuses = collections.Counter()
        self.keys = []

    def step(self):
        chance = self.dice.random()
        if not self.keys or chance < 0.1:
            status, key = self.caller.create("2468")
            self.keys = [*self.keys[-8:], [key, "2468"]]
        elif chance < 0.3:
            key = self.dice.choice(self.keys)
            new = f"{self.dice.randrange(10**8):08}"
            status = self.caller.change(*key, new)
            key[1] = new if status == 200 else key[1]
        else:
            status, _ = self.caller.open(*self.dice.choice(self.keys))
        self.statuses[status] += 1


class Member:
    """Somebody with an account, whose session outlives the node that opened it."""

    def __init__(self, house, url):
        self.caller = Caller(url)
        self.tokens = Person(house).tokens
        self.statuses = collections.Counter()

    def step(self):
        headers = {"authorization": f"Bearer {self.tokens['accessToken']}"}
        self.statuses[self.caller.call("GET", "/api/v1/account/details", headers=headers)[0]] += 1
        status, tokens = self.caller.call("POST", "/api/v1/login/refresh", {"refreshToken": self.tokens["refreshToken"]})
        self.statuses[status] += 1
        self.tokens = tokens if status == 200 else self.tokens
        time.sleep(0.1)


def replace(cluster, node, binary):
    """As an operator does it: drained, stopped, started, readmitted."""
    cluster.drain(node)
    check(node.program.stop() == 0, f"{node.name} stops well")
    node.binary = binary
    node.start().until_ready()
    cluster.readmit(node)


class Heirloom:
    """What one release left for the other: keys with guesses spent, and codes, sessions, accounts."""

    def __init__(self, house, node):
        here = Caller(node.url)
        self.key = patient(lambda: here.create("2468"))[1]
        self.content = patient(lambda: here.open(self.key, "2468"))[1]
        self.guessed = patient(lambda: here.create("2468"))[1]
        for _ in range(4):
            check(patient(lambda: here.open(self.guessed, "0000"))[0] == 404, "a wrong PIN")
        self.address = house.owned()
        self.member, _ = house.joined()

    def take_over(self, node):
        """All of it at a node of the other release."""
        here = Caller(node.url)
        check(patient(lambda: here.open(self.key, "2468")) == (200, self.content), f"{node.name}: another content")
        check(patient(lambda: here.change(self.key, "2468", "1357")) == 200, f"{node.name}: a changed PIN")
        check(patient(lambda: here.change(self.key, "1357", "2468")) == 200, f"{node.name}: and back")
        judged = 0
        while patient(lambda: here.open(self.guessed, "0000"))[0] == 404:
            judged += 1
        check(judged == 6, f"{node.name}: {judged} guesses after four at the other release")
        key, address, code, _ = self.address
        check(patient(lambda: here.verify(key, address, {"op": "verify", "code": code}))[0] == 200, f"{node.name}: a code")
        self.member.base = f"{node.url}/api/v1/"
        self.member.keys()
        self.member.sign_in()


def side_by_side(cluster, house):
    """Races over nodes of both releases; what is raced is made by the first node."""
    urls = [node.url for node in cluster.nodes]
    first = Caller(urls[0])
    for _ in range(5):
        key = patient(lambda: first.create("2468"))[1]
        answers = race(urls, 60, lambda racer, nth: racer.open(key, f"{nth:05}")[0])
        judged = answers.count(404)
        while patient(lambda: first.open(key, "0000"))[0] == 404:
            judged += 1
        check(set(answers) <= {404, 429, 503} and judged == 10, f"{judged} guesses: {collections.Counter(answers)}")
    for kind, make in RACED.items():
        won, send = make(house)
        answers = race(urls, RACERS, lambda racer, _: send(racer))
        check(answers.count(won) == 1, f"{kind}: {collections.Counter(answers)}")


def plan(node):
    return node.command("migrate", "--dry-run", "--config", node.config)


def walk(cluster, house, binary):
    """All nodes, one after the other. What the release before left is taken over by the first, and the other way round."""
    old, first = cluster.nodes[1], cluster.nodes[0]
    left = Heirloom(house, old)
    replace(cluster, first, binary)
    left.take_over(first)
    Heirloom(house, first).take_over(old)
    side_by_side(cluster, house)
    check("is up to date" in plan(first) and "is up to date" in plan(old), f"{plan(first)} {plan(old)}")
    for node in cluster.nodes[1:]:
        replace(cluster, node, binary)
    first.command("admin", "audit", "verify")


def next_steps(cluster):
    """The steps of a next release, by hand: it may expand while this one works, and this one refuses it once it contracts."""
    node = cluster.nodes[2]
    cluster.database.query(EXPAND, base="keyward")
    check("schema 2: nothing to do" in plan(node), plan(node))
    replace(cluster, node, node.binary)
    file = cluster.folder / "expanded"
    node.command("backup", "--config", node.config, "--to", file)
    cluster.drain(node)
    check(node.program.stop() == 0, f"{node.name} stops well")
    cluster.database.query(CONTRACT, base="keyward")
    check("newer release" in node.refusal(), f"{node.name} refuses")


def rolling(cluster):
    """Upgrade from an older release node by node under load, back, and again"""
    house = House(cluster)
    old = cluster.nodes[0].binary
    users = [User(cluster.url, seed) for seed in range(4)]
    members = [Member(house, cluster.url) for _ in range(2)]
    with Load([*users, *members]):
        for binary in [BINARY, old, BINARY]:
            walk(cluster, house, binary)
        next_steps(cluster)
    statuses = sum((client.statuses for client in [*users, *members]), collections.Counter())
    check(set(statuses) == {200, 201}, dict(statuses))
    commit = BEFORE.read_text()[:7]
    return (
        f"three nodes from {commit} to this release, back, and again, behind HAProxy: {statuses.total()} requests, 0 failed; three "
        f"times with both releases on one database: each accepts the keys, codes, guesses, sessions and accounts of the other, 15 races "
        f"of 60 wrong PINs: exactly 10 judged, {len(RACED)} kinds of single-use values: exactly one succeeded; then a schema step of the "
        "next release: after one that expands, this release continues to work; after one that contracts, it refuses to start"
    )


def begin_older(cluster):
    binary = older()
    for node in cluster.nodes:
        node.binary = binary


rolling.prepare = begin_older


if __name__ == "__main__":
    print(older())
