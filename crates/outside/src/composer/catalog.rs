//! The template files: the built-in ones, each of which an operator's file can replace.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::fs;
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};

use super::TemplateComposer;

include!(concat!(env!("OUT_DIR"), "/templates.rs"));

const ENGLISH: &str = "en";
const GENERAL: &str = "notice";
const LAYOUT: &str = "layout.html";

/// An error in a template. It says where, and never quotes a value.
#[derive(Debug)]
pub(super) struct Fault(String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An operator's file.
pub(super) struct Changed {
    pub(super) path: PathBuf,
    /// `None` for the layout, which all languages share.
    pub(super) language: Option<String>,
    /// `None` for a part that all operations share.
    operation: Option<String>,
}

impl Changed {
    /// The operations whose text depends on this file.
    pub(super) fn operations<'a>(&'a self, composer: &'a TemplateComposer) -> Vec<&'a str> {
        match &self.operation {
            Some(operation) => vec![operation],
            None => composer.operations(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Catalog {
    environment: Environment<'static>,
    names: BTreeSet<String>,
}

/// One template file that was found.
pub(super) struct Template<'a> {
    environment: &'a Environment<'static>,
    name: String,
}

impl Catalog {
    pub(super) fn embedded() -> Result<Self, String> {
        let files = EMBEDDED
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Self::new(files.collect())
    }

    /// Reads the built-in files and those of `folder`, which replace them. Also returns the files of `folder`.
    pub(super) fn overridden(folder: &Path) -> Result<(Self, Vec<Changed>), String> {
        let mut files: BTreeMap<String, String> = EMBEDDED
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        let known: BTreeSet<String> = files
            .keys()
            .filter_map(|name| Some(name.split_once('/')?.1.to_owned()))
            .collect();
        let mut changed = Vec::new();
        for (name, path) in list(folder)? {
            let (language, file) = match name.split_once('/') {
                Some((language, file)) => (Some(language.to_owned()), file.to_owned()),
                None => (None, name.clone()),
            };
            let fits = if language.is_some() {
                known.contains(&file)
            } else {
                name == LAYOUT
            };
            if !fits {
                return Err(format!(
                    "{}: no message has a template with that name",
                    path.display()
                ));
            }
            let text = fs::read_to_string(&path)
                .map_err(|error| format!("{}: cannot be read: {error}", path.display()))?;
            let operation = match file.split_once('.') {
                Some((operation, _)) if language.is_some() && !file.starts_with('_') => {
                    Some(operation.to_owned())
                }
                _ => None,
            };
            // An error names the file by the key under which it is registered.
            Self::new(BTreeMap::from([(name.clone(), text.clone())]))
                .map_err(|why| format!("{}: {why}", folder.display()))?;
            files.insert(name, text);
            changed.push(Changed {
                path,
                language,
                operation,
            });
        }
        Ok((Self::new(files)?, changed))
    }

    fn new(files: BTreeMap<String, String>) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let spacing = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        environment.set_syntax(spacing.expect("the standard delimiters go together"));
        environment.set_auto_escape_callback(|name| {
            if name == LAYOUT {
                AutoEscape::Html
            } else {
                AutoEscape::None
            }
        });
        let mut names = BTreeSet::new();
        for (name, text) in files {
            let (subject, body) = split(&name, &text)?;
            let mut add = |key: String, source: String| {
                environment
                    .add_template_owned(key, source)
                    .map_err(|error| explain(&error).0)
            };
            if let Some(subject) = subject {
                add(subject_of(&name), subject)?;
            }
            add(name.clone(), body)?;
            names.insert(name);
        }
        Ok(Self { environment, names })
    }

    /// The language to use for `wanted`: the same, the same without its region, or English.
    pub(super) fn language(&self, wanted: &str) -> &str {
        let wanted = wanted.to_lowercase().replace('_', "-");
        let primary = wanted.split('-').next().unwrap_or_default();
        let languages = self.languages();
        let find = |tag: &str| {
            languages
                .iter()
                .find(|language| language.to_lowercase() == tag)
        };
        find(&wanted)
            .or_else(|| find(primary))
            .copied()
            .unwrap_or(ENGLISH)
    }

    pub(super) fn languages(&self) -> Vec<&str> {
        let mut languages: Vec<&str> = self
            .names
            .iter()
            .filter_map(|name| Some(name.split_once('/')?.0))
            .collect();
        languages.dedup();
        languages
    }

    pub(super) fn operations(&self) -> Vec<&str> {
        self.names
            .iter()
            .filter_map(|name| name.strip_prefix("en/")?.strip_suffix(".txt"))
            .filter(|operation| !operation.starts_with('_') && !operation.contains('.'))
            .collect()
    }

    /// Finds the template of an operation, or the general notice of that language.
    pub(super) fn template(&self, language: &str, operation: &str, kind: &str) -> Template<'_> {
        for (language, operation) in [
            (language, operation),
            (ENGLISH, operation),
            (language, GENERAL),
        ] {
            let name = format!("{language}/{operation}.{kind}");
            if self.names.contains(&name) && !operation.starts_with('_') && !operation.contains('.')
            {
                return self.named(name);
            }
        }
        self.named(format!("{ENGLISH}/{GENERAL}.{kind}"))
    }

    /// A part that all e-mails of a language share.
    pub(super) fn part(&self, language: &str, file: &str) -> Template<'_> {
        let name = format!("{language}/{file}");
        if self.names.contains(&name) {
            return self.named(name);
        }
        self.named(format!("{ENGLISH}/{file}"))
    }

    /// The whole HTML part.
    pub(super) fn layout(
        &self,
        language: &str,
        subject: &str,
        blocks: Vec<Value>,
    ) -> Result<String, Fault> {
        let context = context! { language, subject, blocks };
        self.named(LAYOUT.to_owned()).text(&context)
    }

    fn named(&self, name: String) -> Template<'_> {
        Template {
            environment: &self.environment,
            name,
        }
    }
}

impl Template<'_> {
    pub(super) fn subject(&self, context: &Value) -> Result<String, Fault> {
        self.render(&subject_of(&self.name), context)
    }

    pub(super) fn text(&self, context: &Value) -> Result<String, Fault> {
        self.render(&self.name, context)
    }

    fn render(&self, name: &str, context: &Value) -> Result<String, Fault> {
        self.environment
            .get_template(name)
            .and_then(|template| template.render(context))
            .map_err(|error| explain(&error))
    }
}

fn subject_of(name: &str) -> String {
    format!("{name}#subject")
}

/// Splits an e-mail's file into subject and body. The body keeps its line numbers, for error messages.
fn split(name: &str, text: &str) -> Result<(Option<String>, String), String> {
    let text = text.replace("\r\n", "\n");
    let file = name.rsplit('/').next().unwrap_or(name);
    if name == LAYOUT || file.starts_with('_') || file.ends_with(".sms.txt") {
        return Ok((None, text));
    }
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let subject = first
        .strip_prefix("Subject: ")
        .map(str::trim)
        .filter(|subject| !subject.is_empty());
    let subject = subject.ok_or_else(|| format!("{name} line 1: must be \"Subject: …\""))?;
    let body = rest
        .strip_prefix('\n')
        .ok_or_else(|| format!("{name} line 2: must be empty, between the subject and the text"))?;
    if body.trim().is_empty() {
        return Err(format!("{name} line 3: there is no text"));
    }
    Ok((Some(subject.to_owned()), format!("\n\n{body}")))
}

/// Describes an error and its place, without the library's excerpts of the text.
fn explain(error: &minijinja::Error) -> Fault {
    let name = error
        .name()
        .unwrap_or("a template")
        .trim_end_matches("#subject");
    let mut text = name.to_owned();
    if let Some(line) = error.line() {
        let _ = write!(text, " line {line}");
    }
    Fault(match error.detail() {
        Some(detail) => format!("{text}: {}: {detail}", error.kind()),
        None => format!("{text}: {}", error.kind()),
    })
}

/// The files `language/file` and `layout.html` with their paths, sorted by name.
fn list(folder: &Path) -> Result<BTreeMap<String, PathBuf>, String> {
    let mut found = BTreeMap::new();
    for (name, path) in entries(folder)? {
        if path.is_dir() {
            for (file, path) in entries(&path)? {
                found.insert(format!("{name}/{file}"), path);
            }
        } else {
            found.insert(name, path);
        }
    }
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, String> {
    let failed = |error: std::io::Error| format!("{}: cannot be read: {error}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        // Skips hidden entries, which editors and mounted volumes create.
        if !name.starts_with('.') {
            found.push((name, path));
        }
    }
    Ok(found)
}
