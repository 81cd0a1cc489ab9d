//! Assertions: tokens that a client signs with its own key, each good for one use (RFC 7523 §3).
//!
//! 1. One of the client's keys must have signed the assertion, with the algorithm of that key.
//! 2. The claims must name the client and this server, and a time that is not far away.
//! 3. A transaction uses the assertion's id up. It refuses an id that was used, and one from a time that a rollback of
//!    the database has forgotten.

use std::sync::Arc;
use std::time::Duration;

use crypto::jws::Compact;
use serde::{Deserialize, Serialize};

use super::SKEW;
use crate::core::error::Error;
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::Kind;
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::Timestamp;
use crate::tenant::{AssertionKey, Authentication, Client, ClientId, Tenants};

/// How far ahead an assertion may expire, and so how long its id must be remembered.
const LONGEST: Duration = Duration::from_secs(3600);

/// Remembers an assertion's id until the assertion expires.
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

/// The client that an assertion names. Nothing is verified yet.
pub(super) fn claimed_client(token: &str) -> Option<String> {
    let compact = Compact::parse(token)?;
    serde_json::from_slice::<Claims>(compact.payload())
        .ok()
        .map(|claims| claims.iss)
}

/// When an assertion was made, and when it expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Life {
    made: Timestamp,
    expires: Timestamp,
}

impl Claims {
    /// The life of the assertion, if its claims are right for this client and these audiences at this moment.
    fn judge(&self, now: Timestamp, client: ClientId, audiences: &[String]) -> Option<Life> {
        let id = client.to_string();
        let named = self.iss == id && self.sub == id && self.aud.is_one_of(audiences);
        (named && self.is_timely(now) && !self.jti.is_empty()).then(|| self.life())
    }

    fn is_timely(&self, now: Timestamp) -> bool {
        let begun = |from: Option<i64>| from.is_none_or(|from| at(from) <= now.plus(SKEW));
        let expires = at(self.exp);
        now < expires && expires <= now.plus(LONGEST) && begun(self.nbf) && begun(self.iat)
    }

    /// An assertion that does not tell when it was made may have been made as long ago as it may live.
    fn life(&self) -> Life {
        let expires = at(self.exp);
        let made = self.iat.map_or_else(|| expires.minus(LONGEST), at);
        Life { made, expires }
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds.saturating_mul(1000))
}

impl Tenants {
    /// Checks an assertion and, if it is right, uses it up.
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
        let id = ClientId::of(client.key());
        let Some(Life { made, expires }) = claims.judge(now, id, audiences) else {
            return Ok(Authentication::Wrong);
        };
        let parts = [&id.as_bytes()[..], claims.jti.as_bytes()];
        let spent: Id<SpentAssertion> = self.rows.named(&parts);
        let scope = client.scope();
        self.write(move |hub, tx| {
            let used = hub.rows.get(tx, spent)?.is_some();
            if used || hub.is_of_forgotten_time(tx, made, SKEW)? {
                return Ok(Authentication::Wrong);
            }
            let place = Place::at(spent).due(expires);
            hub.rows.create(tx, scope, place, SpentAssertion {})?;
            Ok(Authentication::Right)
        })
        .await
    }
}

/// The claims, if one of the client's keys signed them with the algorithm of that key.
fn verified(client: &Client, token: &str) -> Option<Claims> {
    let compact = Compact::parse(token)?;
    let named = compact.header().key_id();
    let fits = client
        .keys
        .iter()
        .filter(|key| may_have_signed(key.kid.as_deref(), named));
    let mut keys = fits.filter_map(AssertionKey::verifying);
    if !keys.any(|key| key.verifies(&compact)) {
        return None;
    }
    serde_json::from_slice(compact.payload()).ok()
}

/// Whether a key with this id may have signed a token that names that id. Either may have none.
fn may_have_signed(known: Option<&str>, named: Option<&str>) -> bool {
    named.is_none() || known.is_none() || known == named
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000;
    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn claims() -> Claims {
        Claims {
            iss: ID.to_owned(),
            sub: ID.to_owned(),
            aud: Audience::One("us".to_owned()),
            exp: NOW + 60,
            nbf: None,
            iat: Some(NOW),
            jti: "1".to_owned(),
        }
    }

    fn judged(change: impl FnOnce(&mut Claims)) -> Option<Life> {
        let mut claims = claims();
        change(&mut claims);
        let ours = ["us".to_owned(), "us too".to_owned()];
        claims.judge(at(NOW), ClientId::parse(ID).unwrap(), &ours)
    }

    #[test]
    fn an_assertion_lives_from_when_it_was_made_until_it_expires() {
        let life = judged(|_| ()).unwrap();
        let expected = Life {
            made: at(NOW),
            expires: at(NOW + 60),
        };
        assert_eq!(life, expected);
    }

    #[test]
    fn an_assertion_without_a_time_may_be_an_hour_older_than_its_end() {
        let life = judged(|claims| claims.iat = None).unwrap();
        assert_eq!(life.made, at(NOW + 60 - 3600));
    }

    #[test]
    fn issuer_and_subject_must_both_be_the_client() {
        assert!(judged(|claims| claims.iss = ID.to_uppercase()).is_none());
        assert!(judged(|claims| claims.sub = String::new()).is_none());
        assert!(judged(|claims| claims.jti = String::new()).is_none());
    }

    #[test]
    fn one_of_the_audiences_must_be_this_server() {
        let among = |texts: &[&str]| {
            let many = texts.iter().map(|text| (*text).to_owned()).collect();
            judged(|claims| claims.aud = Audience::Many(many)).is_some()
        };
        assert!(among(&["them", "us too"]));
        assert!(!among(&["them", "US"]));
        assert!(!among(&[]));
        assert!(judged(|claims| claims.aud = Audience::One("them".to_owned())).is_none());
    }

    #[test]
    fn an_assertion_expires_within_an_hour() {
        let ending = |after| judged(|claims| claims.exp = NOW + after).is_some();
        let cases = [
            (-1, false),
            (0, false),
            (1, true),
            (3600, true),
            (3601, false),
        ];
        for (after, right) in cases {
            assert_eq!(ending(after), right, "{after}");
        }
        assert!(judged(|claims| claims.exp = i64::MAX).is_none());
    }

    #[test]
    fn clocks_may_differ_by_a_minute() {
        for (ahead, right) in [(-10_000, true), (60, true), (61, false)] {
            let made = judged(|claims| claims.iat = Some(NOW + ahead));
            assert_eq!(made.is_some(), right, "made {ahead}");
            let begins = judged(|claims| claims.nbf = Some(NOW + ahead));
            assert_eq!(begins.is_some(), right, "begins {ahead}");
        }
    }

    #[test]
    fn a_key_without_an_id_may_have_signed_any_token() {
        assert!(may_have_signed(None, Some("1")));
        assert!(may_have_signed(Some("1"), None));
        assert!(may_have_signed(Some("1"), Some("1")));
        assert!(!may_have_signed(Some("1"), Some("2")));
    }

    #[test]
    fn an_audience_is_one_text_or_several() {
        let read = |aud: &str| {
            let text = format!(r#"{{"iss":"a","sub":"a","aud":{aud},"exp":1,"jti":"1"}}"#);
            serde_json::from_str::<Claims>(&text)
                .map(|claims| claims.aud.is_one_of(&["us".to_owned()]))
        };
        assert!(read(r#""us""#).unwrap());
        assert!(read(r#"["them","us"]"#).unwrap());
        assert!(!read("[]").unwrap());
        assert!(read("1").is_err());
    }

    #[test]
    fn a_text_that_is_no_token_names_no_client() {
        for text in ["", "a.b.c", "no token"] {
            assert_eq!(claimed_client(text), None, "{text:?}");
        }
    }
}
