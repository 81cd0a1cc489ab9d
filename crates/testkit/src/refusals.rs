//! Every error of the domain, for the table of a front's answers.

use axum::response::Response;
use domain::wallet::step_up::PasskeyRefusal;
use domain::wallet::step_up::StepUpRefusal;
use domain::{Condition, Error, Refusal, Timestamp};
use http_body_util::BodyExt;

use crate::clock::moment;

/// One value of each error: every refusal, and the three failures.
///
/// A new refusal does not compile until it is added here, so that no table lacks it.
pub fn every_error() -> Vec<Error> {
    let refusals = std::iter::successors(Some(Refusal::UnknownSubject), next);
    let failures = [
        Error::Busy { seconds: 3 },
        Error::unavailable("the database is away"),
        Error::bug("an invariant does not hold"),
    ];
    refusals.map(Error::Refused).chain(failures).collect()
}

/// The time at which the answers of [`table`] are made.
pub fn now() -> Timestamp {
    moment("2020-11-16T13:56:45.848Z")
}

/// The end of closed times in [`every_error`]: half a second more than an hour after [`table`]'s time.
fn until() -> Timestamp {
    moment("2020-11-16T14:56:46.348Z")
}

fn next(refusal: &Refusal) -> Option<Refusal> {
    let until = until();
    Some(match refusal {
        Refusal::UnknownSubject => Refusal::BadProof { left: Some(3) },
        Refusal::BadProof { left: Some(_) } => Refusal::BadProof { left: None },
        Refusal::BadProof { left: None } => Refusal::Exhausted { until },
        Refusal::Exhausted { .. } => Refusal::Limited { until },
        Refusal::Limited { .. } => Refusal::TimeLocked { until },
        Refusal::TimeLocked { .. } => Refusal::Expired,
        Refusal::Expired => Refusal::Replayed,
        Refusal::Replayed => Refusal::Blocked,
        Refusal::Blocked => Refusal::Conflict,
        Refusal::Conflict => Refusal::WrongState,
        Refusal::WrongState => Refusal::Forbidden { need: "something" },
        Refusal::Forbidden { .. } => Refusal::TooLarge { limit: 20 },
        Refusal::TooLarge { .. } => Refusal::Invalid {
            field: "name",
            why: "too short",
        },
        Refusal::Invalid { .. } => Refusal::StepUp(StepUpRefusal::Missing),
        Refusal::StepUp(refusal) => match next_step_up(refusal) {
            Some(next) => Refusal::StepUp(next),
            None => Refusal::Unmet(Condition::Feature),
        },
        Refusal::Unmet(condition) => Refusal::Unmet(next_condition(*condition)?),
    })
}

fn next_step_up(refusal: &StepUpRefusal) -> Option<StepUpRefusal> {
    let for_client = None;
    Some(match refusal {
        StepUpRefusal::Missing => StepUpRefusal::Failed { for_client },
        StepUpRefusal::Failed { .. } => StepUpRefusal::NotEnrolled,
        StepUpRefusal::NotEnrolled => StepUpRefusal::Enrolled,
        StepUpRefusal::Enrolled => StepUpRefusal::Enrolling,
        StepUpRefusal::Enrolling => StepUpRefusal::Unreachable,
        StepUpRefusal::Unreachable => StepUpRefusal::Untrustworthy,
        StepUpRefusal::Untrustworthy => StepUpRefusal::NoVerifier,
        StepUpRefusal::NoVerifier => StepUpRefusal::Passkey(PasskeyRefusal::Missing),
        StepUpRefusal::Passkey(refusal) => StepUpRefusal::Passkey(next_passkey(*refusal)?),
    })
}

fn next_passkey(refusal: PasskeyRefusal) -> Option<PasskeyRefusal> {
    Some(match refusal {
        PasskeyRefusal::Missing => PasskeyRefusal::Failed,
        PasskeyRefusal::Failed => PasskeyRefusal::Enrolled,
        PasskeyRefusal::Enrolled => PasskeyRefusal::NotEnrolled,
        PasskeyRefusal::NotEnrolled => return None,
    })
}

fn next_condition(condition: Condition) -> Option<Condition> {
    Some(match condition {
        Condition::Feature => Condition::AddressKind,
        Condition::AddressKind => Condition::FreshLogin,
        Condition::FreshLogin => Condition::CooledDown { until: until() },
        Condition::CooledDown { .. } => Condition::HasAddress,
        Condition::HasAddress => Condition::NoAddress,
        Condition::NoAddress => Condition::AnotherAddress,
        Condition::AnotherAddress => Condition::SpareAddress,
        Condition::SpareAddress => Condition::OtherWay,
        Condition::OtherWay => Condition::FactorOn,
        Condition::FactorOn => Condition::FactorOff,
        Condition::FactorOff => Condition::HasEmail,
        Condition::HasEmail => Condition::PhraseSet,
        Condition::PhraseSet => Condition::PhraseUnset,
        Condition::PhraseUnset => return None,
    })
}

/// A front's answer to every error, one in each line: `error → status headers body`. For a golden.
pub async fn table(answer: impl Fn(&Error) -> Response) -> String {
    let mut lines = Vec::new();
    for error in every_error() {
        let (parts, body) = answer(&error).into_parts();
        let body = body.collect().await.expect("an answer's body is complete");
        let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        let headers = ["content-type", "retry-after", "www-authenticate"];
        let headers = headers.iter().filter_map(|name| {
            let value = parts.headers.get(*name)?.to_str().ok()?;
            Some(format!("{name}: {value}"))
        });
        let mut line = vec![name(&error), parts.status.as_u16().to_string()];
        line.extend(headers);
        line.push(body);
        lines.push(line.join(" | "));
    }
    lines.join("\n") + "\n"
}

fn name(error: &Error) -> String {
    match error {
        Error::Refused(refusal) => format!("{refusal:?}"),
        Error::Busy { .. } => "Busy".to_owned(),
        Error::Unavailable(_) => "Unavailable".to_owned(),
        Error::Bug(_) => "Bug".to_owned(),
    }
}
