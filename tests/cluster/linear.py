"""Histories for a judge: what each of many clients asked, when, and what it was told. `linearizable` judges them.

A line of the file is one object (a guarded key, a code, a lock) and all that was done to it. An operation is
[client, began, ended, what]; `ended` is null where nobody knows whether it took place.
"""

import concurrent.futures
import itertools
import json
import random
import threading
import time

from load import LATER, Caller, patient

PINS = ["1111", "2222", "3333", "4444"]
CLIENTS = 4


class History:
    """What was done to one object."""

    def __init__(self, kind):
        self.kind = kind
        self.operations = []

    def take(self, client, what, act):
        """Does it and writes it down; None when its fate is unknown, and the client must not go on."""
        began = time.monotonic_ns()
        out, seen = act()
        ended = None if out == "unknown" else time.monotonic_ns()
        self.operations.append([client, began, ended, {**what, "out": out}])
        return None if out == "unknown" else (out, seen)

    def line(self):
        return json.dumps({"kind": self.kind, "operations": self.operations})


def told(status, words):
    """The word for a status. One that no client may get is a word that the judge does not know."""
    return "unknown" if status in LATER else words.get(status, f"status {status}")


class Letters:
    """The mailbox file, read as it grows."""

    def __init__(self, path):
        self.path = path
        self.seen = {}
        # A letter that left before a crash could be noted leaves again, with its id.
        self.ids = set()
        self.at = 0
        self.lock = threading.Lock()

    def to(self, address):
        with self.lock:
            try:
                with self.path.open("rb") as file:
                    file.seek(self.at)
                    for line in file.read().splitlines(keepends=True):
                        if not line.endswith(b"\n"):
                            break
                        self.at += len(line)
                        try:
                            letter = json.loads(line)
                        except ValueError:
                            # What a node that was killed left of a line, or the end put behind it.
                            continue
                        if letter["id"] in self.ids:
                            continue
                        self.ids.add(letter["id"])
                        self.seen.setdefault(letter["to"], []).append(letter)
            except FileNotFoundError:
                pass
            return list(self.seen.get(address, []))

    def next(self, address, known, field, seconds=30):
        """The first letter behind `known` that has `field`, and how many are known then."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            letters = self.to(address)
            for number, letter in enumerate(letters[known:], known + 1):
                if letter[field]:
                    return letter[field], number
            time.sleep(0.01)
        return None, known


class Maker:
    """Makes objects one after another, and has several clients work on each at once."""

    def __init__(self, cluster, letters, seed, keep):
        self.urls = [node.url for node in cluster.nodes]
        self.letters = letters
        self.seed = seed
        self.keep = keep
        self.dice = random.Random(seed)
        self.pool = concurrent.futures.ThreadPoolExecutor(CLIENTS)
        self.callers = [Caller(self.urls[(seed + client) % len(self.urls)]) for client in range(CLIENTS)]
        self.count = itertools.count()

    def step(self):
        kind = self.dice.choices([self.key, self.code, self.lock], [8, 1, 1])[0]
        history = kind()
        if history is not None and history.operations:
            self.keep(history)

    def at_once(self, work):
        list(self.pool.map(work, range(CLIENTS)))

    def fresh(self):
        status, key = patient(lambda: self.callers[0].create(PINS[0]))
        return key if status == 201 else None

    def owned(self):
        """A key with an address, and the code to verify it."""
        key = self.fresh()
        address = f"maker{self.seed}-{next(self.count)}@example.org"
        if key is None or self.callers[0].add_user(key, PINS[0], address) != 201:
            return None
        code, known = self.letters.next(address, 0, "oneTimeToken")
        return None if code is None else (key, address, code, known)

    def key(self):
        """Guesses and changes of a PIN."""
        key, history = self.fresh(), History("key")
        if key is None:
            return None
        seeds = [self.dice.random() for _ in range(CLIENTS)]
        words = {200: "right", 404: "wrong", 429: "refused"}

        def work(client):
            caller, dice = self.callers[client], random.Random(seeds[client])
            believed = 0
            for _ in range(6):
                pin = believed if dice.random() < 0.5 else dice.randrange(len(PINS))
                if dice.random() < 0.3:
                    new = dice.randrange(len(PINS))
                    what = {"op": "change", "pin": pin, "new": new}
                    act = lambda: (told(caller.change(key, PINS[pin], PINS[new]), words), None)  # noqa: B023
                else:
                    new = pin
                    what = {"op": "open", "pin": pin}
                    act = lambda: (told(caller.open(key, PINS[pin])[0], words), None)  # noqa: B023
                answer = history.take(client, what, act)
                if answer is None:
                    return
                if answer[0] == "right":
                    believed = new

        self.at_once(work)
        return history

    def code(self):
        """Everybody spends the same code."""
        owned, history = self.owned(), History("code")
        if owned is None:
            return None
        key, address, code, _ = owned
        words = {200: "won", 404: "lost"}

        def work(client):
            for _ in range(2):
                act = lambda: (told(self.callers[client].verify(key, address, {"op": "verify", "code": code})[0], words), None)
                if history.take(client, {"op": "spend"}, act) is None:
                    return

        self.at_once(work)
        return history

    def lock(self):
        """One arms the lock again and again; one stops it by the link; one changes the PIN."""
        owned, history = self.owned(), History("lock")
        if owned is None:
            return None
        key, address, code, known = owned
        if self.callers[0].verify(key, address, {"op": "verify", "code": code})[0] != 200:
            return None
        links, opens, done = [], {}, threading.Event()

        def arm():
            caller, seen = self.callers[0], known
            for turn in range(4):
                act = lambda: (told(caller.ask_reset(key, address), {200: "done"}), None)
                if history.take(0, {"op": "start", "code": turn}, act) is None:
                    return
                code, seen = self.letters.next(address, seen, "oneTimeToken")
                if code is None:
                    return
                what = {"op": "verify", "code": turn, "lock": 0}

                def act():
                    status, body = caller.verify(key, address, {"op": "reset-pin", "code": code, "newPin": "9999"})
                    if status == 423:
                        what["lock"] = opens.setdefault(body["delay"], len(opens))
                    return told(status, {423: "locked", 404: "lost"}), None

                before = len(opens)
                began = time.monotonic_ns()
                out, _ = act()
                history.operations.append([0, began, None if out == "unknown" else time.monotonic_ns(), {**what, "out": out}])
                if out == "unknown":
                    return
                if len(opens) > before:
                    link, _ = self.letters.next(address, seen, "link")
                    if link:
                        links.append((what["lock"], link[link.index("/recovery/") :]))

        def cancel(client):
            tried = 0
            while not done.is_set():
                if not links or tried > 6:
                    time.sleep(0.005)
                    continue
                tried += 1
                number, path = links[-1]
                act = lambda: (told(self.callers[client].call("POST", path)[0], {200: "done", 404: "lost"}), None)  # noqa: B023
                if history.take(client, {"op": "cancel", "lock": number}, act) is None:
                    return
                time.sleep(0.02)

        def change(client):
            for new in [1, 2]:
                time.sleep(0.03)
                act = lambda: (told(self.callers[client].change(key, PINS[new - 1], PINS[new]), {200: "done"}), None)  # noqa: B023
                if history.take(client, {"op": "change"}, act) is None:
                    return

        def work(client):
            try:
                if client == 0:
                    arm()
                elif client == 3:
                    change(client)
                else:
                    cancel(client)
            finally:
                if client == 0:
                    done.set()

        self.at_once(work)
        return history


def makers(cluster, path, count):
    """Clients for `load.Load`, and how many operations they have written to `path`."""
    file = path.open("w")
    lock = threading.Lock()
    written = {"objects": 0, "operations": 0, "unknown": 0}

    def keep(history):
        with lock:
            file.write(history.line() + "\n")
            file.flush()
            written["objects"] += 1
            written["operations"] += len(history.operations)
            written["unknown"] += sum(operation[2] is None for operation in history.operations)

    letters = Letters(cluster.mailbox)
    return [Maker(cluster, letters, seed, keep) for seed in range(count)], written
