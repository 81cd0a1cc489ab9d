use std::path::PathBuf;
use std::time::Duration;

use domain::proof::federated::{Algorithm, OWN_ISSUER, Rules, Scopes, TrustedIssuer};
use outside::{KeySetOptions, KeySource};
use serde::{Deserialize, Serialize};

/// One identity provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Jwt {
    pub(crate) issuer: String,
    pub(crate) audiences: Vec<String>,
    pub(crate) algorithms: Vec<String>,
    pub(crate) jwks_url: Option<String>,
    leeway_seconds: u32,
    enforce_scopes: bool,
    step_up_max_age_seconds: u64,
    ca_file: Option<PathBuf>,
}

impl Default for Jwt {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audiences: Vec::new(),
            algorithms: vec!["RS256".to_owned()],
            jwks_url: None,
            leeway_seconds: 30,
            enforce_scopes: true,
            step_up_max_age_seconds: 0,
            ca_file: None,
        }
    }
}

impl Jwt {
    pub(super) fn issuer(&self) -> Result<TrustedIssuer, String> {
        let wrong = |why: &str| format!("configuration: [[duo.jwt]] {}: {why}", self.issuer);
        let algorithms: Option<Vec<Algorithm>> = self
            .algorithms
            .iter()
            .map(|name| Algorithm::named(name))
            .collect();
        let algorithms = algorithms.filter(|list| !list.is_empty()).ok_or_else(|| {
            wrong(&format!(
                "algorithms must be some of {}",
                Algorithm::NAMES.join(", ")
            ))
        })?;
        if self.issuer.is_empty() {
            return Err(wrong("issuer is missing"));
        }
        if self.issuer == OWN_ISSUER {
            return Err(wrong(
                "this issuer name is reserved for the server's own accounts",
            ));
        }
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            return Err(wrong(
                "audiences must contain at least one text, and no empty one",
            ));
        }
        if self.leeway_seconds > 120 {
            return Err(wrong("leeway_seconds must be at most 120"));
        }
        let age = self.step_up_max_age_seconds;
        Ok(TrustedIssuer {
            rules: Rules {
                issuer: self.issuer.clone(),
                audiences: self.audiences.clone(),
                algorithms,
                leeway: self.leeway_seconds,
            },
            scopes: if self.enforce_scopes {
                Scopes::Enforced
            } else {
                Scopes::Ignored
            },
            fresh: (age > 0).then(|| Duration::from_secs(age)),
        })
    }

    pub(super) fn keys(&self) -> KeySetOptions {
        KeySetOptions {
            issuer: self.issuer.clone(),
            source: match &self.jwks_url {
                Some(url) => KeySource::At(url.clone()),
                None => KeySource::Discovery,
            },
            ca_file: self.ca_file.clone(),
        }
    }
}

/// The provider that the three documented environment variables define, if they are set.
pub(crate) fn auth0(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Jwt>, String> {
    let Some(domain) = variable("AUTH0_DOMAIN").filter(|domain| !domain.is_empty()) else {
        return Ok(None);
    };
    let audience =
        variable("AUTH0_AUDIENCE").ok_or("AUTH0_DOMAIN is set, but AUTH0_AUDIENCE is not")?;
    let algorithms = variable("AUTH0_ALGORITHMS").unwrap_or_else(|| "RS256".to_owned());
    Ok(Some(Jwt {
        issuer: format!("https://{domain}/"),
        audiences: vec![audience],
        algorithms: algorithms
            .split(',')
            .map(|name| name.trim().to_owned())
            .collect(),
        jwks_url: Some(format!("https://{domain}/.well-known/jwks.json")),
        ..Jwt::default()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duo::Duo;

    const AUTH0: [(&str, &str); 3] = [
        ("AUTH0_DOMAIN", "example.eu.auth0.com"),
        ("AUTH0_AUDIENCE", "duo-auth-api"),
        ("AUTH0_ALGORITHMS", "RS256, RS512"),
    ];

    fn auth0(variables: &[(&str, &str)]) -> Result<Option<Jwt>, String> {
        let value = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        super::auth0(value)
    }

    #[test]
    fn the_three_documented_variables_name_a_provider() {
        let provider = auth0(&AUTH0).unwrap().expect("a provider");
        assert_eq!(provider.issuer, "https://example.eu.auth0.com/");
        assert_eq!(provider.audiences, ["duo-auth-api"]);
        assert_eq!(provider.algorithms, ["RS256", "RS512"]);
        assert_eq!(
            provider.jwks_url.as_deref(),
            Some("https://example.eu.auth0.com/.well-known/jwks.json")
        );
        let config = Duo {
            jwt: vec![provider],
            ..Duo::default()
        };
        config.validate().unwrap();
        let policy = config.policy().unwrap();
        let [issuer] = policy.issuers.as_slice() else {
            panic!("one provider");
        };
        let algorithms = ["RS256", "RS512"]
            .map(|name| domain::proof::federated::Algorithm::named(name).unwrap());
        assert_eq!(issuer.rules.algorithms, algorithms);
        assert_eq!(issuer.scopes, domain::proof::federated::Scopes::Enforced);
    }

    #[test]
    fn of_the_documented_variables_some_may_be_absent_and_none_may_be_wrong() {
        assert!(auth0(&[]).unwrap().is_none());
        assert!(auth0(&[("AUTH0_DOMAIN", ""), AUTH0[1]]).unwrap().is_none());
        let provider = auth0(&AUTH0[..2]).unwrap().expect("a provider");
        assert_eq!(provider.algorithms, ["RS256"]);
        assert!(auth0(&AUTH0[..1]).is_err_and(|why| why.contains("AUTH0_AUDIENCE")));
        for (audience, algorithms) in [
            ("", "RS256"),
            ("a", "HS256"),
            ("a", "none"),
            ("a", ""),
            ("a", "RS256,"),
        ] {
            let variables = [
                AUTH0[0],
                ("AUTH0_AUDIENCE", audience),
                ("AUTH0_ALGORITHMS", algorithms),
            ];
            let config = Duo {
                jwt: auth0(&variables).unwrap().into_iter().collect(),
                ..Duo::default()
            };
            assert!(config.validate().is_err(), "{audience} {algorithms}");
        }
    }
}
