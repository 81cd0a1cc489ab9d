"""What is good once for an account: the fourteen one-time tokens, each last step of a process, codes of an app, refreshing."""

import base64
import hashlib
import hmac
import secrets
import struct
import threading
import time

from load import patient

PASSWORD = "correct horse battery"
NEW_PASSWORD = "staple battery horse"
MAIL, PHONE, APP = "EMAIL", "PHONE_NUMBER", "GOOGLE_AUTHENTICATOR"


def email():
    return f"{secrets.token_hex(6)}@example.org"


def phone():
    return f"+49151{secrets.randbelow(10**8):08}"


def totp(secret, ahead=0):
    """The code of an authenticator app (RFC 6238), so many steps ahead."""
    step = struct.pack(">Q", int(time.time()) // 30 + ahead)
    digest = hmac.new(base64.b32decode(secret), step, hashlib.sha1).digest()
    number = struct.unpack_from(">I", digest, digest[-1] & 15)[0] & 0x7FFFFFFF
    return f"{number % 10**6:06}"


class Visitor:
    """Somebody at a front end, who reads the letters to his addresses."""

    def __init__(self, house):
        self.house = house
        self.session = None
        self.known = {}

    def ok(self, path, body=None):
        """The answer to a call that must succeed."""
        headers = {"authorization": f"Bearer {self.session}"} if self.session else {}
        call = lambda: self.house.first.call("POST", f"/api/v1/{path}", body or {}, headers=headers)
        status, said = patient(call)
        assert status == 200, (path, status, said)
        return said

    def code(self, address):
        found, self.known[address] = self.house.letter(address, "oneTimeToken", self.known.get(address, 0))
        return found

    def race(self, path, body, session=None):
        """The same call of many: 200 is the winner's answer."""
        headers = {"authorization": f"Bearer {session}"} if session else {}
        return 200, lambda caller: caller.call("POST", f"/api/v1/{path}", body, headers=headers)[0]

    def registering(self, key):
        """A registration, and the body that proves its address."""
        process = self.ok("registration", {"userKey": key})
        self.ok(f"token/registration/{process['processingId']}")
        return {**process, "oneTimeToken": self.code(key)}

    def recovering(self, key):
        """A password recovery, likewise."""
        process = self.ok("password/recovery", {"userKey": key})
        self.ok("token/password/recovery", {**process, "destination": MAIL})
        return {**process, "oneTimeToken": self.code(key)}


class Person(Visitor):
    """Somebody with an account, logged in. `second_step` makes his address one from then on."""

    def __init__(self, house, key=None, second_step=False):
        super().__init__(house)
        self.key = key or email()
        proof = self.registering(self.key)
        self.ok("registration/verification", proof)
        self.ok("registration/password", {"processingId": proof["processingId"], "password": PASSWORD})
        self.tokens = self.ok("login", self.credential())
        self.session = self.tokens["accessToken"]
        if second_step:
            self.ok("mfa/enabling", {"destination": MAIL})

    def credential(self):
        return {"userKey": self.key, "password": PASSWORD}

    def add_phone(self):
        number = phone()
        self.ok("token/userKeys/adding/phoneNumber", {"newPhoneNumber": number})
        self.ok("userKeys/adding/phoneNumber", {"newPhoneNumber": number, "oneTimeToken": self.code(number)})
        return number

    def losing_the_phone(self):
        """The recovery of a phone that is lost, and the body that proves the mailbox."""
        self.add_phone()
        process = self.ok("userKeys/recovery", {**self.credential(), "keyType": PHONE})
        self.ok("token/userKeys/recovery/verification", process)
        return {**process, "oneTimeToken": self.code(self.key)}

    def changing(self):
        """The first half of a change of address: the new one, and the body that proves the old one."""
        self.ok("token/userKeys/changing", {"keyType": MAIL})
        new = email()
        return new, {"newUserKey": new, "oneTimeToken": self.code(self.key)}

    def app(self):
        """An authenticator app that is on: its secret, and the recovery codes."""
        secret = self.ok("account/googleAuthenticator")["secret"]
        codes = self.ok("account/googleAuthenticator/verification", {"oneTimeToken": totp(secret)})["recoveryCodes"]
        return secret, codes

    def enter_by(self, code):
        """Each logs in with a process of his own; the code is the same."""

        def send(caller):
            status, said = caller.call("POST", "/api/v1/login", self.credential())
            if status != 200:
                return status
            step = {"processingId": said["processingId"], "destination": APP, "oneTimeToken": code}
            status, said = caller.call("POST", "/api/v1/login/verification", step)
            return "let in" if status == 200 and said.get("accessToken") else status

        return "let in", send

    def signed_in(self, path, body):
        return self.race(path, body, self.session)


# Without a session.


def registration(house):
    visitor = Visitor(house)
    return visitor.race("registration/verification", visitor.registering(email()))


def registration_end(house):
    visitor = Visitor(house)
    proof = visitor.registering(email())
    process = visitor.ok("registration/verification", proof)
    return visitor.race("registration/password", {**process, "password": PASSWORD})


def login(house):
    person = Person(house, second_step=True)
    process = person.ok("login", person.credential())["processingId"]
    step = {"processingId": process, "destination": MAIL}
    person.ok("token/login", step)
    return person.race("login/verification", {**step, "oneTimeToken": person.code(person.key)})


def password_recovery(house):
    person = Person(house)
    return person.race("password/recovery/verification", person.recovering(person.key))


def password_recovery_end(house):
    person = Person(house)
    process = person.ok("password/recovery/verification", person.recovering(person.key))
    return person.race("password/recovery/newPassword", {**process, "newPassword": NEW_PASSWORD})


def address_recovery(house):
    person = Person(house)
    return person.race("userKeys/recovery/verification", person.losing_the_phone())


def address_recovery_end(house):
    person, new = Person(house), phone()
    process = person.ok("userKeys/recovery/verification", person.losing_the_phone())
    person.ok("token/userKeys/recovery/newKey", {**process, "destination": new})
    return person.race("userKeys/recovery/newKey", {**process, "oneTimeToken": person.code(new)})


# With a session.


def password_change(house):
    person = Person(house)
    person.ok("token/password/changing")
    body = {"oldPassword": PASSWORD, "newPassword": NEW_PASSWORD, "oneTimeToken": person.code(person.key)}
    return person.signed_in("password/changing", body)


def added_email(house):
    person, new = Person(house, key=phone()), email()
    person.ok("token/userKeys/adding/email", {"newEmail": new})
    return person.signed_in("userKeys/adding/email", {"newEmail": new, "oneTimeToken": person.code(new)})


def added_phone(house):
    person, new = Person(house), phone()
    person.ok("token/userKeys/adding/phoneNumber", {"newPhoneNumber": new})
    return person.signed_in("userKeys/adding/phoneNumber", {"newPhoneNumber": new, "oneTimeToken": person.code(new)})


def address_change(house):
    person = Person(house)
    return person.signed_in("token/userKeys/changing/newKey", person.changing()[1])


def address_change_end(house):
    person = Person(house)
    new, proof = person.changing()
    person.ok("token/userKeys/changing/newKey", proof)
    return person.signed_in("userKeys/changing", {"newUserKey": new, "oneTimeToken": person.code(new)})


def removal(house):
    person = Person(house)
    number = person.add_phone()
    person.ok("token/userKeys/removing", {"keyType": PHONE})
    return person.signed_in("userKeys/removing", {"keyType": PHONE, "oneTimeToken": person.code(number)})


def first_phrase(house):
    person = Person(house)
    person.ok("token/antiPhishing/adding")
    body = {"antiPhishingCode": "blue-fox-7", "oneTimeToken": person.code(person.key)}
    return person.signed_in("account/antiPhishingCode", body)


def next_phrase(house):
    person = Person(house)
    person.ok("token/antiPhishing/adding")
    person.ok("account/antiPhishingCode", {"antiPhishingCode": "blue-fox-7", "oneTimeToken": person.code(person.key)})
    person.ok("token/antiPhishing/changing")
    body = {"antiPhishingCode": "green-owl-3", "oneTimeToken": person.code(person.key)}
    return person.signed_in("account/antiPhishingCode", body)


def switching_off(house):
    person = Person(house, second_step=True)
    person.ok("token/mfa/disabling", {"destination": MAIL})
    return person.signed_in("mfa/disabling", {"destination": MAIL, "oneTimeToken": person.code(person.key)})


# Codes of an app, and the session.


def first_app_code(house):
    person = Person(house)
    secret = person.ok("account/googleAuthenticator")["secret"]
    return person.signed_in("account/googleAuthenticator/verification", {"oneTimeToken": totp(secret)})


def app_code(house):
    person = Person(house)
    secret, _ = person.app()
    # That of now is used.
    return person.enter_by(totp(secret, ahead=1))


def recovery_code(house):
    person = Person(house)
    _, codes = person.app()
    return person.enter_by(codes[0])


def refresh_token(house):
    """Used again at once it gives the same pair again, in case the answer got lost; never another one."""
    person = Person(house)
    body, pairs, lock = {"refreshToken": person.tokens["refreshToken"]}, set(), threading.Lock()

    def send(caller):
        status, said = caller.call("POST", "/api/v1/login/refresh", body)
        if status != 200:
            return status
        with lock:
            new = said["refreshToken"] not in pairs
            pairs.add(said["refreshToken"])
        return "a new pair" if new else "the same pair again"

    return "a new pair", send


KINDS = {
    "token of a registration": registration,
    "end of a registration": registration_end,
    "token of a login": login,
    "token of a password recovery": password_recovery,
    "end of a password recovery": password_recovery_end,
    "token of a user key recovery": address_recovery,
    "token for the recovered user key": address_recovery_end,
    "token of a password change": password_change,
    "token for an added e-mail address": added_email,
    "token for an added phone": added_phone,
    "token of a user key change": address_change,
    "token for the changed user key": address_change_end,
    "token of a user key removal": removal,
    "token for the first anti-phishing code": first_phrase,
    "token for another anti-phishing code": next_phrase,
    "token that switches a second step off": switching_off,
    "first code of an authenticator app": first_app_code,
    "code of an authenticator app": app_code,
    "recovery code": recovery_code,
    "refresh token": refresh_token,
}
