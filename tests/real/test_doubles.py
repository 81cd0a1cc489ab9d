"""The servers at the other end behave as their names promise, so that a red test elsewhere means what it says."""

import base64
import smtplib
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from email.message import EmailMessage

import pytest

from sms import Exchange, Receiver
from smtp import PostOffice


@pytest.fixture
def start(tmp_path):
    running = []

    def start(double):
        running.append(double)
        return double.up()

    start.folder = tmp_path
    yield start
    for double in running:
        double.down()


def letter():
    message = EmailMessage()
    message["From"], message["To"], message["Subject"], message["Message-ID"] = "a@b.example", "c@d.example", "s", "<1@b.example>"
    message.set_content("text 123456")
    message.add_alternative("<p>html</p>", subtype="html")
    return message


def send(office, login=None):
    context = ssl.create_default_context(cafile=office.authority) if office.authority else None
    if office.security == "tls":
        client = smtplib.SMTP_SSL("127.0.0.1", office.port, context=context, timeout=5)
    else:
        client = smtplib.SMTP("127.0.0.1", office.port, timeout=5)
    with client:
        if office.security == "starttls":
            client.starttls(context=context)
        if login:
            client.login(*login)
        client.send_message(letter())


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_mail_is_taken_apart(start, security):
    office = start(PostOffice(security, folder=start.folder))
    send(office)
    [taken] = office.wait_for_letters()
    assert (taken.to, taken.sender, taken.id, taken.subject) == (["c@d.example"], "a@b.example", "<1@b.example>", "s")
    assert (taken.part("plain").strip(), taken.part("html").strip()) == ("text 123456", "<p>html</p>")
    assert taken.encrypted == (security != "none")


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_login_is_wanted_and_checked(start, security):
    office = start(PostOffice(security, login=("u", "p"), folder=start.folder))
    send(office, ("u", "p"))
    assert office.letters[0].user == "u"
    with pytest.raises(smtplib.SMTPAuthenticationError):
        send(office, ("u", "wrong"))
    with pytest.raises(smtplib.SMTPException):
        send(office)


def test_unencrypted_mail_is_refused_where_encryption_is_wanted(start):
    office = start(PostOffice("starttls", folder=start.folder))
    office.security = "none"
    with pytest.raises(smtplib.SMTPException):
        send(office)


@pytest.mark.parametrize(("mood", "status"), [("later", 451), ("never", 550)])
def test_refusals(start, mood, status):
    office = start(PostOffice())
    office.mood = mood
    with pytest.raises(smtplib.SMTPDataError) as refusal:
        send(office)
    assert refusal.value.smtp_code == status
    assert (office.tries, office.letters) == (1, [])
    office.mood = "refuse-recipient"
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(office)


def test_a_post_office_closes_and_opens_on_the_same_port(start):
    office = start(PostOffice())
    office.down()
    with pytest.raises(OSError):
        send(office)
    office.up()
    send(office)
    assert len(office.letters) == 1


def test_a_message_is_taken_and_nobody_hears(start):
    office = start(PostOffice())
    office.mood = "hang-up"
    with pytest.raises((smtplib.SMTPException, OSError)):
        send(office)
    assert len(office.letters) == 1
    office.mood, office.slowness = "slow", 1
    began = time.monotonic()
    send(office)
    assert time.monotonic() - began >= 1


def post(url, content, **headers):
    request = urllib.request.Request(url, data=content, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as refusal:
        return refusal.code


def text(exchange, secret=None, **form):
    login = base64.b64encode(f"{exchange.sid}:{secret or exchange.secret}".encode()).decode()
    url = f"{exchange.url}/2010-04-01/Accounts/{exchange.sid}/Messages.json"
    content = urllib.parse.urlencode(form).encode()
    return post(url, content, authorization=f"Basic {login}", content_type="application/x-www-form-urlencoded")


def test_an_exchange_is_strict(start):
    exchange = start(Exchange())
    good = {"To": "+12", "From": "+15005550006", "Body": "hello"}
    assert text(exchange, **good) == 201
    assert text(exchange, secret="wrong", **good) == 401
    assert text(exchange, **(good | {"To": "12"})) == 400
    assert text(exchange, To="+12", Body="hello") == 400
    assert text(exchange, To="+12", From="+1") == 400
    assert text(exchange, To="+12", MessagingServiceSid="MG1", Body="hello") == 201
    assert post(f"{exchange.url}/elsewhere", b"") == 404
    exchange.mood = "busy"
    assert text(exchange, **good) == 429
    exchange.mood = "broken"
    assert text(exchange, **good) == 503
    assert len(exchange.taken) == 2
    exchange.down()
    with pytest.raises(OSError):
        text(exchange, **good)


def signed(receiver, body, identity="1", at=None):
    at = str(int(time.time()) if at is None else at)
    return {
        "x-keyward-timestamp": at,
        "x-keyward-message-id": identity,
        "x-keyward-signature": receiver.sign(at, identity, body),
    }


def test_a_receiver_wants_a_fresh_signature_over_what_was_sent(start):
    receiver = start(Receiver())
    url, body = f"{receiver.url}/hook", b'{"id":"1","to":"+12"}'
    good = signed(receiver, body)
    assert good["x-keyward-signature"].startswith("v1=")
    assert post(url, body, **good) == 200
    assert post(url, body) == 401
    assert post(url, body + b" ", **good) == 401
    assert post(url, body, **(good | {"x-keyward-message-id": "2"})) == 401
    assert post(url, body, **signed(receiver, body, at=int(time.time()) - 1000)) == 401
    assert post(url, body, **signed(receiver, body, identity="2")) == 400
    assert receiver.taken == [{"id": "1", "to": "+12"}]
