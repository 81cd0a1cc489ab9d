//! SMS over the API of Twilio, which other providers also offer.

use async_trait::async_trait;
use domain::port::courier::{Delivery, Letter};
use domain::secret::SecretText;
use reqwest::{Client, RequestBuilder, Url};

use super::options::{SmsSender, TwilioOptions};
use super::{Provider, http};

pub(super) struct Twilio {
    client: Client,
    account: Url,
    messages: Url,
    account_sid: String,
    auth_token: SecretText,
    sender: SmsSender,
}

impl Twilio {
    pub(super) fn new(options: TwilioOptions) -> Result<Self, String> {
        let sid = &options.account_sid;
        if sid.is_empty() || !sid.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err("twilio: the account SID must contain letters and digits only".to_owned());
        }
        if options.auth_token.expose().is_empty() {
            return Err("twilio: the auth token is empty".to_owned());
        }
        let sender = match &options.sender {
            SmsSender::Number(text) | SmsSender::Service(text) => text,
        };
        if sender.trim().is_empty() {
            return Err(
                "twilio: there is no sender: set a number or a messaging service".to_owned(),
            );
        }
        let base =
            http::url(&options.base_url, options.plain).map_err(|why| format!("twilio: {why}"))?;
        let at = |path: String| {
            let text = format!(
                "{}/2010-04-01/Accounts/{path}",
                base.as_str().trim_end_matches('/')
            );
            Url::parse(&text).map_err(|error| format!("twilio: {text} is not a URL: {error}"))
        };
        Ok(Self {
            client: http::client(options.timeout, options.ca_file.as_deref())?,
            account: at(format!("{sid}.json"))?,
            messages: at(format!("{sid}/Messages.json"))?,
            account_sid: options.account_sid,
            auth_token: options.auth_token,
            sender: options.sender,
        })
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        request.basic_auth(&self.account_sid, Some(self.auth_token.expose()))
    }
}

#[async_trait]
impl Provider for Twilio {
    async fn carry(&self, letter: &Letter) -> Delivery {
        let (name, sender) = match &self.sender {
            SmsSender::Number(number) => ("From", number),
            SmsSender::Service(sid) => ("MessagingServiceSid", sid),
        };
        let form = [
            ("To", letter.message.to.as_str()),
            (name, sender.as_str()),
            ("Body", letter.text.as_str()),
        ];
        let request = self
            .signed(self.client.post(self.messages.clone()))
            .form(&form);
        match request.send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                let body = http::beginning(response).await;
                http::judge(status, error_number(&body))
            }
            Err(error) => Delivery::Later(http::reason(error)),
        }
    }

    /// Reads the account. This sends no message.
    async fn probe(&self) -> Result<(), String> {
        let request = self.signed(self.client.get(self.account.clone()));
        let status = request
            .send()
            .await
            .map_err(http::reason)?
            .status()
            .as_u16();
        match status {
            200..=299 => Ok(()),
            401 | 403 => Err(format!(
                "answered {status}: the account SID or auth token is wrong"
            )),
            _ => Err(format!("answered {status}")),
        }
    }
}

/// The provider's number of an error. Its text is left out, because it quotes the receiver's phone number.
fn error_number(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let number = value.get("code")?.as_u64()?;
    Some(format!("error {number}"))
}
