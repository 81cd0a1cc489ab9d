//! Texts that are sent or shown.

use serde_json::Value;

/// An error with all its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

/// Percent-encodes one path segment or query value.
pub fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// Formats an answer for people: `name: value` lines, nested ones indented.
pub(crate) fn readable(value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match value {
                Value::Object(_) | Value::Array(_) => {
                    format!("{indent}{name}:\n{}", readable(value, depth + 1))
                }
                _ => format!("{indent}{name}: {}\n", readable(value, 0)),
            })
            .collect(),
        Value::Array(items) if items.is_empty() => format!("{indent}(none)\n"),
        Value::Array(items) => items
            .iter()
            .map(|item| format!("{}\n", readable(item, depth)))
            .collect(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
