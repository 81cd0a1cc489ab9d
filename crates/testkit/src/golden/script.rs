//! Parses the text of a golden.

/// One golden.
pub(super) struct Script {
    pub(super) steps: Vec<Line>,
}

/// One step, with the line it starts on.
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) step: Step,
}

pub(super) enum Step {
    /// `! word rest`
    Do {
        word: String,
        rest: String,
    },
    Exchange(Exchange),
}

/// A request and the answer it must get.
pub(super) struct Exchange {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) request: Message,
    pub(super) status: u16,
    pub(super) answer: Message,
    /// The lines of the file that contain the answer: from, to (exclusive), counted from 0.
    pub(super) answer_lines: (usize, usize),
}

/// Headers and body as written, before variables are replaced.
#[derive(Default)]
pub(super) struct Message {
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<String>,
    in_body: bool,
}

impl Message {
    fn push(&mut self, line: &str) {
        if self.in_body {
            self.body.push(line.to_owned());
        } else if line.is_empty() {
            self.in_body = true;
        } else if let Some((name, value)) = header(line) {
            self.headers.push((name.to_owned(), value.to_owned()));
        } else {
            self.in_body = true;
            self.body.push(line.to_owned());
        }
    }
}

fn header(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let sound = !name.is_empty() && name.chars().all(letters);
    let value = value.strip_prefix(' ').or(value.is_empty().then_some(""))?;
    sound.then_some((name, value))
}

impl Script {
    pub(super) fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut steps = Vec::new();
        let mut lines = text.lines().enumerate().peekable();
        while let Some((at, line)) = lines.next() {
            let number = at + 1;
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(rest) = line.strip_prefix('!') {
                let (word, rest) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
                let step = Step::Do {
                    word: word.to_owned(),
                    rest: rest.trim_start().to_owned(),
                };
                steps.push(Line { number, step });
                continue;
            }
            let Some(first) = line.strip_prefix('>') else {
                return Err((number, format!("neither `#`, `!`, `>` nor `<`: {line}")));
            };
            let (method, target) = request_line(first)
                .ok_or_else(|| (number, format!("no `> METHOD /path`: {line}")))?;
            let mut request = Message::default();
            while let Some((_, line)) = lines.next_if(|(_, line)| line.starts_with('>')) {
                request.push(cut(line));
            }
            let Some((from, line)) = lines.next_if(|(_, line)| line.starts_with('<')) else {
                return Err((number, "a request without its answer".to_owned()));
            };
            let status = line[1..].trim().parse();
            let status = status.map_err(|_| (from + 1, format!("no `< STATUS`: {line}")))?;
            let mut answer = Message::default();
            let mut to = from + 1;
            while let Some((at, line)) = lines.next_if(|(_, line)| line.starts_with('<')) {
                answer.push(cut(line));
                to = at + 1;
            }
            let exchange = Exchange {
                method: method.to_owned(),
                target: target.to_owned(),
                request,
                status,
                answer,
                answer_lines: (from, to),
            };
            let step = Step::Exchange(exchange);
            steps.push(Line { number, step });
        }
        Ok(Self { steps })
    }
}

fn request_line(text: &str) -> Option<(&str, &str)> {
    let (method, target) = text.strip_prefix(' ')?.split_once(' ')?;
    let sound = !method.is_empty() && method.chars().all(|c| c.is_ascii_uppercase());
    sound.then_some((method, target))
}

/// The text after the mark and one space.
fn cut(line: &str) -> &str {
    line[1..].strip_prefix(' ').unwrap_or(&line[1..])
}
