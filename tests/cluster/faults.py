"""What goes wrong with machines, one at a time. Each leaves the cluster whole again."""

import os
import signal
import time


def switch(cluster):
    """A planned switchover."""
    cluster.database.switch()


def kill_primary(cluster):
    """The primary's machine loses its power, and comes back."""
    old = cluster.database.leader()
    old.kill()
    cluster.database.until_other_leader(old)
    old.start()


def kill_postgres(cluster):
    """PostgreSQL alone is killed on the primary."""
    cluster.database.leader().kill_postgres()
    time.sleep(1)


def hang_supervisor(cluster):
    """The primary's Patroni hangs, so that it is replaced without being told."""
    old = cluster.database.leader()
    old.patroni.signal(signal.SIGSTOP)
    try:
        cluster.database.until_other_leader(old)
        time.sleep(2)
    finally:
        old.patroni.signal(signal.SIGCONT)


def stall_primary(cluster):
    """The primary's machine stands still for longer than the others wait, and goes on as if nothing had been."""
    old = cluster.database.leader()
    pid = old.postmaster()
    family = [pid, *children(pid)]
    old.patroni.signal(signal.SIGSTOP)
    for each in family:
        stop(each, signal.SIGSTOP)
    try:
        cluster.database.until_other_leader(old)
        time.sleep(1)
    finally:
        for each in family:
            stop(each, signal.SIGCONT)
        old.patroni.signal(signal.SIGCONT)


def kill_node(cluster, dice):
    node = dice.choice(cluster.nodes)
    node.program.kill()
    node.start().until_ready()


def stall_node(cluster, dice):
    node = dice.choice(cluster.nodes)
    node.program.signal(signal.SIGSTOP)
    time.sleep(3)
    node.program.signal(signal.SIGCONT)


# Those that end with another primary.
PROMOTIONS = [switch, kill_primary, hang_supervisor, stall_primary]


def any_of(cluster, dice):
    """Something; what it was."""
    fault = dice.choice([switch, kill_primary, kill_postgres, hang_supervisor, stall_primary, kill_node, stall_node])
    if fault in (kill_node, stall_node):
        fault(cluster, dice)
    else:
        fault(cluster)
    cluster.database.until_whole()
    return fault.__name__


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as found:
        return [int(child) for child in found.read().split()]


def stop(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
