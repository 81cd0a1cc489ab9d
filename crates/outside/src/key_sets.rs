//! The key sets of foreign issuers, fetched over HTTP and cached.
//!
//! 1. A set is fresh for as long as its answer says, within limits. Then the next caller renews it.
//! 2. An unknown key id renews the set early, so that a new key works within seconds; but at most every five
//!    seconds, so that many invented ids do not cause many downloads.
//! 3. There is one fetch at a time. Callers who need its result wait for it; the others use the cached set.
//! 4. If a renewal fails, the old set is used for one more day. Without any set no token is judged.
//!
//! Times are measured with the process's monotonic clock, so that a movable clock or a clock change does not
//! affect a set.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::Error;
use domain::port::KeySets;
use domain::proof::federated::KeySet;
use reqwest::{Client, StatusCode, Url, header};
use serde_json::Value;
use tokio::time::Instant;

use crate::courier::Plain;
use crate::http;

const TIMEOUT: Duration = Duration::from_secs(5);
const LONGEST: usize = 256 * 1024;
const SHORTEST_LIFE: Duration = Duration::from_secs(60);
const LONGEST_LIFE: Duration = Duration::from_secs(86_400);
const USUAL_LIFE: Duration = Duration::from_secs(600);
/// The time between two fetches that unknown key ids or failures cause.
const PAUSE: Duration = Duration::from_secs(5);

/// Where an issuer publishes its keys.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// At this address.
    At(String),
    /// At the address in its discovery document.
    Discovery,
    /// In this process: the server's own keys.
    Fixed(Arc<KeySet>),
}

/// One issuer.
#[derive(Clone, Debug)]
pub struct KeySetOptions {
    pub issuer: String,
    pub source: KeySource,
    pub ca_file: Option<PathBuf>,
}

/// Fetches and keeps the key sets of all configured issuers.
pub struct HttpKeySets {
    issuers: HashMap<String, Issuer>,
}

struct Issuer {
    name: String,
    place: Place,
    client: Client,
    held: Mutex<Held>,
    /// Held by the caller who fetches.
    fetching: tokio::sync::Mutex<()>,
}

enum Place {
    At(Url),
    Discovery(Url),
    Fixed,
}

#[derive(Default)]
struct Held {
    set: Option<Arc<KeySet>>,
    fetched: Option<Instant>,
    fresh_until: Option<Instant>,
    tried: Option<Instant>,
}

impl HttpKeySets {
    pub fn new(options: Vec<KeySetOptions>) -> Result<Self, String> {
        let mut issuers = HashMap::new();
        for option in options {
            let name = option.issuer.clone();
            if issuers.insert(name.clone(), Issuer::new(option)?).is_some() {
                return Err(format!("the issuer {name} is configured twice"));
            }
        }
        Ok(Self { issuers })
    }
}

#[async_trait]
impl KeySets for HttpKeySets {
    async fn keys(&self, issuer: &str, wanted: Option<&str>) -> Result<Arc<KeySet>, Error> {
        let issuer = self.issuers.get(issuer);
        let issuer = issuer.ok_or_else(|| Error::bug("an issuer has no place for its keys"))?;
        issuer.keys(wanted).await
    }
}

/// The state of a cached set, for a caller.
enum Ready {
    Serve(Arc<KeySet>),
    Fetch,
    Nothing,
}

impl Issuer {
    fn new(options: KeySetOptions) -> Result<Self, String> {
        let name = options.issuer;
        let mut held = Held::default();
        let place = match options.source {
            KeySource::At(url) => Place::At(http::url(&url, Plain::Loopback)?),
            KeySource::Discovery => {
                let root = name.trim_end_matches('/');
                let url = format!("{root}/.well-known/openid-configuration");
                Place::Discovery(http::url(&url, Plain::Loopback)?)
            }
            KeySource::Fixed(set) => {
                held.set = Some(set);
                Place::Fixed
            }
        };
        Ok(Self {
            place,
            client: http::client(TIMEOUT, TIMEOUT, options.ca_file.as_deref())?,
            name,
            held: Mutex::new(held),
            fetching: tokio::sync::Mutex::default(),
        })
    }

    async fn keys(&self, wanted: Option<&str>) -> Result<Arc<KeySet>, Error> {
        match self.ready(wanted) {
            Ready::Serve(set) => return Ok(set),
            Ready::Nothing => return Err(self.away()),
            Ready::Fetch => {}
        }
        let _only = self.fetching.lock().await;
        // Another caller may have fetched the set while this one waited for the lock.
        match self.ready(wanted) {
            Ready::Serve(set) => return Ok(set),
            Ready::Nothing => return Err(self.away()),
            Ready::Fetch => {}
        }
        self.held().tried = Some(monotonic());
        match self.fetch().await {
            Ok((set, life)) => {
                let set = Arc::new(set);
                let now = monotonic();
                let mut held = self.held();
                held.set = Some(Arc::clone(&set));
                held.fetched = Some(now);
                held.fresh_until = Some(now + life);
                Ok(set)
            }
            Err(why) => {
                tracing::error!(
                    code = "key_set",
                    issuer = self.name,
                    why,
                    "an issuer's keys could not be fetched"
                );
                let set = self.held().usable();
                set.ok_or_else(|| self.away())
            }
        }
    }

    fn ready(&self, wanted: Option<&str>) -> Ready {
        let held = self.held();
        let now = monotonic();
        let rested = held.tried.is_none_or(|tried| now >= tried + PAUSE);
        let usable = held.usable();
        if matches!(self.place, Place::Fixed) {
            return usable.map_or(Ready::Nothing, Ready::Serve);
        }
        let Some(set) = usable else {
            return if rested { Ready::Fetch } else { Ready::Nothing };
        };
        let fresh = held.fresh_until.is_some_and(|until| now < until);
        let known = wanted.is_none_or(|id| set.knows(id));
        if (fresh && known) || !rested {
            Ready::Serve(set)
        } else {
            Ready::Fetch
        }
    }

    fn away(&self) -> Error {
        Error::unavailable(format!("the keys of {} have never been fetched", self.name))
    }

    async fn fetch(&self) -> Result<(KeySet, Duration), String> {
        let url = match &self.place {
            Place::At(url) => url.clone(),
            Place::Discovery(url) => self.discover(url).await?,
            Place::Fixed => return Err("fixed keys are not fetched".to_owned()),
        };
        let (body, life) = self.get(url).await?;
        let set = KeySet::parse(&body).ok_or("the answer is not a key set")?;
        Ok((set, life))
    }

    async fn discover(&self, url: &Url) -> Result<Url, String> {
        let (body, _) = self.get(url.clone()).await?;
        let document: Value =
            serde_json::from_slice(&body).map_err(|_| "the discovery document is not JSON")?;
        if document["issuer"].as_str() != Some(&self.name) {
            return Err("the discovery document names another issuer".to_owned());
        }
        let place = document["jwks_uri"]
            .as_str()
            .ok_or("the discovery document names no key set")?;
        http::url(place, Plain::Loopback)
    }

    async fn get(&self, url: Url) -> Result<(Vec<u8>, Duration), String> {
        let request = self
            .client
            .get(url)
            .header(header::ACCEPT, "application/json");
        let response = request.send().await.map_err(http::reason)?;
        if response.status() != StatusCode::OK {
            return Err(format!("answered {}", response.status().as_u16()));
        }
        let life = response
            .headers()
            .get(header::CACHE_CONTROL)
            .and_then(|value| value.to_str().ok())
            .and_then(max_age)
            .map_or(USUAL_LIFE, |life| life.clamp(SHORTEST_LIFE, LONGEST_LIFE));
        Ok((http::body(response, LONGEST).await?, life))
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Returns the set, unless its last successful fetch is too long ago.
    fn usable(&self) -> Option<Arc<KeySet>> {
        let old = self
            .fetched
            .is_some_and(|fetched| fetched.elapsed() > LONGEST_LIFE);
        self.set.clone().filter(|_| !old)
    }
}

fn max_age(text: &str) -> Option<Duration> {
    let mut directives = text.split(',').map(str::trim);
    let seconds = directives.find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        name.eq_ignore_ascii_case("max-age")
            .then_some(value.trim_matches('"'))
    })?;
    seconds.parse().ok().map(Duration::from_secs)
}

/// The lifetime of a fetched set is measured in this process, so that a moved clock does not affect it.
#[expect(
    clippy::disallowed_methods,
    reason = "measures how long ago a set was fetched"
)]
fn monotonic() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_life_of_a_set_is_what_its_answer_says() {
        for (text, seconds) in [
            ("max-age=90", Some(90)),
            ("public, Max-Age=\"7\", x", Some(7)),
            ("no-store", None),
            ("max-age=x", None),
        ] {
            assert_eq!(max_age(text).map(|life| life.as_secs()), seconds, "{text}");
        }
    }

    #[test]
    fn plain_http_is_for_loopback() {
        let at = |url: &str| {
            HttpKeySets::new(vec![KeySetOptions {
                issuer: "i".to_owned(),
                source: KeySource::At(url.to_owned()),
                ca_file: None,
            }])
            .is_ok()
        };
        assert!(at("https://idp.example.test/jwks") && at("http://127.0.0.1:1/jwks"));
        assert!(!at("http://idp.example.test/jwks") && !at("ftp://127.0.0.1/") && !at("jwks"));
    }
}
