//! Signed tokens in compact form (RFC 7515, RFC 7519), judged against a published key set (duo-auth
//! sheet §3.2).
//!
//! The signature is the library's work. What libraries leave open is pinned here: which key may serve,
//! what a header may ask for (nothing: no key, no address of a key, no extension), the shape of every
//! claim, and how late is too late.

mod key_set;

use serde_json::{Map, Value};

pub use key_set::KeySet;

use crate::jws::{Algorithm, Compact};

/// Longest token, in bytes, that is looked at.
const LONGEST: usize = 8192;
/// Longest e-mail address (RFC 5321, §4.5.3.1.3, without its brackets).
const LONGEST_EMAIL: usize = 254;
/// Most characters of a subject.
const LONGEST_SUBJECT: usize = 255;

/// What an issuer's tokens must be like.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Compared byte for byte.
    pub issuer: String,
    /// One of them must be among the token's, as a whole.
    pub audiences: Vec<String>,
    pub algorithms: Vec<Algorithm>,
    /// How many seconds the two clocks may differ.
    pub leeway: u32,
}

/// A token taken apart, and not believed.
pub struct Token<'t> {
    compact: Compact<'t>,
    claims: Map<String, Value>,
}

/// What a token says, believed.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    pub subject: String,
    /// The words of `scope` and the texts of `permissions`.
    pub scopes: Vec<String>,
    /// Unix seconds of the login, or of the issue when the login is not told.
    pub authenticated: Option<f64>,
    /// The subject's e-mail address, where the issuer says that it verified it (`OpenID` Connect Core §5.1).
    pub verified_email: Option<String>,
}

/// Why a token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unacceptable {
    Invalid,
    /// Right in everything, and over.
    Expired,
}

impl<'t> Token<'t> {
    /// A compact JWS of at most 8192 bytes whose payload is a JSON object.
    pub fn parse(text: &'t str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let compact = Compact::parse(text)?;
        let claims = serde_json::from_slice(compact.payload()).ok()?;
        Some(Self { compact, claims })
    }

    /// Who the token says issued it: only to choose the rules.
    pub fn issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }

    /// The key that the token names.
    pub fn key_id(&self) -> Option<&str> {
        self.compact.header().key_id()
    }

    /// Whether the rules allow the token's algorithm and its issuer. Needs no key.
    pub fn fits(&self, rules: &Rules) -> bool {
        self.allowed(rules).is_some()
    }

    /// Judges the whole token. `now`: Unix seconds.
    pub fn judge(&self, rules: &Rules, keys: &KeySet, now: f64) -> Result<Claims, Unacceptable> {
        let key = self
            .allowed(rules)
            .and_then(|algorithm| keys.choose(self.key_id(), algorithm))
            .filter(|key| key.verifies(&self.compact));
        key.ok_or(Unacceptable::Invalid)?;
        self.claims(rules, now)
    }

    fn allowed(&self, rules: &Rules) -> Option<Algorithm> {
        let algorithm = self.compact.header().algorithm()?;
        let fits =
            rules.algorithms.contains(&algorithm) && self.issuer() == Some(rules.issuer.as_str());
        fits.then_some(algorithm)
    }

    fn claims(&self, rules: &Rules, now: f64) -> Result<Claims, Unacceptable> {
        let leeway = f64::from(rules.leeway);
        let invalid = Unacceptable::Invalid;
        if !self.is_for(&rules.audiences) {
            return Err(invalid);
        }
        let subject = self.text("sub").ok_or(invalid)?;
        if !(1..=LONGEST_SUBJECT).contains(&subject.chars().count()) {
            return Err(invalid);
        }
        let expires = self.number("exp")?.ok_or(invalid)?;
        let begins = self.number("nbf")?.unwrap_or(now);
        let issued = self.number("iat")?;
        if begins > now + leeway || issued.unwrap_or(now) > now + leeway {
            return Err(invalid);
        }
        if expires + leeway <= now {
            return Err(Unacceptable::Expired);
        }
        let login = match self.claims.get("auth_time") {
            Some(login) => login.as_f64(),
            None => issued,
        };
        Ok(Claims {
            subject: subject.to_owned(),
            scopes: self.scopes(),
            authenticated: login,
            verified_email: self.verified_email(),
        })
    }

    /// Only with `email_verified` exactly true: no text and no number says that. What could not be written
    /// to is no address.
    fn verified_email(&self) -> Option<String> {
        let email = self.text("email")?;
        let (name, host) = email.rsplit_once('@')?;
        let plain = |c: char| !c.is_control() && !c.is_whitespace() && !"<>,;\"".contains(c);
        let fits = email.len() <= LONGEST_EMAIL && !name.is_empty() && host.contains('.');
        let verified = self.claims.get("email_verified") == Some(&Value::Bool(true));
        (verified && fits && email.chars().all(plain)).then(|| email.to_owned())
    }

    fn is_for(&self, audiences: &[String]) -> bool {
        let ours = |text: &str| audiences.iter().any(|audience| audience == text);
        match self.claims.get("aud") {
            Some(Value::String(one)) => ours(one),
            Some(Value::Array(many)) => {
                many.iter().all(Value::is_string) && many.iter().filter_map(Value::as_str).any(ours)
            }
            _ => false,
        }
    }

    fn scopes(&self) -> Vec<String> {
        let words = self.text("scope").unwrap_or_default().split(' ');
        let permissions = match self.claims.get("permissions") {
            Some(Value::Array(list)) => list.as_slice(),
            _ => &[],
        };
        words
            .filter(|word| !word.is_empty())
            .chain(permissions.iter().filter_map(Value::as_str))
            .map(str::to_owned)
            .collect()
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }

    /// A claim that is a number where it is there at all.
    fn number(&self, name: &str) -> Result<Option<f64>, Unacceptable> {
        match self.claims.get(name) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or(Unacceptable::Invalid),
        }
    }
}
