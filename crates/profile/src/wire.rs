//! Answers as they are on the wire; requests are in [`request`].

mod request;

use std::collections::BTreeMap;

use domain::person::process::ProcessId;
use domain::person::{Details, Factor, LoggedIn, Way, WayKind};
use domain::proof::session::Tokens;
use domain::proof::token::Sent;
use serde::Serialize;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use crate::value;

pub(crate) use request::{
    AddEmail, AddKey, AddPhone, ChangeKey, ChangePassword, Code, Destination, DisableStep,
    KeyOfType, Login, NewEmail, NewPassword, NewPhone, ProcessPath, RecoverKey, Refresh, RemoveKey,
    SendChangedKey, SendNewKey, SendRecovery, SendTo, SetPassword, SetPhrase, StartRecovery,
    UserKey, Verify, VerifyLogin, VerifyRecovery, VerifyRegistration,
};

/// Every answer that is no success (§2).
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Problem {
    #[schema(example = "2025-01-31T12:00:00.000Z")]
    pub(crate) timestamp: String,
    pub(crate) status: u16,
    pub(crate) error: &'static str,
    /// Stable, for programs.
    #[schema(example = "OTT_INVALID")]
    pub(crate) code: &'static str,
    /// For people; no part of the contract.
    pub(crate) message: &'static str,
    pub(crate) path: String,
    /// Only with `OTT_INVALID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) attempts_left: Option<u32>,
}

/// The answers that any operation may give instead of its success.
pub(crate) struct Problems;

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let known = [
            (
                "400",
                "Malformed, against a rule, or a one-time token that is not valid",
            ),
            ("401", "No live session, or wrong credentials"),
            ("403", "A fresh login is needed, or a cool-down is running"),
            ("404", "Switched off, or no such process"),
            ("408", "The body took too long"),
            ("409", "A state or condition does not fit"),
            ("413", "Body too large"),
            ("415", "Not application/json"),
            ("429", "Too many messages or attempts; see Retry-After"),
            ("503", "Busy; see Retry-After"),
        ];
        let schema = Ref::from_schema_name("Problem");
        known
            .into_iter()
            .map(|(status, text)| {
                let content = ContentBuilder::new().schema(Some(schema.clone())).build();
                let response = ResponseBuilder::new()
                    .description(text)
                    .content("application/json", content)
                    .build();
                (status.to_owned(), RefOr::T(response))
            })
            .collect()
    }
}

/// Nothing to say.
#[derive(Serialize, ToSchema)]
pub(crate) struct Done {}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Process {
    processing_id: String,
}

impl Process {
    pub(crate) fn of(id: ProcessId) -> Self {
        Self {
            processing_id: id.0.to_string(),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Registered {
    pub(crate) user_id: String,
}

/// §3. `X-OTT-Expires-In` and `X-OTT-Resend-After` say it in seconds.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenSent {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) destination: Option<String>,
    /// For people.
    #[schema(example = "30min.")]
    pub(crate) expiration: String,
}

impl TokenSent {
    pub(crate) fn of(destination: Option<String>, sent: Sent) -> Self {
        Self {
            destination,
            expiration: value::expiration(sent.life),
        }
    }
}

/// T3: the mask of what the caller supplied, or a constant; nothing of the account.
pub(crate) fn recovery_destination(kind: WayKind, supplied: Option<&Way>) -> String {
    match (supplied, kind) {
        (Some(way), _) => way.masked(),
        (None, WayKind::Email) => "***@***".to_owned(),
        (None, WayKind::Phone) => "+***".to_owned(),
    }
}

/// §5.2
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum LoginAnswer {
    #[serde(rename_all = "camelCase")]
    Session {
        mfa_required: bool,
        access_token: String,
        refresh_token: String,
        token_type: &'static str,
        expires_in: u64,
    },
    #[serde(rename_all = "camelCase")]
    Steps {
        mfa_required: bool,
        processing_id: String,
        mfa_steps: Vec<&'static str>,
    },
}

impl LoginAnswer {
    pub(crate) fn of(logged_in: LoggedIn) -> Self {
        match logged_in {
            LoggedIn::Done(tokens) => Self::session(&tokens),
            LoggedIn::Steps { process, left } => Self::Steps {
                mfa_required: true,
                processing_id: process.0.to_string(),
                mfa_steps: steps(&left),
            },
        }
    }

    pub(crate) fn session(tokens: &Tokens) -> Self {
        Self::Session {
            mfa_required: false,
            access_token: tokens.access.expose().to_owned(),
            refresh_token: tokens.refresh.expose().to_owned(),
            token_type: "Bearer",
            expires_in: tokens.seconds,
        }
    }
}

pub(crate) fn steps(factors: &[Factor]) -> Vec<&'static str> {
    factors
        .iter()
        .map(|factor| value::factor_name(*factor))
        .collect()
}

/// §5.8
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Steps {
    pub(crate) mfa_steps: Vec<&'static str>,
}

/// §5.8
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountDetails {
    user_id: String,
    email: Option<String>,
    phone_number: Option<String>,
    mfa_steps: Vec<&'static str>,
    anti_phishing_code_set: bool,
    restricted_until: Option<String>,
}

impl AccountDetails {
    pub(crate) fn of(details: Details) -> Self {
        Self {
            user_id: details.id.0.to_string(),
            mfa_steps: steps(&details.second_steps),
            email: details.email,
            phone_number: details.phone,
            anti_phishing_code_set: details.phrase_set,
            restricted_until: details.restricted_until.map(domain::Timestamp::rfc3339),
        }
    }
}

/// §5.8. Shown once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Authenticator {
    /// In base 32.
    pub(crate) secret: String,
    pub(crate) otpauth_url: String,
    /// A picture of the address, as SVG.
    pub(crate) qr_code: String,
}

/// §5.8. Shown once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecoveryCodes {
    pub(crate) recovery_codes: Vec<String>,
}

/// §6
#[derive(Serialize, ToSchema)]
pub(crate) struct Jwks {
    pub(crate) keys: Vec<Jwk>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Jwk {
    pub(crate) kty: &'static str,
    pub(crate) crv: &'static str,
    pub(crate) alg: &'static str,
    #[serde(rename = "use")]
    pub(crate) usage: &'static str,
    pub(crate) kid: String,
    pub(crate) x: String,
    pub(crate) y: String,
}

/// §6, in the form of OpenID Connect Discovery.
#[derive(Serialize, ToSchema)]
pub(crate) struct Discovery {
    pub(crate) issuer: String,
    pub(crate) jwks_uri: String,
    pub(crate) response_types_supported: [&'static str; 1],
    pub(crate) subject_types_supported: [&'static str; 1],
    pub(crate) id_token_signing_alg_values_supported: [&'static str; 1],
    pub(crate) claims_supported: [&'static str; 9],
}
