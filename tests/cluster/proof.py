"""The long forms: what an hour of faults proves. Each part keeps its result, and docs/proof.md is written from them.

    proof.py [PART…]     run these parts, or all; `--promotions N`, `--operations N`, `--backups N` for fewer
    proof.py --write     only write docs/proof.md from the results that there are
"""

import argparse
import collections
import datetime
import itertools
import json
import os
import pathlib
import platform
import random
import statistics
import subprocess
import sys
import time

import cluster as whole
import faults
import linear
from claim import Failed, check
from kinds import KINDS, House
from load import Caller, Guesser, Load, Writer, patient, race
from programs import BINARY, ROOT, until
from restores import restores
from upgrade import rolling
from wallets import Issuer

RESULTS = ROOT / "target/proof"
PAGE = ROOT / "docs/proof.md"
DEVELOPMENT = ["--dev", "--dev-fast-hash"]


def urls(cluster):
    return [node.url for node in cluster.nodes]


def judged_after(cluster, key, judged):
    caller = Caller(cluster.nodes[0].url)
    while patient(lambda: caller.open(key, "0000"))[0] == 404:
        judged += 1
    return judged


def promotions(cluster, count=50):
    """Repeated failover under load"""
    dice = random.Random(1)
    writers = [Writer(cluster.nodes[number % 3].url, number) for number in range(6)]
    targets = [Caller(cluster.nodes[0].url).create("2468")[1] for _ in range(3)]
    guessers = [Guesser(node.url, key) for node, key in zip(cluster.nodes, targets)]
    done, outages, rows = collections.Counter(), [], []
    with Load([*writers, *guessers]):
        for turn in range(count):
            # Two of five are the hard ones.
            fault = faults.switch if turn % 5 < 3 else dice.choice(faults.PROMOTIONS[1:])
            began = time.monotonic()
            old = cluster.database.leader()
            fault(cluster)
            cluster.database.until_whole()
            check(cluster.database.leader() is not old, "there is another primary")
            done[fault.__name__] += 1
            time.sleep(1)
            writes = sorted(write for writer in writers for write in writer.writes if write[0] >= began - 1)
            times = sorted(took for _, took in writes)
            check(times, "writes are acknowledged again")
            outages.append(max((later[0] - sooner[0] for sooner, later in itertools.pairwise(writes)), default=0))
            rows.append(
                f"| {turn + 1} | {fault.__name__.replace('_', ' ')} | {outages[-1]:.1f} s | {len(times)} "
                f"| {statistics.median(times) * 1000:.0f} ms | {times[len(times) * 99 // 100] * 1000:.0f} ms | {times[-1]:.1f} s |"
            )
            print(f"  {rows[-1]}", flush=True)
    for client in [*writers, *guessers]:
        check(client.wrong == [], f"answers that nobody may get: {client.wrong}")
    acknowledged = sum(writer.acknowledged for writer in writers)
    lost = [loss for writer in writers for loss in writer.lost(cluster.nodes[0].url)]
    check(lost == [], f"{len(lost)} acknowledged writes were lost")
    judged = [judged_after(cluster, guesser.key, guesser.judged) for guesser in guessers]
    check(max(judged) <= 10, f"guesses judged: {judged}")
    kinds = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in done.items())
    return (
        f"{sum(done.values())} promotions ({kinds}); {acknowledged} acknowledged writes, 0 lost; guesses judged for "
        f"three keys: {judged}; longest time without an acknowledged write {max(outages):.1f} s; all are listed below",
        ["| | fault | time without a write | writes | median | 99th percentile | slowest |", "|---:|---|---:|---:|---:|---:|---:|", *rows],
    )


def brute_force(cluster, count=100):
    """Wrong PINs in parallel on three nodes"""
    caller, seen = Caller(cluster.nodes[0].url), collections.Counter()
    for _ in range(count):
        key = patient(lambda: caller.create("2468"))[1]
        answers = race(urls(cluster), 100, lambda racer, nth: racer.open(key, f"{nth:05}")[0])
        check(set(answers) <= {404, 429, 503}, collections.Counter(answers))
        judged = judged_after(cluster, key, answers.count(404))
        seen[judged] += 1
        check(judged == 10, f"{judged} guesses were judged")
        check(patient(lambda: caller.open(key, "2468"))[0] == 429, "the right PIN is refused too")
    return f"{count} races of 100 wrong PINs: exactly 10 judged in each of them"


def single_use(cluster, rounds=5):
    """Every kind of single-use value, used 50 times in parallel"""
    house = House(cluster)
    for kind, make in KINDS.items():
        for _ in range(rounds):
            won, send = make(house)
            answers = race(urls(cluster), 50, lambda racer, _: send(racer))
            check(answers.count(won) == 1, f"{kind}: {collections.Counter(answers)}")
    return f"{len(KINDS)} kinds ({', '.join(KINDS)}), {rounds} races of 50 each: exactly one succeeded in each"


def outage(cluster, seconds=600):
    """The whole database unreachable, and a node started meanwhile"""
    writers = [Writer(node.url, number) for number, node in enumerate(cluster.nodes)]
    late = cluster.nodes[2]
    with Load(writers):
        time.sleep(5)
        late.program.kill()
        for server in cluster.database.servers:
            server.kill()
        time.sleep(10)
        late.start()
        before = [node.program.memory() for node in cluster.nodes[:2]]
        time.sleep(seconds - 10)
        after = [node.program.memory() for node in cluster.nodes[:2]]
        for server in cluster.database.servers:
            server.start()
        until("a primary", 120, cluster.database.leader)
        until("writes", 120, lambda: cluster.database.takes_writes(cluster.database.leader()), 0.05)
        writable = time.monotonic()
        backs = [node.until_ready(30) and time.monotonic() - writable for node in cluster.nodes]
        time.sleep(5)
    cluster.database.until_whole()
    check(max(backs) < 5, f"back after {max(backs):.1f} s")
    grown = max(later - sooner for sooner, later in zip(before, after))
    check(grown < 16 << 20, f"{grown >> 20} MiB more than before")
    lost = [loss for writer in writers for loss in writer.lost(cluster.nodes[0].url)]
    check(lost == [], f"{len(lost)} acknowledged writes were lost")
    check(all(node.program.runs() for node in cluster.nodes), "every node still runs")
    return (
        f"{seconds} s without a database under load: back {max(backs):.1f} s after it accepted writes, memory "
        f"{grown / (1 << 20):+.1f} MiB, no restart, 0 acknowledged writes lost; the node that was started meanwhile works too"
    )


def linearizable(cluster, operations=100_000):
    """Counters, codes and locks under faults"""
    path = RESULTS / "history.jsonl"
    makers, written = linear.makers(cluster, path, 6)
    dice, done = random.Random(2), collections.Counter()
    with Load(makers):
        while written["operations"] < operations:
            time.sleep(dice.uniform(5, 15))
            if written["operations"] < operations:
                done[faults.any_of(cluster, dice)] += 1
            print(f"  {written['operations']} operations, {sum(done.values())} faults", flush=True)
    said = judge(path)
    happened = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in done.items())
    return f"{said}; faults: {happened}; {written['unknown']} operations without an answer"


def judge(path):
    command = [ROOT / "target/debug/examples/linearizable", path]
    done = subprocess.run(command, capture_output=True, text=True)
    check(done.returncode == 0, f"{done.stdout.splitlines()[:1]}{done.stderr[:500]}: {path}")
    return done.stdout.strip()


def torture(cluster):
    """`keyward torture` against three nodes"""
    against = ",".join(urls(cluster))
    arguments = ["torture", "--against", against, "--data", cluster.nodes[0].data, "--mailbox", cluster.mailbox, "--json"]
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=900)
    check(done.returncode == 0, f"{done.stdout}{done.stderr}")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    check(all(line["verdict"] == "held" for line in lines), done.stdout)
    return f"{len(lines)} trials, {sum(line['requests'] for line in lines)} requests: all held"


def clocks(cluster):
    """One node's clock 31 days ahead, then 31 days behind"""
    preload = next(iter(sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)
    check(preload is not None, "no libfaketime: tests/setup.sh cluster")
    right, house = Caller(cluster.nodes[0].url), House(cluster)
    seen = []
    for days in [31, -31]:
        key, address, body, known = house.proving()
        status, told = right.verify(key, address, body)
        check(status == 423, f"the lock is armed: {status}")
        guarded = patient(lambda: right.create("2468"))[1]
        for _ in range(10):
            check(patient(lambda: right.open(guarded, "0000"))[0] == 404, "a wrong PIN")
        node = cluster.nodes[2]
        node.program.stop()
        node.environment = {"LD_PRELOAD": str(preload), "FAKETIME": f"{days:+d}d", "DONT_FAKE_MONOTONIC": "1"}
        node.start()
        # It may well refuse to be ready: that is one way not to open anything.
        until("the node to answer", 60, lambda: Caller(node.url).call("GET", "/healthz")[0] == 200)
        wrong = Caller(node.url)
        answers = collections.Counter()
        for _ in range(5):
            answers["wrong PIN", wrong.open(guarded, "0000")[0]] += 1
            answers["right PIN", wrong.open(guarded, "2468")[0]] += 1
        check(all(status in {429, 503} for _, status in answers), f"{days:+d} days: {dict(answers)}")
        check(right.ask_reset(key, address) == 200, "a second code")
        body["code"], known = house.letter(address, "oneTimeToken", known)
        status, _ = wrong.verify(key, address, body)
        check(status in {404, 423, 503}, f"{days:+d} days: the lock opened: {status}")
        check(patient(lambda: right.open(key, "9999"))[0] == 404, "the thief's PIN opens nothing")
        check(patient(lambda: right.open(key, "2468"))[0] == 200, "the owner's PIN does")
        seen.append(f"{days:+d} days: proof of a reset {status}, guesses {sorted({s for _, s in answers})}")
        node.program.kill()
        node.environment = {}
        node.start().until_ready()
    return f"{'; '.join(seen)}: no lock opened, no guess was given back"


# Part: whether its nodes are in development mode.
PARTS = {
    brute_force: True,
    single_use: True,
    torture: True,
    rolling: True,
    restores: True,
    promotions: True,
    linearizable: True,
    outage: True,
    clocks: False,
}


def settings(part):
    """The cluster's, with what the part wants otherwise."""
    text = whole.OPEN
    for line, other in getattr(part, "settings", {}).items():
        check(line in text, f"{line} is among the settings")
        text = text.replace(line, other)
    return text


def run(part, development):
    print(f"== {part.__name__}: {part.__doc__}", flush=True)
    began = time.monotonic()
    issuer = Issuer()
    switches = DEVELOPMENT if development else []
    cluster = whole.Cluster(switches=switches, settings=settings(part) + issuer.settings())
    cluster.issuer = issuer
    held, said, table = False, "", []
    try:
        getattr(part, "prepare", lambda _: None)(cluster)
        cluster.up()
        # One line, and perhaps the lines of a table.
        said = part(cluster)
        if isinstance(said, tuple):
            said, table = said
        held = True
        cluster.nodes[0].command("admin", "audit", "verify")
    except (Failed, AssertionError) as error:
        held, said = False, str(error)
    finally:
        cluster.down(keep=not held)
    result = {
        "what": part.__doc__,
        "held": held,
        "said": said,
        "table": table,
        "seconds": round(time.monotonic() - began),
        "at": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip(),
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{part.__name__}.json").write_text(json.dumps(result))
    print(f"   {'held' if held else 'FAILED'} ({result['seconds']} s): {said}", flush=True)
    return held


def write():
    lines = [
        "# What was proved, and when",
        "",
        "`tests/cluster/proof.py`, which `make proof` runs, writes this page. It uses three nodes, three PostgreSQL servers under Patroni with a",
        "synchronous standby (`synchronous_mode_strict`), three etcd and HAProxy, all on the loopback interface of one machine. Nodes 1 and 2 name",
        "all three database servers in their URL; node 3 goes through HAProxy. `make test` runs a short form of most parts. After each",
        "part, the audit trail is verified from its first to its last event.",
        "",
        "| | result | took | when, at commit |",
        "|---|---|---:|---|",
    ]
    missing, tables = [], []
    for part in PARTS:
        path = RESULTS / f"{part.__name__}.json"
        if not path.exists():
            missing.append(part.__doc__)
            continue
        result = json.loads(path.read_text())
        verdict = "" if result["held"] else "**FAILED** "
        said = " ".join(result["said"].split()).replace("|", "\\|")
        lines.append(f"| {result['what']} | {verdict}{said} | {result['seconds']} s | {result['at']}, {result['commit']} |")
        if result.get("table"):
            tables += ["", f"## {result['what']}", "", *result["table"]]
    lines += ["", f"{platform.system()} {platform.machine()}, {len(os.sched_getaffinity(0))} cores, shared by all programs."]
    if missing:
        lines += ["", "Not run yet: " + "; ".join(missing) + "."]
    PAGE.write_text("\n".join(lines + tables) + "\n")


def main():
    parser = argparse.ArgumentParser(description="The long forms.")
    parser.add_argument("parts", nargs="*", choices=[[], *(part.__name__ for part in PARTS)], metavar="PART")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--promotions", type=int, default=50, metavar="N")
    parser.add_argument("--operations", type=int, default=100_000, metavar="N")
    parser.add_argument("--backups", type=int, default=20, metavar="N")
    arguments = parser.parse_args()
    whole.end_well()
    if arguments.write:
        write()
        return
    promotions.__defaults__ = (arguments.promotions,)
    linearizable.__defaults__ = (arguments.operations,)
    restores.__defaults__ = (arguments.backups,)
    chosen = [part for part in PARTS if not arguments.parts or part.__name__ in arguments.parts]
    held = [run(part, PARTS[part]) for part in chosen]
    write()
    sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
