//! Requests as they are on the wire. A member that is not known is ignored; null counts as absent.

use domain::person::process::ProcessId;
use domain::person::{Factor, Way, WayKind};
use domain::proof::password::Password;
use domain::secret::SecretText;
use serde::{Deserialize, Deserializer};
use utoipa::{IntoParams, ToSchema};

use crate::call::OneMember;
use crate::value;

/// The process that a path names.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct ProcessPath {
    /// Id of the process
    #[serde(deserialize_with = "process")]
    #[param(value_type = String)]
    pub(crate) processing_id: ProcessId,
}

/// §5.1
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserKey {
    /// An email address, or a phone number with its plus.
    #[serde(deserialize_with = "way")]
    #[schema(value_type = String)]
    pub(crate) user_key: Way,
    /// Accepted and ignored.
    #[serde(rename = "referralCode")]
    #[schema(nullable)]
    _referral_code: Option<String>,
}

/// §5.1
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VerifyRegistration {
    #[serde(deserialize_with = "process")]
    #[schema(value_type = String)]
    pub(crate) processing_id: ProcessId,
    #[serde(deserialize_with = "token")]
    #[schema(value_type = String, pattern = "^[0-9]{6}$")]
    pub(crate) one_time_token: SecretText,
    /// Makes the user key a second step of the login.
    pub(crate) is_mfa_enabled: Option<bool>,
    /// The same as older clients spell it.
    #[serde(rename = "isMFAEnabled")]
    pub(crate) older_is_mfa_enabled: Option<bool>,
}

/// §5.1
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetPassword {
    #[serde(deserialize_with = "process")]
    #[schema(value_type = String)]
    pub(crate) processing_id: ProcessId,
    #[serde(deserialize_with = "password")]
    #[schema(value_type = String)]
    pub(crate) password: Password,
}

/// §5.2
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Login {
    #[serde(deserialize_with = "way")]
    #[schema(value_type = String)]
    pub(crate) user_key: Way,
    #[serde(deserialize_with = "password")]
    #[schema(value_type = String)]
    pub(crate) password: Password,
}

/// §3 T2, T3
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SendTo {
    pub(crate) destination: KeyType,
    #[serde(deserialize_with = "process")]
    #[schema(value_type = String)]
    pub(crate) processing_id: ProcessId,
}

/// §5.2: one code with its destination, or several by name.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VerifyLogin {
    #[serde(deserialize_with = "process")]
    #[schema(value_type = String)]
    pub(crate) processing_id: ProcessId,
    #[serde(default, deserialize_with = "optional_secret")]
    #[schema(value_type = Option<String>)]
    pub(crate) one_time_token: Option<SecretText>,
    pub(crate) destination: Option<Step>,
    #[serde(default, deserialize_with = "optional_token")]
    #[schema(value_type = Option<String>)]
    pub(crate) email_token: Option<SecretText>,
    #[serde(default, deserialize_with = "optional_token")]
    #[schema(value_type = Option<String>)]
    pub(crate) phone_token: Option<SecretText>,
    #[serde(default, deserialize_with = "optional_app_code")]
    #[schema(value_type = Option<String>)]
    pub(crate) google_token: Option<SecretText>,
}

/// §5.2
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refresh {
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String)]
    pub(crate) refresh_token: SecretText,
}

/// §5.3
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StartRecovery {
    /// An email address, or a phone number with its plus.
    #[serde(deserialize_with = "way")]
    #[schema(value_type = String)]
    pub(crate) user_key: Way,
}

/// §5.3
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verify {
    #[serde(deserialize_with = "process")]
    #[schema(value_type = String)]
    pub(crate) processing_id: ProcessId,
    #[serde(deserialize_with = "token")]
    #[schema(value_type = String, pattern = "^[0-9]{6}$")]
    pub(crate) one_time_token: SecretText,
}

/// §5.3
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewPassword {
    #[serde(deserialize_with = "process")]
    #[schema(value_type = String)]
    pub(crate) processing_id: ProcessId,
    #[serde(deserialize_with = "password")]
    #[schema(value_type = String)]
    pub(crate) new_password: Password,
}

/// §5.4
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChangePassword {
    #[serde(deserialize_with = "password")]
    #[schema(value_type = String)]
    pub(crate) old_password: Password,
    #[serde(deserialize_with = "password")]
    #[schema(value_type = String)]
    pub(crate) new_password: Password,
    #[serde(deserialize_with = "token")]
    #[schema(value_type = String, pattern = "^[0-9]{6}$")]
    pub(crate) one_time_token: SecretText,
}

/// §5.5
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecoverKey {
    #[serde(deserialize_with = "way")]
    #[schema(value_type = String)]
    pub(crate) user_key: Way,
    #[serde(deserialize_with = "password")]
    #[schema(value_type = String)]
    pub(crate) password: Password,
    /// The lost one.
    pub(crate) key_type: KeyType,
}

/// §3 T4
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SendRecovery {
    #[serde(deserialize_with = "process")]
    #[schema(value_type = String)]
    pub(crate) processing_id: ProcessId,
    pub(crate) destination: Option<KeyType>,
}

/// §5.5
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VerifyRecovery {
    #[serde(deserialize_with = "process")]
    #[schema(value_type = String)]
    pub(crate) processing_id: ProcessId,
    #[serde(deserialize_with = "token")]
    #[schema(value_type = String, pattern = "^[0-9]{6}$")]
    pub(crate) one_time_token: SecretText,
    /// Needed when the account has an authenticator.
    #[serde(default, deserialize_with = "optional_app_code")]
    #[schema(value_type = Option<String>)]
    pub(crate) google_token: Option<SecretText>,
}

/// §3 T5
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SendNewKey {
    /// The new address.
    #[serde(deserialize_with = "way")]
    #[schema(value_type = String)]
    pub(crate) destination: Way,
    #[serde(deserialize_with = "process")]
    #[schema(value_type = String)]
    pub(crate) processing_id: ProcessId,
}

/// §3 T7, T8 in version 8
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddKey {
    pub(crate) key_type: KeyType,
    #[serde(deserialize_with = "way")]
    #[schema(value_type = String)]
    pub(crate) new_user_key: Way,
}

/// §5.6
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddEmail {
    #[serde(deserialize_with = "email")]
    #[schema(value_type = String)]
    pub(crate) new_email: Way,
    #[serde(deserialize_with = "token")]
    #[schema(value_type = String, pattern = "^[0-9]{6}$")]
    pub(crate) one_time_token: SecretText,
}

/// §5.6
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddPhone {
    #[serde(deserialize_with = "phone")]
    #[schema(value_type = String)]
    pub(crate) new_phone_number: Way,
    #[serde(deserialize_with = "token")]
    #[schema(value_type = String, pattern = "^[0-9]{6}$")]
    pub(crate) one_time_token: SecretText,
}

/// §3 T10
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SendChangedKey {
    #[serde(deserialize_with = "way")]
    #[schema(value_type = String)]
    pub(crate) new_user_key: Way,
    #[serde(default, deserialize_with = "optional_token")]
    #[schema(value_type = Option<String>)]
    pub(crate) one_time_token: Option<SecretText>,
}

/// §5.6
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChangeKey {
    #[serde(default, deserialize_with = "optional_way")]
    #[schema(value_type = Option<String>)]
    pub(crate) new_user_key: Option<Way>,
    #[serde(deserialize_with = "token")]
    #[schema(value_type = String, pattern = "^[0-9]{6}$")]
    pub(crate) one_time_token: SecretText,
}

/// §5.6
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RemoveKey {
    pub(crate) key_type: KeyType,
    #[serde(deserialize_with = "token")]
    #[schema(value_type = String, pattern = "^[0-9]{6}$")]
    pub(crate) one_time_token: SecretText,
}

/// §5.7
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetPhrase {
    /// 4 to 32 letters, digits, `_` and `-`.
    #[serde(deserialize_with = "phrase")]
    pub(crate) anti_phishing_code: String,
    #[serde(deserialize_with = "token")]
    #[schema(value_type = String, pattern = "^[0-9]{6}$")]
    pub(crate) one_time_token: SecretText,
}

/// §5.8
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Destination {
    pub(crate) destination: KeyType,
}

/// §5.8
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DisableStep {
    pub(crate) destination: Step,
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String)]
    pub(crate) one_time_token: SecretText,
}

/// §5.8
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Code {
    #[serde(deserialize_with = "token")]
    #[schema(value_type = String)]
    pub(crate) one_time_token: SecretText,
}

/// §3 T7
#[derive(PartialEq, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct NewEmail {
    /// Here or in the body
    #[serde(deserialize_with = "email")]
    #[param(value_type = Option<String>)]
    pub(crate) new_email: Way,
}

impl OneMember for NewEmail {
    const NAME: &'static str = "newEmail";
}

/// §3 T8
#[derive(PartialEq, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct NewPhone {
    /// Here or in the body, with its plus
    #[serde(deserialize_with = "phone")]
    #[param(value_type = Option<String>)]
    pub(crate) new_phone_number: Way,
}

impl OneMember for NewPhone {
    const NAME: &'static str = "newPhoneNumber";
}

/// §3 T9, T11
#[derive(PartialEq, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct KeyOfType {
    /// Here or in the body
    #[param(value_type = Option<String>)]
    pub(crate) key_type: KeyType,
}

impl OneMember for KeyOfType {
    const NAME: &'static str = "keyType";
}

/// The kind of an address, also in the spelling of versions 4 to 6.
#[derive(Clone, Copy, PartialEq, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum KeyType {
    Email,
    PhoneNumber,
}

impl TryFrom<String> for KeyType {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match value::kind(&text) {
            Some(WayKind::Email) => Ok(Self::Email),
            Some(WayKind::Phone) => Ok(Self::PhoneNumber),
            None => Err("no kind of an address"),
        }
    }
}

impl From<KeyType> for WayKind {
    fn from(kind: KeyType) -> Self {
        match kind {
            KeyType::Email => Self::Email,
            KeyType::PhoneNumber => Self::Phone,
        }
    }
}

/// The kind of an address, or the authenticator.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Step {
    Email,
    PhoneNumber,
    GoogleAuthenticator,
}

impl TryFrom<String> for Step {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match value::factor(&text) {
            Some(Factor::Email) => Ok(Self::Email),
            Some(Factor::Phone) => Ok(Self::PhoneNumber),
            Some(Factor::Authenticator) => Ok(Self::GoogleAuthenticator),
            None => Err("no second step"),
        }
    }
}

impl From<Step> for Factor {
    fn from(step: Step) -> Self {
        match step {
            Step::Email => Self::Email,
            Step::PhoneNumber => Self::Phone,
            Step::GoogleAuthenticator => Self::Authenticator,
        }
    }
}

fn process<'de, D: Deserializer<'de>>(text: D) -> Result<ProcessId, D::Error> {
    web::json::text(text, |text| value::process(&text))
}

fn way<'de, D: Deserializer<'de>>(text: D) -> Result<Way, D::Error> {
    web::json::text(text, |text| value::way(&text))
}

fn email<'de, D: Deserializer<'de>>(text: D) -> Result<Way, D::Error> {
    web::json::text(text, |text| value::email(&text))
}

fn phone<'de, D: Deserializer<'de>>(text: D) -> Result<Way, D::Error> {
    web::json::text(text, |text| value::phone(&text))
}

fn phrase<'de, D: Deserializer<'de>>(text: D) -> Result<String, D::Error> {
    web::json::text(text, |text| value::phrase(&text))
}

fn token<'de, D: Deserializer<'de>>(text: D) -> Result<SecretText, D::Error> {
    web::json::text(text, |text| value::token(&text))
}

fn secret<'de, D: Deserializer<'de>>(text: D) -> Result<SecretText, D::Error> {
    web::json::text(text, |text| Some(SecretText::new(text)))
}

fn password<'de, D: Deserializer<'de>>(text: D) -> Result<Password, D::Error> {
    web::json::text(text, |text| Some(Password::new(&text)))
}

fn optional_way<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Way>, D::Error> {
    optional(text, |text| value::way(&text))
}

fn optional_token<'de, D: Deserializer<'de>>(text: D) -> Result<Option<SecretText>, D::Error> {
    optional(text, |text| value::token(&text))
}

fn optional_app_code<'de, D: Deserializer<'de>>(text: D) -> Result<Option<SecretText>, D::Error> {
    optional(text, |text| value::app_code(&text))
}

fn optional_secret<'de, D: Deserializer<'de>>(text: D) -> Result<Option<SecretText>, D::Error> {
    optional(text, |text| Some(SecretText::new(text)))
}

/// A text, null, or nothing at all.
fn optional<'de, D: Deserializer<'de>, T>(
    text: D,
    read: impl FnOnce(String) -> Option<T>,
) -> Result<Option<T>, D::Error> {
    let Some(text) = Option::<String>::deserialize(text)? else {
        return Ok(None);
    };
    let rule = || serde::de::Error::custom("a text against its rule");
    read(text).map(Some).ok_or_else(rule)
}
