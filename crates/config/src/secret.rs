//! A secret in the configuration: never printed, and better given as a file.

use std::path::Path;

use domain::secret::SecretText;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A secret text from the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret(SecretText);

impl Secret {
    /// The only value that is not secret: the default database.
    pub(crate) fn sqlite() -> Self {
        Self(SecretText::new(SQLITE.to_owned()))
    }
}

const SQLITE: &str = "sqlite";

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(SecretText::new(text)))
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if *self == Self::sqlite() {
            SQLITE
        } else {
            "…"
        })
    }
}

/// The secret, from the key or from the file that the `_file` key names. Setting both is an error.
pub(crate) fn resolve(
    name: &str,
    value: Option<&Secret>,
    file: Option<&Path>,
) -> Result<Option<SecretText>, String> {
    match (value, file) {
        (Some(_), Some(_)) => Err(format!(
            "configuration: set {name} or {name}_file, not both"
        )),
        (Some(secret), None) => Ok(Some(secret.0.clone())),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                format!("configuration: {name}_file {}: {error}", path.display())
            })?;
            Ok(Some(SecretText::new(
                text.trim_end_matches(['\n', '\r']).to_owned(),
            )))
        }
        (None, None) => Ok(None),
    }
}
