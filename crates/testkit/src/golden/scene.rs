//! The state of a golden while it runs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bytes::Bytes;
use domain::Services;
use domain::port::courier::Delivery;

use super::Golden;
use super::diff::{diff, lines};
use super::script::{Exchange, Message, Script, Step};
use crate::client::{Answer, Client, request};
use crate::clock::span;
use crate::kit::{Kit, KitBuilder};

/// What to do with an answer that differs from the golden.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    Compare,
    Write,
}

/// The server of one golden, its variables, and the last answer.
pub struct Scene {
    pub kit: Kit,
    client: Client,
    address: IpAddr,
    variables: BTreeMap<String, Vec<u8>>,
    last: Option<Answer>,
    /// For each address, the number of messages that a `mail` step has read.
    told: BTreeMap<String, usize>,
}

pub(super) async fn play(
    golden: &Golden,
    name: &str,
    text: &str,
    script: &Script,
    mode: Answers,
) -> Result<String, String> {
    let at = |number: usize, why: String| format!("{name}:{number}: {why}\n");
    let mut steps = script.steps.iter().peekable();
    let mut builder = Kit::builder();
    while let Some(line) = steps.next_if(|line| is_policy(&line.step)) {
        builder = apply_policy(golden, builder, &line.step).map_err(|why| at(line.number, why))?;
    }
    let mut scene = Scene::new(golden, builder).await;
    let mut edits = Vec::new();
    for line in steps {
        match &line.step {
            Step::Do { word, rest } => scene.step(golden, word, rest).await,
            Step::Exchange(exchange) => match scene.exchange(golden, exchange).await {
                Err(Outcome::Different(actual)) if mode == Answers::Write => {
                    edits.push((exchange.answer_lines, actual));
                    Ok(())
                }
                Err(Outcome::Different(actual)) => Err(scene.explain(exchange, &actual)),
                Err(Outcome::Broken(why)) => Err(why),
                Ok(()) => Ok(()),
            },
        }
        .map_err(|why| at(line.number, why))?;
    }
    Ok(edited(text, edits))
}

fn is_policy(step: &Step) -> bool {
    matches!(step, Step::Do { word, .. } if word == "policy")
}

fn apply_policy(golden: &Golden, builder: KitBuilder, step: &Step) -> Result<KitBuilder, String> {
    let Step::Do { rest, .. } = step else {
        return Ok(builder);
    };
    let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
    let mut known = false;
    let builder = builder.policy(|policy| known = (golden.policy)(policy, name, value.trim()));
    if known {
        Ok(builder)
    } else {
        Err(format!("this front has no policy `{rest}`"))
    }
}

/// Replaces the answers in the golden by the current ones.
fn edited(text: &str, edits: Vec<((usize, usize), Vec<String>)>) -> String {
    if edits.is_empty() {
        return text.to_owned();
    }
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for ((from, to), actual) in edits.into_iter().rev() {
        let actual = actual.into_iter();
        lines.splice(
            from..to,
            actual.map(|line| format!("< {line}").trim_end().to_owned()),
        );
    }
    lines.join("\n") + "\n"
}

/// Why an exchange failed.
enum Outcome {
    /// The answer as lines of a golden.
    Different(Vec<String>),
    Broken(String),
}

impl From<String> for Outcome {
    fn from(why: String) -> Self {
        Self::Broken(why)
    }
}

impl Scene {
    async fn new(golden: &Golden, builder: KitBuilder) -> Self {
        let kit = builder.build().await;
        Self {
            client: kit.client(|services| (golden.routes)(services)),
            kit,
            address: IpAddr::from([127, 0, 0, 1]),
            variables: BTreeMap::new(),
            last: None,
            told: BTreeMap::new(),
        }
    }

    pub fn services(&self) -> &Services {
        &self.kit.services
    }

    /// Sets a variable.
    pub fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.variables.insert(name.to_owned(), value.into());
    }

    /// Reads a variable that contains text.
    pub fn get(&self, name: &str) -> Result<String, String> {
        self.text(&format!("${name}"))
    }

    /// Replaces all variables by their values.
    pub fn text(&self, text: &str) -> Result<String, String> {
        String::from_utf8(self.bytes(text)?).map_err(|_| format!("{text} is not text"))
    }

    async fn step(&mut self, golden: &Golden, word: &str, rest: &str) -> Result<(), String> {
        let rest = &self.text(rest)?;
        match word {
            "policy" => Err("policies come before everything else".to_owned()),
            "clock" => self.move_clock(rest),
            "let" => {
                let (name, value) = rest.split_once(" = ").ok_or("let NAME = TEXT")?;
                self.set(name.trim(), value);
                Ok(())
            }
            "repeat" => {
                let (name, rest) = rest.split_once(' ').ok_or("repeat NAME COUNT TEXT")?;
                let (count, text) = rest.split_once(' ').ok_or("repeat NAME COUNT TEXT")?;
                let count = count.parse().map_err(|_| "COUNT is a number")?;
                self.set(name, text.repeat(count));
                Ok(())
            }
            "hex" => {
                let (name, digits) = rest.split_once(' ').ok_or("hex NAME DIGITS")?;
                let bytes = hex::decode(digits.replace(' ', "")).map_err(|why| why.to_string())?;
                self.set(name, bytes);
                Ok(())
            }
            "from" => {
                self.address = rest.parse().map_err(|_| format!("no address: {rest}"))?;
                Ok(())
            }
            "jobs" => self
                .services()
                .upkeep
                .run_jobs()
                .await
                .map_err(|why| why.to_string()),
            "letters" => self.letters(rest),
            "mail" => self.mail(rest),
            _ => match golden.steps.iter().find(|(name, _)| *name == word) {
                Some((_, step)) => step(self, rest).await,
                None => Err(format!("no step is called `{word}`")),
            },
        }
    }

    fn move_clock(&self, rest: &str) -> Result<(), String> {
        if let Some(forward) = rest.strip_prefix('+') {
            let by = span(forward).ok_or_else(|| format!("no span: {forward}"))?;
            self.kit.clock.advance(by);
        } else {
            let to = domain::Timestamp::parse(rest).ok_or_else(|| format!("no moment: {rest}"))?;
            self.kit.clock.set(to);
        }
        Ok(())
    }

    fn letters(&self, rest: &str) -> Result<(), String> {
        let courier = &self.kit.courier;
        match rest {
            "accepted" => courier.answer(Delivery::Accepted),
            "later" => courier.answer(Delivery::Later("told to".to_owned())),
            "refused" => courier.answer(Delivery::Refused("told to".to_owned())),
            "at once" => courier.deliver_at_once(),
            "by jobs" => courier.deliver_by_jobs(),
            _ => return Err(format!("letters cannot be `{rest}`")),
        }
        Ok(())
    }

    /// `ADDRESS OPERATION…`
    fn mail(&mut self, rest: &str) -> Result<(), String> {
        let mut words = rest.split_whitespace();
        let address = words.next().ok_or("mail ADDRESS OPERATION…")?;
        let expected: Vec<&str> = words.collect();
        let sent = self.kit.courier.operations_to(address);
        let seen = self
            .told
            .insert(address.to_owned(), sent.len())
            .unwrap_or(0);
        let new = &sent[seen.min(sent.len())..];
        if new == expected {
            Ok(())
        } else {
            Err(format!("{address} was sent {new:?}"))
        }
    }

    async fn exchange(&mut self, golden: &Golden, exchange: &Exchange) -> Result<(), Outcome> {
        let target = self.text(&exchange.target)?;
        let mut headers = Vec::new();
        for (name, value) in &exchange.request.headers {
            headers.push((name.as_str(), self.bytes(value)?));
        }
        let headers = headers
            .iter()
            .map(|(name, value)| (*name, value.as_slice()));
        let body = Bytes::from(self.body(&exchange.request)?);
        let request = request(&exchange.method, &target, headers, body)?;
        let answer = self.client.from(self.address).run(request).await;
        (golden.rule)(&exchange.method, &target, &answer)
            .map_err(|why| format!("{} {target}: {why}\n{answer:?}", exchange.method))?;
        let same = self.is_as_written(exchange, &answer);
        let actual = self.shown(exchange, &answer);
        self.last = Some(answer);
        if same {
            Ok(())
        } else {
            Err(Outcome::Different(actual))
        }
    }

    /// A variable without a value counts as a difference, so that the actual answer is shown.
    fn is_as_written(&self, exchange: &Exchange, answer: &Answer) -> bool {
        let header = |(name, value): &(String, String)| {
            self.text(value)
                .is_ok_and(|value| value == header_of(answer, name))
        };
        answer.status == exchange.status
            && exchange.answer.headers.iter().all(header)
            && self
                .body(&exchange.answer)
                .is_ok_and(|body| body == answer.body)
    }

    /// The answer as the lines of a golden: its status, the headers that the golden names, its body.
    fn shown(&self, exchange: &Exchange, answer: &Answer) -> Vec<String> {
        let mut out = vec![answer.status.as_u16().to_string()];
        for (name, written) in &exchange.answer.headers {
            let value = header_of(answer, name);
            let kept = self.text(written).is_ok_and(|written| written == value);
            let value = if kept {
                written.clone()
            } else {
                self.named(&value)
            };
            out.push(format!("{name}: {value}"));
        }
        if self
            .body(&exchange.answer)
            .is_ok_and(|body| body == answer.body)
        {
            out.extend(exchange.answer.body.clone());
        } else {
            out.extend(lines(&answer.body).iter().map(|line| self.named(line)));
        }
        out
    }

    /// Replaces the values of long variables by their names, for output.
    fn named(&self, text: &str) -> String {
        let mut text = text.replace('$', "$$");
        for (name, value) in &self.variables {
            match str::from_utf8(value) {
                Ok(value) if value.len() >= 8 => text = text.replace(value, &format!("${name}")),
                _ => {}
            }
        }
        text
    }

    fn explain(&self, exchange: &Exchange, actual: &[String]) -> String {
        let target = self.text(&exchange.target).unwrap_or_default();
        let mut expected = vec![exchange.status.to_string()];
        let headers = exchange.answer.headers.iter();
        expected.extend(headers.map(|(name, value)| format!("{name}: {value}")));
        expected.extend(exchange.answer.body.clone());
        let title = format!("{} {target}", exchange.method);
        format!("{title}\n{}", diff(&expected, actual))
    }

    fn body(&self, message: &Message) -> Result<Vec<u8>, String> {
        self.bytes(&message.body.join("\n"))
    }

    fn bytes(&self, text: &str) -> Result<Vec<u8>, String> {
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            out.extend_from_slice(before.as_bytes());
            if let Some(literal) = after.strip_prefix('$') {
                out.push(b'$');
                rest = literal;
                continue;
            }
            let (name, length) = name(after);
            out.append(
                &mut self
                    .value(name)
                    .ok_or_else(|| format!("no value for ${name}"))?,
            );
            rest = &after[length..];
        }
        out.extend_from_slice(rest.as_bytes());
        Ok(out)
    }

    fn value(&self, name: &str) -> Option<Vec<u8>> {
        if let Some(value) = self.variables.get(name) {
            return Some(value.clone());
        }
        if let Some((address, part)) = name
            .strip_prefix("mail[")
            .and_then(|rest| rest.split_once("]."))
        {
            return self.letter(Some(address), part).map(String::into_bytes);
        }
        let (root, part) = name.split_once('.')?;
        let text = match root {
            "body" => {
                let body = serde_json::from_slice(&self.last.as_ref()?.body).ok()?;
                let found = part.split('.').try_fold(&body, step_into)?;
                let text = found.as_str().map(str::to_owned);
                text.unwrap_or_else(|| found.to_string())
            }
            "header" => self.last.as_ref()?.header(part)?.to_owned(),
            "mail" => self.letter(None, part)?,
            _ => return None,
        };
        Some(text.into_bytes())
    }

    fn letter(&self, address: Option<&str>, part: &str) -> Option<String> {
        let courier = &self.kit.courier;
        let link = || address.map_or_else(|| courier.link(), |address| courier.link_to(address));
        match part {
            "code" => address.map_or_else(|| courier.code(), |address| courier.code_to(address)),
            "link" => link(),
            "token" => link()?.rsplit('/').next().map(str::to_owned),
            _ => None,
        }
    }
}

fn step_into<'v>(value: &'v serde_json::Value, part: &str) -> Option<&'v serde_json::Value> {
    match part.parse::<usize>() {
        Ok(at) if value.is_array() => value.get(at),
        _ => value.get(part),
    }
}

/// All values of a header, or `(absent)`.
fn header_of(answer: &Answer, name: &str) -> String {
    let values = answer.headers.get_all(name).iter();
    let values: Vec<_> = values
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect();
    if values.is_empty() {
        "(absent)".to_owned()
    } else {
        values.join(", ")
    }
}

/// The variable name at the start of `text`, and its length. Only `body`, `header` and `mail` have parts.
fn name(text: &str) -> (&str, usize) {
    let word = |text: &str| {
        let inside = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        text.find(|c: char| !inside(c)).unwrap_or(text.len())
    };
    let mut end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(text.len());
    if !["body", "header", "mail"].contains(&&text[..end]) {
        return (&text[..end], end);
    }
    if text[end..].starts_with('[') {
        end = text[end..]
            .find(']')
            .map_or(text.len(), |close| end + close + 1);
    }
    while text[end..].starts_with('.') {
        let length = word(&text[end + 1..]);
        if length == 0 {
            break;
        }
        end += 1 + length;
    }
    (&text[..end], end)
}
