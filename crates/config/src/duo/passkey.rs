use domain::wallet::step_up::passkey::{Party, PasskeyPolicy};

use crate::section::section;

section! {
    /// Step-up by passkey, for operators without a face verifier. This extends the original API.
    Passkey {
        /// The domain of the passkeys, for example `wallet.example.com`. Setting it turns passkeys on.
        rp_id: Option<String> = None,
        /// The name of this service in authenticators.
        rp_name: String = "Wallet".to_owned(),
        /// Origins of the clients: `https://…` of the domain or a subdomain, `android:apk-key-hash:…` of an app. Empty:
        /// `https://` and the domain.
        origins: Vec<String> = Vec::new(),
    }
}

impl Passkey {
    /// The policy for passkeys, if they are configured.
    pub(super) fn policy(&self) -> Result<Option<PasskeyPolicy>, String> {
        let wrong = |why: &str| Err(format!("configuration: [duo.passkey] {why}"));
        let Some(id) = self.rp_id.clone() else {
            return if self.origins.is_empty() {
                Ok(None)
            } else {
                wrong("origins need rp_id")
            };
        };
        let plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
        let edges = id.starts_with(['.', '-']) || id.ends_with(['.', '-']);
        if id.is_empty() || edges || !id.bytes().all(plain) {
            return wrong("rp_id must be a domain in lower case, without scheme and port");
        }
        let origins = if self.origins.is_empty() {
            vec![format!("https://{id}")]
        } else {
            self.origins.clone()
        };
        if let Some(origin) = origins.iter().find(|origin| !is_origin(origin, &id)) {
            return wrong(&format!(
                "origins must be https:// with rp_id or a subdomain of it, or android:apk-key-hash:…: {origin}"
            ));
        }
        if self.rp_name.is_empty() {
            return wrong("rp_name must not be empty, because people see it");
        }
        Ok(Some(PasskeyPolicy {
            party: Party { id, origins },
            name: self.rp_name.clone(),
        }))
    }
}

/// Whether `origin` is an allowed client origin, as browsers and Android write origins. Plain HTTP is allowed for `localhost` only.
fn is_origin(origin: &str, id: &str) -> bool {
    if let Some(hash) = origin.strip_prefix("android:apk-key-hash:") {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        return hash.len() == 43 && hash.bytes().all(plain);
    }
    let rest = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://").filter(|_| id == "localhost"));
    let Some(rest) = rest else { return false };
    let (host, port) = rest
        .split_once(':')
        .map_or((rest, None), |(host, port)| (host, Some(port)));
    let below = host
        .strip_suffix(id)
        .is_some_and(|above| above.is_empty() || above.ends_with('.'));
    let plain = host
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte));
    below && plain && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

#[cfg(test)]
mod tests {
    use crate::tests::parse;

    #[test]
    fn passkeys_belong_to_a_domain_and_to_who_has_no_faces() {
        let passkeys = |lines: &str| parse(&format!("[duo.passkey]\n{lines}"));
        let policy = |lines: &str| passkeys(lines).unwrap().duo.policy().unwrap().passkeys;
        assert!(policy("").is_none());
        let found = policy("rp_id = \"example.com\"").expect("passkeys");
        assert_eq!(found.party.origins, ["https://example.com"]);
        let hash = "A".repeat(43);
        for good in [
            "https://example.com",
            "https://app.example.com:8443",
            &format!("android:apk-key-hash:{hash}"),
        ] {
            let lines = format!("rp_id = \"example.com\"\norigins = [\"{good}\"]");
            assert!(passkeys(&lines).is_ok(), "{good}");
        }
        for bad in [
            "http://example.com",
            "https://evilexample.com",
            "https://example.com.evil.test",
            "https://example.com/",
            "https://example.com:",
            "https://a@example.com",
            "https://EXAMPLE.com",
            "android:apk-key-hash:short",
            "",
        ] {
            let lines = format!("rp_id = \"example.com\"\norigins = [\"{bad}\"]");
            assert!(passkeys(&lines).is_err(), "{bad}");
        }
        for bad in [
            "https://example.com",
            "Example.com",
            "",
            ".com",
            "example.com:443",
        ] {
            assert!(passkeys(&format!("rp_id = \"{bad}\"")).is_err(), "{bad}");
        }
        assert!(passkeys("rp_id = \"localhost\"\norigins = [\"http://localhost:8080\"]").is_ok());
        assert!(passkeys("origins = [\"https://example.com\"]").is_err());
        let both = "[duo.passkey]\nrp_id = \"example.com\"\n[duo.face]\nkind = \"facetec_v9\"\nurl = \"https://f.example.com\"";
        assert!(parse(both).is_err_and(|why| why.contains("duo.passkey")));
    }
}
