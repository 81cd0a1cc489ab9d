//! Assertions: tokens that a client signs with its own key, each good for one use (RFC 7523 §3).

use std::sync::Arc;
use std::time::Duration;

use crypto::jws::Compact;
use serde::{Deserialize, Serialize};

use super::SKEW;
use crate::core::error::Error;
use crate::core::layer::Layer as _;
use crate::core::port::store::Kind;
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::tenant::Tenants;
use crate::tenant::{AssertionKey, Authentication, Client};

/// How far ahead an assertion may expire: so long its id is remembered.
const LONGEST: Duration = Duration::from_secs(3600);

/// Remembers an assertion's id until it is over anyway.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SpentAssertion {}

impl Record for SpentAssertion {
    const KIND: Kind = "spent_assertion";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    nbf: Option<i64>,
    iat: Option<i64>,
    jti: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn is_one_of(&self, ours: &[String]) -> bool {
        match self {
            Self::One(one) => ours.contains(one),
            Self::Many(many) => many.iter().any(|one| ours.contains(one)),
        }
    }
}

/// Whom an assertion says that it is of, before anything of it is verified.
pub(super) fn claimed_client(token: &str) -> Option<String> {
    let compact = Compact::parse(token)?;
    serde_json::from_slice::<Claims>(compact.payload())
        .ok()
        .map(|claims| claims.iss)
}

impl Tenants {
    /// Judges an assertion and, if it is right, uses it up.
    pub(super) async fn present_assertion(
        self: &Arc<Self>,
        now: Timestamp,
        client: &Stored<Client>,
        token: &str,
        audiences: &[String],
    ) -> Result<Authentication, Error> {
        let Some(claims) = verified(client, token) else {
            return Ok(Authentication::Wrong);
        };
        let id = hex::encode(client.id().0);
        let at = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1000));
        let expires = at(claims.exp);
        let timely = now < expires
            && expires <= now.plus(LONGEST)
            && claims.nbf.is_none_or(|from| at(from) <= now.plus(SKEW))
            && claims.iat.is_none_or(|made| at(made) <= now.plus(SKEW));
        let named = claims.iss == id && claims.sub == id && claims.aud.is_one_of(audiences);
        if !timely || !named || claims.jti.is_empty() {
            return Ok(Authentication::Wrong);
        }
        // Without a time of its own it may have been made as long ago as it may live.
        let made = claims.iat.map_or_else(|| expires.minus(LONGEST), at);
        let row = self.rows.id(
            SpentAssertion::KIND,
            &[&client.id().0, claims.jti.as_bytes()],
        );
        let scope = client.scope();
        self.write(move |hub, tx| {
            let spent = hub.rows.get::<SpentAssertion>(tx, &row)?.is_some();
            if spent || hub.is_of_forgotten_time(tx, made, SKEW)? {
                return Ok(Authentication::Wrong);
            }
            hub.rows
                .create(tx, scope, Place::at(row).due(expires), SpentAssertion {})?;
            Ok(Authentication::Right)
        })
        .await
    }
}

/// The claims, if one of the client's keys signed them with the algorithm of that key.
fn verified(client: &Client, token: &str) -> Option<Claims> {
    let compact = Compact::parse(token)?;
    let named = compact.header().key_id();
    let fits = client.keys.iter().filter(|key| {
        let known = key.kid.as_deref();
        named.is_none() || known.is_none() || known == named
    });
    let mut keys = fits.filter_map(AssertionKey::verifying);
    if !keys.any(|key| key.verifies(&compact)) {
        return None;
    }
    serde_json::from_slice(compact.payload()).ok()
}
