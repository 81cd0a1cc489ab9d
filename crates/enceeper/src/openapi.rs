//! The OpenAPI 3.1 description, generated from the handlers.

use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::{Modify, OpenApi, ToSchema};

use crate::wire::{
    Challenge, FoundUser, Keys, OneKey, OneShare, Outcome, SlotContent, SlotRead, WebToken,
};

#[derive(OpenApi)]
#[openapi(
    info(title = "Enceeper", version = "1.1.0",
        description = "Accounts with SRP-6a logins, encrypted keys, slots for outside readers, sharing."),
    paths(crate::account::greet, crate::account::register, crate::account::challenge, crate::account::login,
        crate::account::edit, crate::account::web_token, crate::account::delete,
        crate::key::list, crate::key::create, crate::key::edit, crate::key::delete,
        crate::slot::create, crate::slot::edit, crate::slot::delete,
        crate::share::search, crate::share::create, crate::share::accept, crate::share::end,
        crate::read::slot, crate::read::check),
    tags((name = "user", description = "Accounts and logins"), (name = "keys", description = "The caller's vault"),
        (name = "slots", description = "Copies of a key's own key, each for one reader"),
        (name = "share", description = "Sharing with other users"),
        (name = "readers", description = "Readers without an account")),
    security(("token" = [])),
    modifiers(&TokenScheme)
)]
struct Description;

struct TokenScheme;

impl Modify for TokenScheme {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let value = ApiKeyValue::with_description("X-Enceeper-Auth", "The token of a login.");
        let scheme = SecurityScheme::ApiKey(ApiKey::Header(value));
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme("token", scheme);
    }
}

/// The description as JSON.
pub fn openapi() -> serde_json::Value {
    serde_json::to_value(Description::openapi()).unwrap_or_default()
}

/// What is around every answer.
macro_rules! envelopes {
    ($($(#[$doc:meta])* $name:ident => $result:ty;)*) => {$(
        $(#[$doc])*
        #[derive(ToSchema)]
        #[expect(dead_code, reason = "describes an answer")]
        pub(crate) struct $name {
            outcome: Outcome,
            result: $result,
            enceeper: Server,
            #[schema(rename = "errorMessage")]
            error_message: Option<String>,
        }
    )*};
}

envelopes! {
    /// Success with nothing to tell: `result` is null.
    Done => Option<bool>;
    /// A refusal: `result` is null, `errorMessage` says why.
    Refused => Option<bool>;
    ChallengedEnvelope => ChallengedResult;
    LoggedInEnvelope => LoggedInResult;
    WebTokenEnvelope => WebToken;
    KeysEnvelope => Keys;
    KeyEnvelope => OneKey;
    ShareEnvelope => OneShare;
    FoundUserEnvelope => FoundUser;
    SlotReadEnvelope => SlotRead;
    SlotContentEnvelope => SlotContent;
}

/// News for the clients.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes an answer")]
pub(crate) struct Server {
    app: AppNews,
    api: ApiNews,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes an answer")]
pub(crate) struct AppNews {
    /// Version of the newest app.
    version: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes an answer")]
pub(crate) struct ApiNews {
    deprecated: Option<String>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes an answer")]
pub(crate) struct ChallengedResult {
    srp6a: Challenge,
}

/// The members of the account's `auth` without `srp6a`, and these.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes an answer")]
pub(crate) struct LoggedInResult {
    srp6a: Proof,
    enceeper: SessionResult,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes an answer")]
pub(crate) struct Proof {
    /// 128 hex digits.
    #[schema(rename = "M2")]
    m2: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes an answer")]
pub(crate) struct SessionResult {
    #[schema(rename = "authToken")]
    auth_token: String,
    plan: PlanResult,
}

#[derive(ToSchema)]
#[expect(
    dead_code,
    clippy::struct_excessive_bools,
    reason = "describes an answer"
)]
pub(crate) struct PlanResult {
    name: String,
    reqs_per_hour: u32,
    total_keys: u64,
    slots_per_key: u64,
    key_size_bytes: u64,
    key_sharing: bool,
    slot_notify_on_use: bool,
    slot_approve_use: bool,
    deprecated: bool,
}

/// 5.2
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct Register {
    #[schema(example = "bob@example.org")]
    email: String,
    auth: Auth,
}

/// At most 12,288 bytes as compact JSON. Other members are the client's own and come back at login.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct Auth {
    srp6a: Credential,
    keys: PublicKeys,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct Credential {
    #[schema(pattern = "^([0-9a-fA-F]{2}){16,128}$")]
    salt: String,
    #[schema(pattern = "^[0-9a-fA-F]{1,2048}$")]
    verifier: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct PublicKeys {
    #[schema(rename = "pub", min_length = 1)]
    public: String,
}

/// 5.3, 5.15
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct Email {
    #[schema(example = "bob@example.org")]
    email: String,
}

/// 5.4
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct Login {
    srp6a: ClientProof,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct ClientProof {
    #[schema(rename = "A", pattern = "^([0-9a-fA-F]{2}){1,1024}$")]
    public: String,
    #[schema(rename = "M1", pattern = "^[0-9a-fA-F]{128}$")]
    proof: String,
    #[schema(rename = "ref", pattern = "^[0-9a-f]{32}$")]
    reference: String,
}

/// 5.5: a whole `auth`, or, without one, members that are merged into the stored one.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct EditUser {
    auth: Option<Auth>,
    srp6a: Option<Credential>,
}

/// 5.9
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct NewKey {
    #[schema(min_length = 1, max_length = 4096)]
    slot: String,
    #[schema(min_length = 1)]
    meta: String,
    #[schema(min_length = 1)]
    value: String,
}

/// 5.10: at least one member.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct EditKey {
    #[schema(minimum = 0, maximum = 1)]
    status: Option<u8>,
    meta: Option<String>,
    value: Option<String>,
}

/// 5.12
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct NewSlot {
    #[schema(min_length = 1, max_length = 4096)]
    value: String,
    #[schema(minimum = 0, maximum = 2)]
    notify: Option<u8>,
}

/// 5.13: at least one member.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct EditSlot {
    #[schema(minimum = 0, maximum = 1)]
    status: Option<u8>,
    #[schema(minimum = 0, maximum = 2)]
    notify: Option<u8>,
    value: Option<String>,
}

/// 5.18
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct NewShare {
    #[schema(example = "bob@example.org")]
    email: String,
    #[schema(min_length = 1, max_length = 4096)]
    slot: String,
}

/// 5.19
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct AcceptShare {
    #[schema(min_length = 1, max_length = 4096)]
    slot: String,
}
