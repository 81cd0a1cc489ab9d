"""Old backups on a cluster: taken under load, put back one after the other. No guess comes back, and nothing that was used
or issued works again."""

import json
import random
import secrets
import threading
import time

from accounts import Person
from claim import check
from kinds import KINDS, House
from enceeper_client import Refused
from load import Caller, Load, Writer, patient, race

# The limits that are judged here, with windows that are not over before the last restore; those of a client's network stay off.
SETTINGS = {
    "failed_proofs_per_address = 0": "failed_proofs_per_address = 10\nfailed_proofs_window_seconds = 86400",
    "[profile.ott]": "[profile.password]\nlock_seconds = 86400\n\n[profile.ott]",
}
# Wrong guesses that are tried at each subject after each restore, over all nodes at once.
RACERS = 6
# How many kinds of single-use values are made before each backup.
KINDS_A_TURN = 3
# Not issued by the server, so that it cannot end them: an entry that waits for its answer waits again, as all content is
# what it was; and that a scan was shown before only its verifier can tell.
COMES_BACK = {"answer to a shared entry", "scan of a face"}


class GuardedKey:
    """A key behind a PIN."""

    limit = 10

    def __init__(self, house):
        self.key = patient(lambda: house.first.create("2468"))[1]
        self.content = self.open(house.first)

    def guess(self, caller):
        return told(patient(lambda: caller.open(self.key, "0000")), judged=404)

    def open(self, caller):
        status, content = patient(lambda: caller.open(self.key, "2468"))
        return content if status == 200 else None

    def is_whole(self, caller):
        return self.open(caller) == self.content


class AddressCode:
    """The codes that an address gets to prove itself."""

    limit = 10

    def __init__(self, house):
        self.house = house
        self.key, self.address, body, self.known = house.proving()
        self.right = body["code"]

    def proof(self, caller, code):
        body = {"op": "reset-pin", "code": code, "newPin": "9999"}
        return patient(lambda: caller.verify(self.key, self.address, body))

    def guess(self, caller):
        # Never the right one by chance.
        return told(self.proof(caller, f"{(int(self.right) + 1) % 1_000_000:06}"), judged=404)

    def renew(self):
        """Another code, since a restore ends those that are out; whether there is one."""
        status = patient(lambda: self.house.first.ask_reset(self.key, self.address))
        check(status in {200, 429}, f"another code: {status}")
        if status == 200:
            self.right, self.known = self.house.letter(self.address, "oneTimeToken", self.known)
        return status == 200

    def is_whole(self, caller):
        """The right code proves; its lock is then armed."""
        return self.proof(caller, self.right)[0] == 423


class Vault:
    """A login by a password's proof."""

    limit = 10

    def __init__(self, house):
        self.client, _ = house.joined()

    def guess(self, caller):
        begun = patient(lambda: caller.call("POST", "/api/v1/user/challenge", {"email": self.client.email}))
        if begun[0] == 429:
            return False
        proof = {"A": "01" + secrets.token_hex(1000), "M1": secrets.token_hex(64), "ref": begun[1]["result"]["srp6a"]["ref"]}
        answer = patient(lambda: caller.call("POST", "/api/v1/user/login", {"srp6a": proof}))
        if answer[0] == 400:
            check(answer[1]["errorMessage"] == "User authentication failed", answer)
        return told(answer, judged=400)

    def session(self, caller):
        self.client.base = f"http://{caller.host}/api/v1/"
        self.client.sign_in()
        token = {"x-enceeper-auth": self.client.token}
        return [("GET", "/api/v1/user/keys", None, token)]

    def is_whole(self, caller):
        try:
            return is_live(caller, *self.session(caller)[0])
        except Refused as refusal:
            check(refusal.status == 429, f"a login: {refusal}")
            return False


class Profile:
    """A login by a password."""

    limit = 5

    def __init__(self, house):
        self.person = Person(house)

    def log_in(self, caller, **more):
        return patient(lambda: caller.call("POST", "/api/v1/login", {**self.person.credential(), **more}))

    def guess(self, caller):
        return told(self.log_in(caller, password="not the password"), judged=401)

    def session(self, caller):
        status, said = self.log_in(caller)
        check(status == 200, f"a login: {status} {said}")
        bearer = {"authorization": f"Bearer {said['accessToken']}"}
        refresh = ("POST", "/api/v1/login/refresh", {"refreshToken": said["refreshToken"]}, None)
        return [("GET", "/api/v1/account/details", None, bearer), refresh]

    def is_whole(self, caller):
        return self.log_in(caller)[0] == 200


def told(answer, judged):
    """Whether a wrong guess was judged; if not, it was turned away unheard."""
    check(answer[0] in {judged, 429}, f"a wrong guess: {answer}")
    return answer[0] == judged


def is_live(caller, method, path, body, headers):
    status = patient(lambda: caller.call(method, path, body, headers=headers))[0]
    check(status in {200, 400, 401, 403, 404, 409}, f"{method} {path}: {status}")
    return status == 200


class Guesses:
    """Wrong guesses at all subjects: those of each are spread over some backups, and are all made at the end."""

    def __init__(self, subjects, backups):
        self.subjects = subjects
        span = max(1, backups // 3)
        starts = [nth * max(0, backups - span) // max(1, len(subjects) - 1) for nth in range(len(subjects))]
        self.rates = [(start, subject.limit / span) for start, subject in zip(starts, subjects)]
        self.judged = [0] * len(subjects)
        self.lock = threading.Lock()
        self.turn = 0

    def due(self):
        for nth, (start, rate) in enumerate(self.rates):
            if self.judged[nth] < min(self.subjects[nth].limit, (self.turn - start) * rate):
                yield nth

    def spend(self, callers):
        """All that are left; then there are none."""
        for nth, subject in enumerate(self.subjects):
            while subject.guess(callers[nth % len(callers)]):
                self.judged[nth] += 1
            check(self.judged[nth] == subject.limit, f"{self.judged[nth]} guesses at a {type(subject).__name__}")


class Guessing:
    """One client's share of them."""

    def __init__(self, guesses, url, seed):
        self.guesses, self.caller = guesses, Caller(url)
        self.dice = random.Random(seed)

    def step(self):
        due = list(self.guesses.due())
        if not due:
            time.sleep(0.05)
            return
        nth = self.dice.choice(due)
        if self.guesses.subjects[nth].guess(self.caller):
            with self.guesses.lock:
                self.guesses.judged[nth] += 1


class Calm(Writer):
    """A writer that leaves some of the machine to others."""

    def step(self):
        super().step()
        time.sleep(0.1)


class Past:
    """What was issued and used, and may never work again after an older database came back."""

    def __init__(self, house):
        self.house = house
        check(set(KINDS) >= COMES_BACK, "these are kinds")
        self.kinds = [(kind, make) for kind, make in KINDS.items() if kind not in COMES_BACK]
        self.things, self.sessions = [], []

    def issue(self, turn):
        """Two each of some kinds: one will be used, the other stays out. What is to be used."""
        to_use = []
        for offset in range(KINDS_A_TURN):
            kind, make = self.kinds[(turn * KINDS_A_TURN + offset) % len(self.kinds)]
            used, left = [(kind, *make(self.house)) for _ in range(2)]
            to_use.append(used)
            self.things += [used, left]
        return to_use

    def open_sessions(self, accounts, caller, look):
        for account in accounts:
            # A refresh token would be used up by the look at it.
            fresh = account.session(caller)
            if look:
                check(is_live(caller, *fresh[0]), "a session is one")
            self.sessions += fresh

    def revived(self, callers):
        """What works again."""
        found = []
        for nth, (kind, won, send) in enumerate(self.things):
            if send(callers[nth % len(callers)]) == won:
                found.append(kind)
        for nth, call in enumerate(self.sessions):
            if is_live(callers[nth % len(callers)], *call):
                found.append(f"session: {call[1]}")
        return found


def callers(cluster):
    return [Caller(node.url) for node in cluster.nodes]


def take_backups(cluster, past, guesses, accounts, backups):
    """Backups under load, each between the making of some things and their use."""
    node, files, rows = cluster.nodes[1], [], []
    clients = [Guessing(guesses, each.url, nth) for nth, each in enumerate(cluster.nodes)]
    writers = [Calm(each.url, nth) for nth, each in enumerate(cluster.nodes)]
    with Load([*clients, *writers]):
        for turn in range(backups):
            guesses.turn = turn + 1
            to_use = past.issue(turn)
            past.open_sessions(accounts, callers(cluster)[turn % 3], look=True)
            files.append(cluster.folder / f"backup-{turn}")
            said = node.command("backup", "--config", node.config, "--to", files[-1], "--json")
            rows.append(json.loads(said)["rows"])
            for kind, won, send in to_use:
                status = send(Caller(cluster.nodes[turn % 3].url))
                check(status == won, f"{kind} works once: {status}")
            print(f"  backup {turn + 1}: {rows[-1]} rows, {sum(guesses.judged)} guesses judged so far", flush=True)
    for writer in writers:
        check(writer.wrong == [], f"answers that nobody may get: {writer.wrong}")
    guesses.spend(callers(cluster))
    return files, rows


def put_back(cluster, file, first):
    """Fills an empty database from a backup: refused by every node, then accepted at `first`, by which all have it."""
    for node in cluster.nodes:
        node.program.stop()
    cluster.database.query("DROP DATABASE keyward WITH (FORCE)")
    cluster.database.query("CREATE DATABASE keyward OWNER keyward")
    first.command("restore", "--config", first.config, "--from", file)
    for node in cluster.nodes:
        check("--accept-rollback" in node.refusal(), f"{node.name} says why it refuses")
    switches = first.switches
    first.switches = [*switches, "--accept-rollback"]
    first.start().until_ready()
    first.switches = switches
    for node in cluster.nodes:
        if node is not first:
            node.start().until_ready()


def raced_guesses(cluster, subject):
    """How many of some wrong guesses at one moment were judged, over all nodes."""
    if isinstance(subject, AddressCode) and not subject.renew():
        # Its guesses are used up, so it gets no code: there is nothing to guess.
        return 0
    answers = race([node.url for node in cluster.nodes], RACERS, lambda racer, _: subject.guess(racer))
    check(None not in answers, f"guesses at a {type(subject).__name__} without an answer")
    return answers.count(True)


def restores(cluster, backups=20):
    """Old backups restored: no guesses gained"""
    house = House(cluster)
    past = Past(house)
    subjects = [kind(house) for kind in [GuardedKey] * 6 + [AddressCode] * 3 + [Vault] * 2 + [Profile] * 2]
    honest = [kind(house) for kind in [GuardedKey, GuardedKey, AddressCode, Vault, Profile]]
    accounts = [subject for subject in honest if hasattr(subject, "session")]
    guesses = Guesses(subjects, backups)
    files, rows = take_backups(cluster, past, guesses, accounts, backups)
    before, after, most, opened = sum(guesses.judged), 0, 0, 0
    again = backups // 2
    order = [*range(backups), *random.Random(3).sample(range(backups), again)]
    for turn, number in enumerate(order):
        put_back(cluster, files[number], cluster.nodes[turn % 3])
        here = callers(cluster)
        revived = past.revived(here)
        check(revived == [], f"backup {number + 1} brings back: {revived}")
        judged = []
        for subject in subjects:
            judged.append(raced_guesses(cluster, subject))
            check(judged[-1] <= 1, f"backup {number + 1}: {judged[-1]} guesses at a {type(subject).__name__}")
            still = f"backup {number + 1}: {judged[-1]} guesses at a {type(subject).__name__}, and the right one opens"
            check(not subject.is_whole(here[turn % 3]), still)
        for nth, subject in enumerate(honest):
            if isinstance(subject, AddressCode):
                subject.renew()
            check(subject.is_whole(here[(turn + nth) % 3]), f"backup {number + 1}: the right {type(subject).__name__} is refused")
            opened += 1
        past.open_sessions(accounts, here[turn % 3], look=True)
        cluster.nodes[turn % 3].command("admin", "audit", "verify")
        after, most = after + sum(judged), max(most, *judged)
        print(f"  restore {turn + 1} of backup {number + 1}: guesses judged {judged}", flush=True)
    check(after > 0, "some had a guess left, and it was judged")
    return (
        f"{backups} backups under load ({rows[0]} to {rows[-1]} rows); {backups} restores from old to new and {again} out of order, "
        f"each into an empty database, each refused by every node without `--accept-rollback`; {len(subjects)} subjects (PINs, "
        f"codes of an address, two kinds of login): {before} guesses judged before, which is the limit of each; after a restore at most "
        f"{most} at each over all nodes, {after} in {len(order) * len(subjects)} times; {len(past.things)} codes, links and proofs and "
        f"{len(past.sessions)} session tokens from before: none worked; the correct secret worked {opened} of {opened} times"
    )


restores.settings = SETTINGS
