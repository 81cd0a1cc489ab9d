//! Writes the texts of messages from templates: files in one folder for each language.
//!
//! 1. The catalogue chooses the template: for the message's language, or else English; for its operation, or else
//!    the general notice.
//! 2. The template produces subject and text. Its values are cleaned first: no control characters, times and spans
//!    in the language's words, and no sequence of six digits except the code.
//! 3. An e-mail also gets the account's anti-phishing code at its end, and an HTML part made from the text.

mod catalog;
mod html;
mod locale;
mod values;

use std::path::PathBuf;

use domain::message::{Channel, Message, MessageKind};
use domain::port::Composer;
use domain::port::courier::Words;

use catalog::{Catalog, Fault};
use values::Values;

/// Settings of the composer.
#[derive(Debug, Clone)]
pub struct ComposerOptions {
    /// The name of the service in messages.
    pub product: String,
    /// A folder whose files replace the built-in ones of the same name.
    pub overrides: Option<PathBuf>,
}

impl Default for ComposerOptions {
    fn default() -> Self {
        Self {
            product: "Keyward".to_owned(),
            overrides: None,
        }
    }
}

/// A [`Composer`] that uses templates.
#[derive(Debug)]
pub struct TemplateComposer {
    catalog: Catalog,
    product: String,
}

const CODE: &str = "042137";
const LINK: &str = "https://keyward.example/stop/sample";
const PHISHING: &str = "blue-fox-7";

impl TemplateComposer {
    /// Reads the built-in templates and the operator's, and renders each of the operator's with sample values.
    pub fn new(options: &ComposerOptions) -> Result<Self, String> {
        let product = values::clean(&options.product);
        let plain = Self {
            catalog: Catalog::embedded()?,
            product: product.clone(),
        };
        let Some(folder) = &options.overrides else {
            return Ok(plain);
        };
        let (catalog, changed) = Catalog::overridden(folder)?;
        let composer = Self { catalog, product };
        for file in changed {
            composer
                .check(&plain, &file)
                .map_err(|why| format!("{}: {why}", file.path.display()))?;
        }
        Ok(composer)
    }

    /// Renders `operation` with sample values, for an operator who changes a template.
    pub fn preview(
        &self,
        operation: &str,
        language: &str,
        channel: Channel,
    ) -> Result<Words, String> {
        if !self
            .operations()
            .iter()
            .any(|known| *known == operation.to_lowercase())
        {
            return Err(format!(
                "there is no template {operation:?}; known: {}",
                self.operations().join(", ")
            ));
        }
        let sample = sample(operation, language, channel);
        let mut values = Values::of(&sample, self.catalog.language(language), &self.product);
        values.sample_facts();
        self.render(&sample, &values)
            .map_err(|fault| fault.to_string())
    }

    /// Every operation that has its own template.
    pub fn operations(&self) -> Vec<&str> {
        self.catalog.operations()
    }

    /// Every language that has templates.
    pub fn languages(&self) -> Vec<&str> {
        self.catalog.languages()
    }

    fn render(&self, message: &Message, values: &Values) -> Result<Words, Fault> {
        if message.channel == Channel::Operator {
            // A program gets facts, not a text.
            return Ok(Words::default());
        }
        let language = values.language();
        let operation = message.operation.to_lowercase();
        let context = values.context();
        let email = self.catalog.template(language, &operation, "txt");
        let subject = values::clean(&email.subject(&context)?);
        match message.channel {
            Channel::Sms => {
                let template = self.catalog.template(language, &operation, "sms.txt");
                Ok(Words {
                    subject,
                    text: tidy(&template.text(&context)?),
                    html: String::new(),
                })
            }
            Channel::Email | Channel::Operator => {
                let mut text = tidy(&email.text(&context)?);
                if values.has_anti_phishing_code() {
                    let part = self.catalog.part(language, "_anti_phishing.txt");
                    text.push_str("\n\n");
                    text.push_str(&tidy(&part.text(&context)?));
                }
                let button = tidy(
                    &self
                        .catalog
                        .part(language, "_open_link.txt")
                        .text(&context)?,
                );
                let blocks = html::blocks(&text, values.code(), values.link(), &button);
                let html = self.catalog.layout(language, &subject, blocks)?;
                Ok(Words {
                    subject,
                    text,
                    html,
                })
            }
        }
    }

    /// Checks that an operator's file renders and contains at least the values that the built-in one contains.
    fn check(&self, plain: &Self, file: &catalog::Changed) -> Result<(), String> {
        let languages = match &file.language {
            Some(language) => vec![language.as_str()],
            None => self.languages(),
        };
        for language in languages {
            for operation in file.operations(self) {
                for channel in [Channel::Email, Channel::Sms] {
                    let words = self.preview(operation, language, channel)?;
                    let before = plain.preview(operation, language, channel)?;
                    compare(&words.text, &before.text)?;
                    compare(&words.html, &before.html)?;
                }
            }
        }
        Ok(())
    }
}

impl Composer for TemplateComposer {
    fn compose(&self, message: &Message) -> Words {
        let language = self.catalog.language(&message.language);
        let values = Values::of(message, language, &self.product);
        self.render(message, &values).unwrap_or_else(|fault| {
            tracing::error!(operation = %message.operation, %fault, "a message template failed");
            values.plain_words()
        })
    }
}

fn sample(operation: &str, language: &str, channel: Channel) -> Message {
    Message {
        surface: "sample".to_owned(),
        channel,
        to: "somebody@example.com".to_owned(),
        kind: MessageKind::Code,
        operation: operation.to_owned(),
        language: language.to_owned(),
        code: Some(CODE.to_owned()),
        link: Some(LINK.to_owned()),
        anti_phishing_code: Some(PHISHING.to_owned()),
        facts: std::collections::BTreeMap::new(),
    }
}

/// The code, the link and the anti-phishing code must be in the new text if they were in the old one. The code
/// must occur exactly once, and no other sequence of six digits may occur.
fn compare(new: &str, old: &str) -> Result<(), String> {
    for (what, value) in [
        ("code", CODE),
        ("link", LINK),
        ("anti_phishing_code", PHISHING),
    ] {
        if old.contains(value) && !new.contains(value) {
            return Err(format!("it must contain {{{{ {what} }}}}"));
        }
    }
    let runs = values::six_digit_runs(new);
    if runs > usize::from(old.contains(CODE)) {
        return Err(
            "it must contain {{ code }} at most once, and no other six digits in a row".to_owned(),
        );
    }
    Ok(())
}

/// Removes spaces at the ends of lines and repeated empty lines, so that templates may be formatted for
/// readability.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.lines().map(str::trim_end) {
        empty = if line.is_empty() { empty + 1 } else { 0 };
        if empty < 2 {
            out.push_str(line);
            out.push('\n');
        }
    }
    out.trim().to_owned()
}
