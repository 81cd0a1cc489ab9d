//! A message as a signed HTTP request, for any provider that an operator wants to connect.
//!
//! `X-Keyward-Signature: v1=<hex>` is HMAC-SHA-256 with the shared secret over
//! `v1:<X-Keyward-Timestamp>:<X-Keyward-Message-Id>:<raw body>`. The timestamp is the time of sending in Unix
//! seconds, so that a receiver can refuse old requests. The id is the same at every try.

use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use domain::Timestamp;
use domain::message::Channel;
use domain::port::Clock;
use domain::port::courier::{Delivery, Letter};
use reqwest::{Client, Url, header};

use super::line::{Line, News};
use super::options::WebhookOptions;
use super::{Provider, http};

const SHORTEST_SECRET: usize = 32;

pub(super) struct Webhook {
    client: Client,
    url: Url,
    key: hmac::Key,
    clock: Arc<dyn Clock>,
}

impl Webhook {
    pub(super) fn new(options: &WebhookOptions, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let secret = options.secret.expose();
        if secret.len() < SHORTEST_SECRET {
            return Err(format!(
                "webhook: the secret has {} bytes and needs at least {SHORTEST_SECRET}",
                secret.len()
            ));
        }
        let url =
            http::url(&options.url, options.plain).map_err(|why| format!("webhook: {why}"))?;
        Ok(Self {
            client: http::client(options.timeout, options.ca_file.as_deref())?,
            url,
            key: hmac::Key::new(hmac::HMAC_SHA256, secret),
            clock,
        })
    }

    fn signature(&self, timestamp: &str, id: &str, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [
            b"v1:",
            timestamp.as_bytes(),
            b":",
            id.as_bytes(),
            b":",
            body,
        ] {
            context.update(part);
        }
        format!("v1={}", hex::encode(context.sign()))
    }
}

#[async_trait]
impl Provider for Webhook {
    async fn carry(&self, letter: &Letter) -> Delivery {
        let now: Timestamp = self.clock.now();
        let timestamp = now.seconds().to_string();
        let body = match letter.message.channel {
            Channel::Operator => News::of(letter).json(),
            Channel::Email | Channel::Sms => Line::of(letter).json(),
        };
        let request = self
            .client
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(
                "x-keyward-signature",
                self.signature(&timestamp, &letter.id, &body),
            )
            .header("x-keyward-timestamp", timestamp)
            .header("x-keyward-message-id", &letter.id)
            .body(body);
        match request.send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                http::beginning(response).await;
                http::judge(status, None)
            }
            Err(error) if error.is_builder() => {
                Delivery::Refused("the message's id is not a valid header".to_owned())
            }
            Err(error) => Delivery::Later(http::reason(error)),
        }
    }

    /// Sends a HEAD request. Any answer shows that the receiver can be reached.
    async fn probe(&self) -> Result<(), String> {
        self.client
            .head(self.url.clone())
            .send()
            .await
            .map(|_| ())
            .map_err(http::reason)
    }
}
