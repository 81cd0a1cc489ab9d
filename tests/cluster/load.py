"""Clients that keep a ledger: what was acknowledged, what was judged, and what nobody can know."""

import base64
import http.client
import json
import random
import threading
import time
import urllib.parse

# What a caller is told when it may come back; nothing was decided.
LATER = {0, 503}


class Caller:
    """One connection to one node, made again when it breaks. A broken one is status 0."""

    def __init__(self, url, timeout=70):
        self.url = url
        self.host = urllib.parse.urlsplit(url).netloc
        self.timeout = timeout
        self.connection = None

    def call(self, method, path, body=None, pin=None, headers=None):
        headers = {"content-type": "application/json", **(headers or {})}
        if pin is not None:
            headers["authorization"] = "Basic " + base64.b64encode(f":{pin}".encode()).decode()
        content = None if body is None else json.dumps(body).encode()
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(self.host, timeout=self.timeout)
            self.connection.request(method, path, content, headers)
            answer = self.connection.getresponse()
            text = answer.read()
            if answer.will_close:
                self.close()
            try:
                return answer.status, json.loads(text) if text else None
            except ValueError:
                return answer.status, None
        except (OSError, http.client.HTTPException):
            self.close()
            return 0, None

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    # The guarded key, as its clients call it.

    def create(self, pin):
        status, body = self.call("POST", "/v2/key", {"pin": pin})
        return status, body["id"] if status == 201 else None

    def open(self, key, pin):
        status, body = self.call("GET", f"/v2/key/{key}", pin=pin)
        return status, body["encryptionKey"] if status == 200 else None

    def change(self, key, pin, new):
        return self.call("PUT", f"/v2/key/{key}", {"newPin": new}, pin)[0]

    def add_user(self, key, pin, user):
        return self.call("POST", f"/v2/key/{key}/user", {"userId": user}, pin)[0]

    def ask_reset(self, key, user):
        return self.call("GET", f"/v2/key/{key}/user/{urllib.parse.quote(user, safe='')}/reset")[0]

    def verify(self, key, user, body):
        return self.call("PUT", f"/v2/key/{key}/user/{urllib.parse.quote(user, safe='')}", body)


def patient(ask, seconds=60):
    """Asks again while the answer is "later"."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        status = answer[0] if isinstance(answer, tuple) else answer
        if status not in LATER or time.monotonic() > deadline:
            return answer
        time.sleep(0.05)


class Writer:
    """Makes keys and changes their PINs, and remembers each acknowledgement."""

    def __init__(self, url, seed):
        self.caller = Caller(url)
        self.dice = random.Random(seed)
        # Key: its content, the PIN last acknowledged, and PINs whose change was never answered.
        self.keys = {}
        self.acknowledged = 0
        self.put_off = 0
        self.wrong = []
        # Of each acknowledged write: when it was acknowledged, and after how many seconds.
        self.writes = []

    def note(self, status, allowed):
        if status in LATER:
            self.put_off += 1
            time.sleep(0.02)
        elif status not in allowed:
            self.wrong.append(status)

    def wrote(self, began):
        now = time.monotonic()
        self.acknowledged += 1
        self.writes.append((now, now - began))

    def step(self):
        if not self.keys or self.dice.random() < 0.3:
            pin = f"{self.dice.randrange(10**8):08}"
            began = time.monotonic()
            status, key = self.caller.create(pin)
            self.note(status, {201})
            if status == 201:
                self.wrote(began)
                self.keys[key] = {"content": None, "pin": pin, "maybe": set()}
            return
        key = self.dice.choice(list(self.keys)[-8:])
        state = self.keys[key]
        if state["maybe"]:
            return
        if self.dice.random() < 0.5:
            status, content = self.caller.open(key, state["pin"])
            self.note(status, {200})
            if status == 200 and state["content"] not in (None, content):
                self.wrong.append("another content")
            if status == 200:
                state["content"] = content
            return
        new = f"{self.dice.randrange(10**8):08}"
        began = time.monotonic()
        status = self.caller.change(key, state["pin"], new)
        self.note(status, {200})
        if status == 200:
            self.wrote(began)
            state["pin"] = new
        elif status in LATER:
            state["maybe"].add(new)

    def lost(self, url):
        """Acknowledged writes that are not there any more."""
        caller, lost = Caller(url), []
        for key, state in self.keys.items():
            status, content = patient(lambda: caller.open(key, state["pin"]))
            for pin in state["maybe"]:
                if status != 404:
                    break
                status, content = patient(lambda: caller.open(key, pin))
            if status != 200 or state["content"] not in (None, content):
                lost.append((key, status))
        return lost


class Guesser:
    """Guesses the PIN of one key, and counts how often it was judged."""

    def __init__(self, url, key):
        self.caller = Caller(url)
        self.key = key
        self.judged = 0
        self.wrong = []

    def step(self):
        status, _ = self.caller.open(self.key, "0000")
        if status == 404:
            self.judged += 1
        elif status not in {429, *LATER}:
            self.wrong.append(status)
        time.sleep(0.05)


class Load:
    """Runs the steps of many clients, a thread each, until it is left."""

    def __init__(self, clients):
        self.clients = clients
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(client,), daemon=True) for client in clients]
        self.errors = []

    def run(self, client):
        try:
            while not self.stop.is_set():
                client.step()
        except Exception as error:
            self.errors.append(error)
            raise

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(100)
        if self.errors:
            raise AssertionError(f"a client failed: {self.errors[0]!r}")


def race(urls, count, send):
    """`count` requests at one moment, spread over the nodes; their answers in order."""
    gate = threading.Barrier(count)
    answers = [None] * count

    def one(nth):
        caller = Caller(urls[nth % len(urls)])
        # Connected before the start, so that all set off together.
        caller.call("GET", "/healthz")
        gate.wait(60)
        answers[nth] = send(caller, nth)
        caller.close()

    threads = [threading.Thread(target=one, args=(nth,), daemon=True) for nth in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return answers
