//! Signed tokens in compact form (RFC 7515, RFC 7519), judged against a published key set (duo-auth
//! sheet §3.2).
//!
//! The signature is the library's work. What libraries leave open is pinned here: which key may serve,
//! what a header may ask for (nothing: no key, no address of a key, no extension), the shape of every
//! claim, and how late is too late.

mod key_set;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

pub use key_set::KeySet;

/// Longest token that is looked at.
const LONGEST: usize = 8192;
/// Longest e-mail address (RFC 5321, §4.5.3.1.3, without its brackets).
const LONGEST_EMAIL: usize = 254;
/// Most characters of a subject.
const LONGEST_SUBJECT: usize = 255;

/// A public-key signature algorithm. There is none for shared secrets and none for "none".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Algorithm(jsonwebtoken::Algorithm);

impl Algorithm {
    /// The names an allow-list may hold.
    pub const NAMES: [&'static str; 9] = [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
    ];

    /// By its exact name; `None` for every other text.
    pub fn named(name: &str) -> Option<Self> {
        if !Self::NAMES.contains(&name) {
            return None;
        }
        name.parse().ok().map(Self)
    }

    fn name(self) -> &'static str {
        use jsonwebtoken::Algorithm as A;
        match self.0 {
            A::RS256 => "RS256",
            A::RS384 => "RS384",
            A::RS512 => "RS512",
            A::PS256 => "PS256",
            A::PS384 => "PS384",
            A::PS512 => "PS512",
            A::ES256 => "ES256",
            A::ES384 => "ES384",
            A::EdDSA => "EdDSA",
            _ => "",
        }
    }
}

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
    signed: &'t str,
    signature: &'t str,
    algorithm: Option<Algorithm>,
    key_id: Option<String>,
    extended: bool,
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
    /// Three non-empty parts in base64url without padding, the first two of them JSON objects.
    pub fn parse(text: &'t str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        if signature.is_empty() || payload.contains('.') {
            return None;
        }
        URL_SAFE_NO_PAD.decode(signature).ok()?;
        let header = object(header)?;
        let algorithm = header.get("alg")?.as_str().and_then(Algorithm::named);
        let key_id = match header.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_str()?.to_owned()),
        };
        Some(Self {
            signed,
            signature,
            algorithm,
            key_id,
            extended: header.contains_key("crit"),
            claims: object(payload)?,
        })
    }

    /// Who the token says issued it: only to choose the rules.
    pub fn issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }

    /// The key that the token names.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Whether the header asks for nothing that the rules forbid. Needs no key.
    pub fn fits(&self, rules: &Rules) -> bool {
        let allowed = self
            .algorithm
            .is_some_and(|algorithm| rules.algorithms.contains(&algorithm));
        allowed && !self.extended && self.issuer() == Some(rules.issuer.as_str())
    }

    /// Judges the whole token. `now`: Unix seconds.
    pub fn judge(&self, rules: &Rules, keys: &KeySet, now: f64) -> Result<Claims, Unacceptable> {
        let algorithm = self.algorithm.filter(|_| self.fits(rules));
        let key = algorithm.and_then(|algorithm| keys.choose(self.key_id(), algorithm));
        let (Some(algorithm), Some(key)) = (algorithm, key) else {
            return Err(Unacceptable::Invalid);
        };
        let message = self.signed.as_bytes();
        match jsonwebtoken::crypto::verify(self.signature, message, key, algorithm.0) {
            Ok(true) => self.claims(rules, now),
            Ok(false) | Err(_) => Err(Unacceptable::Invalid),
        }
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

fn object(part: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    match serde_json::from_slice(&bytes).ok()? {
        Value::Object(members) => Some(members),
        _ => None,
    }
}
