//! A key's owner, and everybody else who knows its id: short ways to call the services.

use domain::guarded_key::contact::ContactAddress;
use domain::guarded_key::{EncryptionKey, GuardedKeyId, Pin};
use domain::message::Channel;
use domain::secret::SecretText;
use domain::{Caller, Error, Refusal, Services};
use testkit::Kit;

/// Somebody who calls about one key.
#[derive(Clone)]
pub(crate) struct Owner {
    pub(crate) services: Services,
    pub(crate) key: GuardedKeyId,
}

pub(crate) fn caller() -> Caller {
    testkit::kit::caller("test")
}

pub(crate) fn pin(text: &str) -> Pin {
    Pin(secret(text))
}

pub(crate) fn secret(text: &str) -> SecretText {
    SecretText::new(text.to_owned())
}

pub(crate) fn address(text: &str) -> ContactAddress {
    let channel = if text.starts_with('+') {
        Channel::Sms
    } else {
        Channel::Email
    };
    ContactAddress {
        channel,
        text: text.to_owned(),
    }
}

impl Owner {
    pub(crate) async fn of(kit: &Kit, with: &str) -> Self {
        let services = kit.services.clone();
        let key = services
            .guarded_keys
            .create_key(caller(), pin(with))
            .await
            .unwrap();
        Self { services, key }
    }

    /// The same key at another services.
    pub(crate) fn at(&self, kit: &Kit) -> Self {
        Self {
            services: kit.services.clone(),
            key: self.key,
        }
    }

    pub(crate) async fn open(&self, with: &str) -> Result<EncryptionKey, Error> {
        let opened = self
            .services
            .guarded_keys
            .open_key(caller(), self.key, pin(with))
            .await?;
        Ok(opened.content)
    }

    pub(crate) async fn change(&self, with: &str, new: &str) -> Result<(), Error> {
        self.services
            .guarded_keys
            .change_pin(caller(), self.key, pin(with), pin(new))
            .await
    }

    pub(crate) async fn add(&self, with: &str, contact: &str) -> Result<(), Error> {
        self.services
            .guarded_keys
            .add_contact(caller(), self.key, pin(with), address(contact))
            .await
    }

    pub(crate) async fn remove(&self, with: &str, contact: &str) -> Result<(), Error> {
        self.services
            .guarded_keys
            .remove_contact(caller(), self.key, pin(with), address(contact))
            .await
    }

    pub(crate) async fn confirm(&self, contact: &str, code: &str) -> Result<(), Error> {
        self.services
            .guarded_keys
            .confirm_contact(caller(), self.key, address(contact), secret(code))
            .await
    }

    pub(crate) async fn start(&self, contact: &str) -> Result<(), Error> {
        self.services
            .guarded_keys
            .start_recovery(caller(), self.key, address(contact))
            .await
    }

    pub(crate) async fn recover(
        &self,
        contact: &str,
        code: &str,
        new: Option<&str>,
    ) -> Result<(), Error> {
        self.services
            .guarded_keys
            .recover(
                caller(),
                self.key,
                address(contact),
                secret(code),
                new.map(pin),
            )
            .await
    }

    /// Adds `contact` and proves it with the code that was sent.
    pub(crate) async fn add_verified(&self, kit: &Kit, with: &str, contact: &str) {
        self.add(with, contact).await.unwrap();
        let code = kit.courier.code_to(contact).unwrap();
        self.confirm(contact, &code).await.unwrap();
    }
}

/// What a use case came to, for comparing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Refused(Refusal),
    Busy,
    Unavailable,
    Bug(String),
}

pub(crate) fn outcome<T>(result: Result<T, Error>) -> Outcome {
    match result {
        Ok(_) => Outcome::Done,
        Err(Error::Refused(refusal)) => Outcome::Refused(refusal),
        Err(Error::Busy { .. }) => Outcome::Busy,
        Err(Error::Unavailable(_)) => Outcome::Unavailable,
        Err(error @ Error::Bug(_)) => Outcome::Bug(domain::error::chain(&error)),
    }
}
