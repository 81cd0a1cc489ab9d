//! A message as an Internet message (RFC 5322), with the same bytes at every try.

use std::time::{Duration, UNIX_EPOCH};

use domain::port::courier::Letter;
use lettre::Address;
use lettre::address::Envelope;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};

/// The sender of the mail.
pub(super) struct Sender {
    from: Mailbox,
    reply_to: Option<Mailbox>,
}

/// A mail that is ready to be sent.
pub(super) struct Mail {
    pub(super) envelope: Envelope,
    pub(super) bytes: Vec<u8>,
}

impl Sender {
    /// Parses `Name <address>` or only an address.
    pub(super) fn new(from: &str, reply_to: Option<&str>) -> Result<Self, String> {
        let read = |what: &str, text: &str| {
            text.parse::<Mailbox>()
                .map_err(|_| format!("{what} \"{text}\" is not a mail address"))
        };
        Ok(Self {
            from: read("from", from)?,
            reply_to: reply_to.map(|text| read("reply_to", text)).transpose()?,
        })
    }

    pub(super) fn write(&self, letter: &Letter) -> Result<Mail, &'static str> {
        let to = &letter.message.to;
        let address: Address = Some(to)
            .filter(|to| !to.contains(char::is_control))
            .and_then(|to| to.parse().ok())
            .ok_or("the address is not an e-mail address")?;
        let id = ordinary_id(&letter.id);
        let millis = u64::try_from(letter.at.millis()).unwrap_or_default();
        let mut builder = Message::builder()
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .date(UNIX_EPOCH + Duration::from_millis(millis))
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            .subject(one_line(&letter.subject))
            .header(AutoSubmitted);
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        let text = SinglePart::builder()
            .header(ContentType::TEXT_PLAIN)
            .body(letter.text.clone());
        let message = if letter.html.is_empty() {
            builder.singlepart(text)
        } else {
            let html = SinglePart::builder()
                .header(ContentType::TEXT_HTML)
                .body(letter.html.clone());
            let parts = MultiPart::alternative().boundary(format!("=_{id}"));
            builder.multipart(parts.singlepart(text).singlepart(html))
        };
        let message = message.map_err(|_| "the message is not an e-mail")?;
        Ok(Mail {
            envelope: message.envelope().clone(),
            bytes: message.formatted(),
        })
    }
}

/// The message's id, or a hash of it if the id could break a header.
fn ordinary_id(id: &str) -> String {
    let ordinary = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if !id.is_empty() && id.len() <= 60 && id.chars().all(ordinary) {
        id.to_owned()
    } else {
        hex::encode(&crypto::mac::sha256(id.as_bytes())[..16])
    }
}

fn one_line(subject: &str) -> String {
    subject
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// `Auto-Submitted: auto-generated` (RFC 3834), so that vacation programs do not answer.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}
