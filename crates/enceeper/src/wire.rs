//! Answers as they are on the wire.

use domain::vault::{
    Document, EntryView, Notify, Plan, Reading, RequestView, SlotAnswer, SlotView, Vault, Welcome,
};
use serde::Serialize;
use utoipa::ToSchema;

/// 4.2: success with a result; `errorMessage` is null.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Envelope<T> {
    pub(crate) outcome: Outcome,
    pub(crate) result: T,
    pub(crate) enceeper: Notices,
    pub(crate) error_message: Option<String>,
}

/// 4.2: success without a result, or a refusal: `result` is null, and `errorMessage` says why the call was refused.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bare {
    pub(crate) outcome: Outcome,
    pub(crate) result: Option<bool>,
    pub(crate) enceeper: Notices,
    pub(crate) error_message: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) enum Outcome {
    #[serde(rename = "OK")]
    Ok,
    #[serde(rename = "NOK")]
    Nok,
}

/// News for the clients.
#[derive(Serialize, ToSchema)]
pub(crate) struct Notices {
    pub(crate) app: App,
    pub(crate) api: Api,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct App {
    /// Version of the newest app.
    #[schema(example = "1.0.1")]
    pub(crate) version: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Api {
    pub(crate) deprecated: Option<String>,
}

/// 5.3, 5.4: a challenge.
#[derive(Serialize, ToSchema)]
pub(crate) struct Challenged {
    pub(crate) srp6a: Challenge,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Challenge {
    /// 2048 hex digits.
    #[serde(rename = "B")]
    pub(crate) public: String,
    pub(crate) salt: String,
    /// Single use.
    #[serde(rename = "ref")]
    pub(crate) reference: String,
}

/// 5.4: the members of the account's `auth` without `srp6a`, and these.
#[derive(Serialize, ToSchema)]
pub(crate) struct LoggedIn {
    #[serde(flatten)]
    #[schema(ignore)]
    members: Document,
    srp6a: ServerProof,
    enceeper: Session,
}

impl From<Welcome> for LoggedIn {
    fn from(welcome: Welcome) -> Self {
        Self {
            members: welcome.document.without(&[crate::NAMES.credential]),
            srp6a: ServerProof { m2: welcome.proof },
            enceeper: Session {
                auth_token: welcome.token,
                plan: welcome.plan.into(),
            },
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ServerProof {
    /// 128 hex digits.
    #[serde(rename = "M2")]
    m2: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    auth_token: String,
    plan: WirePlan,
}

/// 6: no member is ever null.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "the wire's members")]
pub(crate) struct WirePlan {
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

impl From<Plan> for WirePlan {
    fn from(plan: Plan) -> Self {
        Self {
            name: plan.name,
            reqs_per_hour: plan.calls_per_hour,
            total_keys: plan.entries,
            slots_per_key: plan.slots_per_entry as u64,
            key_size_bytes: plan.entry_bytes as u64,
            key_sharing: plan.sharing,
            slot_notify_on_use: plan.notify_on_use,
            slot_approve_use: plan.approve_use,
            deprecated: plan.deprecated,
        }
    }
}

/// 5.6
#[derive(Serialize, ToSchema)]
pub(crate) struct WebToken {
    pub(crate) token: String,
}

/// 5.8
#[derive(Serialize, ToSchema)]
pub(crate) struct Keys {
    keys: Vec<Key>,
    shares: Vec<Share>,
}

impl From<Vault> for Keys {
    fn from(vault: Vault) -> Self {
        Self {
            keys: vault.entries.into_iter().map(Key::from).collect(),
            shares: vault.requests.into_iter().map(Share::from).collect(),
        }
    }
}

/// 5.9 to 5.13, 5.19
#[derive(Serialize, ToSchema)]
pub(crate) struct OneKey {
    key: Key,
}

impl From<EntryView> for OneKey {
    fn from(view: EntryView) -> Self {
        Self { key: view.into() }
    }
}

/// 5.18
#[derive(Serialize, ToSchema)]
pub(crate) struct OneShare {
    share: Share,
}

impl From<RequestView> for OneShare {
    fn from(view: RequestView) -> Self {
        Self { share: view.into() }
    }
}

/// 6
#[derive(Serialize, ToSchema)]
pub(crate) struct Key {
    #[serde(rename = "key_id")]
    id: u64,
    meta: String,
    value: String,
    /// 0 enabled, 1 disabled.
    status: u8,
    /// Whether somebody else shares it with the caller.
    shared: bool,
    /// The owner of a key that is shared with the caller.
    with: Option<String>,
    slots: Vec<Slot>,
    created_on: i64,
    updated_on: i64,
}

impl From<EntryView> for Key {
    fn from(view: EntryView) -> Self {
        Self {
            id: view.number,
            meta: view.meta,
            value: view.value,
            status: status(view.enabled),
            shared: view.from.is_some(),
            with: view.from,
            slots: view.slots.into_iter().map(Slot::from).collect(),
            created_on: view.created.seconds(),
            updated_on: view.updated.seconds(),
        }
    }
}

/// 6
#[derive(Serialize, ToSchema)]
pub(crate) struct Slot {
    /// -1: the owner's own.
    #[serde(rename = "slot_id")]
    id: i64,
    value: String,
    /// 0 never, 1 tell the owner, 2 ask the owner.
    notify: u8,
    status: u8,
    identifier: Option<String>,
    shared: bool,
    with: Option<String>,
    created_on: i64,
    updated_on: i64,
}

impl From<SlotView> for Slot {
    fn from(view: SlotView) -> Self {
        Self {
            id: view
                .number
                .map_or(-1, |number| i64::try_from(number).unwrap_or(i64::MAX)),
            value: view.value,
            notify: match view.notify {
                Notify::Never => 0,
                Notify::OnUse => 1,
                Notify::Approve => 2,
            },
            status: status(view.enabled),
            identifier: view.identifier,
            shared: view.with.is_some(),
            with: view.with,
            created_on: view.created.seconds(),
            updated_on: view.updated.seconds(),
        }
    }
}

/// 6
#[derive(Serialize, ToSchema)]
pub(crate) struct Share {
    #[serde(rename = "share_id")]
    id: u64,
    key_id: u64,
    /// Null for the sender: so clients tell outgoing from incoming.
    from: Option<String>,
    to: String,
    #[serde(rename = "pub")]
    public: Option<String>,
    slot: String,
    /// `new` until the receiver's list has shown it once, then `old`.
    status: &'static str,
    created_on: i64,
}

impl From<RequestView> for Share {
    fn from(view: RequestView) -> Self {
        let (from, public) = view
            .from
            .map(|sender| (sender.name, sender.public_key))
            .unzip();
        Self {
            id: view.number,
            key_id: view.entry,
            from,
            to: view.to,
            public,
            slot: view.slot,
            status: if view.seen { "old" } else { "new" },
            created_on: view.created.seconds(),
        }
    }
}

/// 5.15
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FoundUser {
    pub(crate) share_pub_key: String,
}

/// 5.16: all five members, always.
#[derive(Serialize, ToSchema)]
pub(crate) struct SlotRead {
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// Seconds in which the owner may answer.
    ttl: Option<u64>,
    slot: Option<String>,
    meta: Option<String>,
    value: Option<String>,
}

impl From<SlotAnswer> for SlotRead {
    fn from(opened: SlotAnswer) -> Self {
        match opened {
            SlotAnswer::Now(Reading { slot, meta, value }) => Self {
                reference: None,
                ttl: None,
                slot: Some(slot),
                meta: Some(meta),
                value: Some(value),
            },
            SlotAnswer::Asked { reference, seconds } => Self {
                reference: Some(reference),
                ttl: Some(seconds),
                slot: None,
                meta: None,
                value: None,
            },
        }
    }
}

/// 5.17
#[derive(Serialize, ToSchema)]
pub(crate) struct SlotContent {
    slot: String,
    meta: String,
    value: String,
}

impl From<Reading> for SlotContent {
    fn from(reading: Reading) -> Self {
        let Reading { slot, meta, value } = reading;
        Self { slot, meta, value }
    }
}

fn status(enabled: bool) -> u8 {
    u8::from(!enabled)
}
