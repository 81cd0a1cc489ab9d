//! A composer without templates.

use domain::message::Message;
use domain::port::Composer;
use domain::port::courier::Words;

/// Writes every value of a message on its own line.
#[derive(Debug, Default)]
pub struct PlainComposer;

impl Composer for PlainComposer {
    fn compose(&self, message: &Message) -> Words {
        let mut lines = vec![format!("{} ({})", message.operation, message.language)];
        let optional = [
            ("code", &message.code),
            ("link", &message.link),
            ("anti-phishing code", &message.anti_phishing_code),
        ];
        for (name, value) in optional {
            lines.extend(value.as_ref().map(|value| format!("{name}: {value}")));
        }
        lines.extend(
            message
                .facts
                .iter()
                .map(|(name, value)| format!("{name}: {value}")),
        );
        let text = lines.join("\n");
        Words {
            subject: message.operation.clone(),
            html: format!("<pre>{text}</pre>"),
            text,
        }
    }
}
