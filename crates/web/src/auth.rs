//! Parses the `Authorization` header. Whether a credential is valid is decided elsewhere.

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use zeroize::Zeroizing;

/// The two parts of a Basic credential.
#[derive(Clone, PartialEq, Eq)]
pub struct Basic {
    /// The text before the first colon.
    pub user: String,
    /// Everything after the first colon, including further colons.
    pub password: Zeroizing<String>,
}

impl fmt::Debug for Basic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The user is hidden too, because several APIs put an account's name or a secret there.
        f.debug_struct("Basic").finish_non_exhaustive()
    }
}

/// What a request offers as a bearer token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Bearer<'a> {
    /// There is no `Authorization` header.
    Missing,
    /// Another scheme, no token, a character that no token may contain, or more than one header.
    Malformed,
    /// A token of the form that RFC 6750 allows. The caller must check whether it is valid.
    Token(&'a str),
}

impl fmt::Debug for Bearer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "Missing",
            Self::Malformed => "Malformed",
            Self::Token(_) => "Token(..)",
        })
    }
}

/// Decodes both alphabets, after translation to the standard one. Missing padding is allowed.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The Basic credential, or `None` when it is absent, repeated, or unusable in any way.
///
/// Both base64 alphabets, with or without padding. The text must be UTF-8 and is split at its first colon (RFC 7617),
/// so that a password may contain colons. Two headers are unusable: a front end may have judged the other one.
pub fn basic(headers: &HeaderMap) -> Option<Basic> {
    let encoded = credentials(single(headers)?, b"basic")?;
    let standard: Zeroizing<Vec<u8>> = Zeroizing::new(
        encoded
            .iter()
            .map(|&byte| match byte {
                b'-' => b'+',
                b'_' => b'/',
                _ => byte,
            })
            .collect(),
    );
    let decoded = Zeroizing::new(LENIENT.decode(standard.as_slice()).ok()?);
    let (user, password) = str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(Basic {
        user: user.to_owned(),
        password: Zeroizing::new(password.to_owned()),
    })
}

/// The bearer token of a request.
pub fn bearer(headers: &HeaderMap) -> Bearer<'_> {
    if !headers.contains_key(AUTHORIZATION) {
        return Bearer::Missing;
    }
    single(headers)
        .and_then(|value| credentials(value, b"bearer"))
        .filter(|token| is_token68(token))
        .and_then(|token| str::from_utf8(token).ok())
        .map_or(Bearer::Malformed, Bearer::Token)
}

fn single(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?;
    values.next().is_none().then_some(value.as_bytes())
}

/// What follows the scheme (in any case) and one or more spaces.
fn credentials<'a>(value: &'a [u8], scheme: &[u8]) -> Option<&'a [u8]> {
    let space = value.iter().position(|&byte| byte == b' ')?;
    let (name, rest) = value.split_at(space);
    if !name.eq_ignore_ascii_case(scheme) {
        return None;
    }
    let start = rest.iter().position(|&byte| byte != b' ')?;
    Some(&rest[start..])
}

/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`, the form of a token in RFC 6750.
fn is_token68(token: &[u8]) -> bool {
    let body = token
        .iter()
        .rposition(|&byte| byte != b'=')
        .map_or(0, |last| last + 1);
    body > 0
        && token[..body]
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte))
}

#[cfg(test)]
mod tests;
