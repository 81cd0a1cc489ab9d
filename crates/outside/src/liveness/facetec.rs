//! A `FaceTec` Server 9.x (duo-auth sheet §9). Its `success` alone is never enough: this module judges every check
//! and the match level.

use domain::port::liveness::{Check, Judged, Judgement, Question};
use domain::wallet::step_up::Evidence;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, RequestBuilder, Url};
use serde_json::{Map, Value, json};

use super::options::{FacetecOptions, Transport};
use super::{CONNECT, read, send};
use crate::http;

const CHECKS: [&str; 4] = [
    "replayCheckSucceeded",
    "sessionTokenCheckSucceeded",
    "auditTrailVerificationCheckSucceeded",
    "faceScanLivenessCheckSucceeded",
];

pub(super) struct Facetec {
    client: Client,
    base: Url,
    headers: HeaderMap,
    min_match_level: u8,
    forward_client_ip: bool,
    delete: Option<String>,
}

impl Facetec {
    pub(super) fn new(options: FacetecOptions, transport: &Transport) -> Result<Self, String> {
        if !(1..=15).contains(&options.min_match_level) {
            return Err("min_match_level must be 1 to 15".to_owned());
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &options.extra_headers {
            let name: HeaderName = name
                .parse()
                .map_err(|_| format!("{name} is not a header name"))?;
            headers.insert(name, secret_header(value)?);
        }
        if let Some(key) = &options.device_key {
            headers.insert("x-device-key", secret_header(key.expose())?);
        }
        if let Some(template) = &options.delete_url_template {
            http::url(&template.replace("{ref}", "x"), transport.plain)?;
        }
        Ok(Self {
            client: http::client(CONNECT, transport.timeout, transport.ca_file.as_deref())?,
            base: http::url(&options.url, transport.plain)?,
            headers,
            min_match_level: options.min_match_level,
            forward_client_ip: options.forward_client_ip,
            delete: options.delete_url_template,
        })
    }

    pub(super) async fn ask(&self, question: &Question, evidence: &Evidence) -> Judged {
        let (call, level) = match question.check {
            Check::Enrol => ("enrollment-3d", None),
            Check::Match => ("match-3d-3d", Some(self.min_match_level)),
        };
        let mut body = json!({
            "externalDatabaseRefID": question.reference,
            "faceScan": evidence.scan.expose(),
            "auditTrailImage": evidence.image.expose(),
            "lowQualityAuditTrailImage": evidence.small_image.expose(),
        });
        if let Some(session) = &evidence.session {
            body["sessionId"] = Value::from(session.as_str());
        }
        let mut request = self
            .request(self.client.post(self.at(call)), &evidence.agent)
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string());
        if self.forward_client_ip {
            request = request.header("x-ft-ipaddress", &evidence.client);
        }
        drop(body);
        let answer = match send(request).await {
            Ok(response) => read(response).await,
            Err(judgement) => Err(judgement),
        };
        match answer {
            Ok((status, body)) => judge(&question.reference, level, status, &body),
            Err(judgement) => judgement.into(),
        }
    }

    /// The original server has no delete call, and treats an unknown method as an enrolment. So no call is made
    /// unless the operator configures a URL for it.
    pub(super) async fn forget(&self, question: &Question) -> Result<(), String> {
        let Some(template) = &self.delete else {
            return Ok(());
        };
        let url = template.replace("{ref}", &question.reference);
        let request = self.client.delete(url).headers(self.headers.clone());
        match request.send().await.map_err(http::reason)?.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("answered {}", status.as_u16())),
        }
    }

    pub(super) async fn session_token(&self, agent: &str) -> Result<String, Judgement> {
        let request = self.request(self.client.get(self.at("session-token")), agent);
        let (status, body) = read(send(request).await?).await?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        let sound = status == 200 && answer["success"] == true && answer["error"] == false;
        let token = answer["sessionToken"].as_str().filter(|_| sound);
        token
            .map(str::to_owned)
            .ok_or_else(|| Judgement::Untrustworthy("no session token in the answer".to_owned()))
    }

    fn request(&self, request: RequestBuilder, agent: &str) -> RequestBuilder {
        request
            .headers(self.headers.clone())
            .header("x-user-agent", agent)
    }

    fn at(&self, call: &str) -> Url {
        let mut url = self.base.clone();
        let path = format!("{}/{call}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }
}

fn secret_header(text: &str) -> Result<HeaderValue, String> {
    let mut value =
        HeaderValue::from_str(text).map_err(|_| "a header value is not printable".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// §9.3, from top to bottom. `level`: the minimum match level, if a match is needed.
pub fn judge(reference: &str, level: Option<u8>, status: u16, body: &[u8]) -> Judged {
    let answer = match serde_json::from_slice(body) {
        Ok(Value::Object(answer)) if status == 200 => answer,
        _ => return untrustworthy("not 200 with a JSON object"),
    };
    let for_client = answer.get("scanResultBlob").and_then(Value::as_str);
    Judged {
        for_client: for_client.map(str::to_owned),
        judgement: decide(reference, level, &answer),
    }
}

fn decide(reference: &str, level: Option<u8>, answer: &Map<String, Value>) -> Judgement {
    let trouble = |why: &str| Judgement::Untrustworthy(why.to_owned());
    let flag = |name: &str| answer.get(name).and_then(Value::as_bool);
    if flag("error") != Some(false) {
        return trouble("the server reports an error");
    }
    let Some(success) = flag("success") else {
        return trouble("success is no truth value");
    };
    let checks = answer.get("faceScanSecurityChecks");
    let checks: Option<Vec<bool>> = CHECKS
        .iter()
        .map(|name| checks?.get(name)?.as_bool())
        .collect();
    let Some(checks) = checks else {
        return trouble("a security check is missing");
    };
    let named = answer.get("externalDatabaseRefID");
    if named.is_some_and(|named| named.as_str() != Some(reference)) {
        return trouble("the answer is about somebody else");
    }
    let reached = match level {
        None => true,
        Some(level) => match answer.get("matchLevel").and_then(Value::as_i64) {
            Some(reached) => reached >= i64::from(level),
            None => return trouble("the match level is missing"),
        },
    };
    let processed = answer.get("wasProcessed").is_none_or(|was| *was == true);
    if success && checks.iter().all(|check| *check) && processed && reached {
        Judgement::Accepted
    } else {
        Judgement::Refused("the person was not recognised as living and right".to_owned())
    }
}

fn untrustworthy(why: &str) -> Judged {
    Judgement::Untrustworthy(why.to_owned()).into()
}
