//! Just enough of Rust's lexical grammar to tell code from comments, strings and tests.

use std::ops::Range;

/// Rust source with every comment and every literal's inside blanked out. Offsets and lines stay those of the file.
pub(crate) struct Source {
    code: String,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

impl Source {
    pub(crate) fn new(text: &str) -> Self {
        let mut code = text.as_bytes().to_vec();
        for (_, range) in hidden(text.as_bytes()) {
            for byte in &mut code[range] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
        }
        Self {
            code: String::from_utf8_lossy(&code).into_owned(),
        }
    }

    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    pub(crate) fn line_of(&self, offset: usize) -> usize {
        self.code[..offset].matches('\n').count() + 1
    }

    /// The same source without the `#[cfg(test)]` modules at its end.
    pub(crate) fn without_tests(&self) -> Self {
        let mut kept = self.code.as_str();
        while let Some(start) = self.test_module_ending_at(kept.trim_end().len()) {
            kept = &self.code[..start];
        }
        Self {
            code: kept.to_owned(),
        }
    }

    fn test_module_ending_at(&self, end: usize) -> Option<usize> {
        let attributes = self.code[..end].rmatch_indices("#[cfg(test)]");
        attributes.map(|(start, _)| start).find(|&start| {
            self.item_end(start)
                .is_some_and(|item| item.end == end && item.module)
        })
    }

    /// Where the item after an attribute ends, if it is braced, and whether it is a module.
    fn item_end(&self, attribute: usize) -> Option<Item> {
        let mut rest = attribute;
        while self.code[rest..].starts_with("#[") {
            rest = close(&self.code, rest + 1)? + 1;
            rest += self.code[rest..].len() - self.code[rest..].trim_start().len();
        }
        let open = rest + self.code[rest..].find(['{', ';'])?;
        let head: Vec<&str> = self.code[rest..open].split_whitespace().collect();
        let end = if self.code[open..].starts_with('{') {
            close(&self.code, open)? + 1
        } else {
            open + 1
        };
        Some(Item {
            end,
            module: head.contains(&"mod"),
        })
    }

    /// Every attribute of the file: its line and its text, literals blanked.
    pub(crate) fn attributes(&self) -> Vec<(usize, &str)> {
        let mut found = Vec::new();
        for (start, _) in self.code.match_indices('#') {
            let open = start + 1 + usize::from(self.code[start + 1..].starts_with('!'));
            if !self.code[open..].starts_with('[') {
                continue;
            }
            if let Some(end) = close(&self.code, open) {
                found.push((self.line_of(start), &self.code[start..=end]));
            }
        }
        found
    }

    pub(crate) fn functions(&self) -> Vec<Function> {
        let mut found = Vec::new();
        for (start, _) in self.code.match_indices("fn ") {
            if self.code[..start].ends_with(is_word) {
                continue;
            }
            let name: String = self.code[start + 3..]
                .trim_start()
                .chars()
                .take_while(|c| is_word(*c))
                .collect();
            if name.is_empty() {
                continue;
            }
            if let Some(body) = self.body(start) {
                let line = self.line_of(start);
                found.push(Function {
                    name,
                    line,
                    lines: self.line_of(body.end) - line + 1,
                });
            }
        }
        found
    }

    /// The braces of the function that starts here; `None` for a declaration without a body.
    fn body(&self, start: usize) -> Option<Range<usize>> {
        let mut depth = 0_usize;
        for (at, c) in self.code[start..].char_indices() {
            match c {
                '(' | '[' => depth += 1,
                ')' | ']' => depth = depth.checked_sub(1)?,
                ';' if depth == 0 => return None,
                '{' if depth == 0 => {
                    let open = start + at;
                    return Some(open..close(&self.code, open)?);
                }
                _ => {}
            }
        }
        None
    }
}

struct Item {
    end: usize,
    module: bool,
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The offset of the bracket that closes the one at `open`.
fn close(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in code[open..].char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(open + at);
                }
            }
            _ => {}
        }
    }
    None
}

/// What is not code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hidden {
    Comment,
    /// The inside of a string.
    Literal,
    /// The inside of a character.
    Character,
}

/// Every comment and every literal: its line, which of the two, and its text.
pub(crate) fn hidden_texts(text: &str) -> Vec<(usize, Hidden, &str)> {
    let mut line = 1;
    let mut seen = 0;
    let hidden = hidden(text.as_bytes()).into_iter();
    hidden
        .map(|(kind, range)| {
            line += text[seen..range.start].matches('\n').count();
            seen = range.start;
            let inside = text[range].trim_start_matches('#').trim_end_matches('#');
            let raw = inside
                .strip_prefix('"')
                .and_then(|inside| inside.strip_suffix('"'));
            (line, kind, raw.unwrap_or(inside))
        })
        .collect()
}

/// The ranges that are not code: comments whole, and the insides of string and character literals.
fn hidden(text: &[u8]) -> Vec<(Hidden, Range<usize>)> {
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let (kind, inside, length) = if rest.starts_with(b"//") {
            let length = line_length(rest);
            (Hidden::Comment, 0..length, length)
        } else if rest.starts_with(b"/*") {
            let length = block_length(rest);
            (Hidden::Comment, 0..length, length)
        } else if let Some(raw) = raw_string_length(text, at) {
            (Hidden::Literal, 2..raw, raw)
        } else if rest[0] == b'"' {
            let length = quoted_length(rest, b'"');
            (Hidden::Literal, 1..length.saturating_sub(1).max(1), length)
        } else if rest[0] == b'\'' {
            let length = character_length(rest);
            (
                Hidden::Character,
                1..length.saturating_sub(1).max(1),
                length,
            )
        } else {
            (Hidden::Character, 0..0, 1)
        };
        if !inside.is_empty() {
            ranges.push((kind, at + inside.start..at + inside.end));
        }
        at += length;
    }
    ranges
}

fn line_length(rest: &[u8]) -> usize {
    let newline = rest.iter().position(|byte| *byte == b'\n');
    newline.unwrap_or(rest.len())
}

fn block_length(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The length of a raw string that starts at `at` with its `r`, or `None` when none does.
fn raw_string_length(text: &[u8], at: usize) -> Option<usize> {
    let rest = &text[at..];
    let before = at.checked_sub(1).map(|before| text[before]);
    let inside_word = before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let prefixed = matches!(before, Some(b'b' | b'c'));
    if rest[0] != b'r' || (inside_word && !prefixed) {
        return None;
    }
    let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let mut ending = vec![b'"'];
    ending.resize(1 + hashes, b'#');
    let body = &rest[2 + hashes..];
    let length = body
        .windows(ending.len())
        .position(|window| window == ending);
    Some(length.map_or(rest.len(), |length| 2 + hashes + length + ending.len()))
}

fn quoted_length(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a character literal, or one for a lifetime's tick.
fn character_length(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        return quoted_length(rest, b'\'');
    }
    let character = std::str::from_utf8(&rest[1..rest.len().min(5)]);
    let first = match character {
        Ok(text) => text.chars().next(),
        Err(error) => std::str::from_utf8(&rest[1..=error.valid_up_to()])
            .ok()
            .and_then(|text| text.chars().next()),
    };
    match first.map(char::len_utf8) {
        Some(width) if rest.get(1 + width) == Some(&b'\'') => width + 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank_and_nothing_moves() {
        let text = r##"let a = "fn x {"; // fn y {
/* fn /* z */ { */ let b = '{'; let c: &'static str = r#"}"{"#; let d = b'\''; let e = '✓';
"##;
        let source = Source::new(text);
        assert_eq!(source.code().matches('\n').count(), 2);
        assert!(!source.code().contains("fn"));
        assert!(!source.code().contains('{'));
        assert!(source.code().contains("'static str"));
        assert!(source.code().contains("let e"));
    }

    #[test]
    fn functions_are_counted_from_their_name_to_their_brace() {
        let source = Source::new(
            "trait T {\n    fn declared(&self, a: [u8; 2]);\n}\nfn one() {}\n\npub async fn two(\n    a: u8,\n) -> u8 {\n    a\n}\n",
        );
        let found = source.functions();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].lines, 1);
        assert_eq!(
            found[1],
            Function {
                name: "two".to_owned(),
                line: 6,
                lines: 5
            }
        );
    }

    #[test]
    fn test_modules_at_the_end_are_cut_and_others_stay() {
        let source = Source::new(
            "fn a() {}\n\n#[cfg(test)]\nmod early {\n}\n\nfn b() {}\n\n#[cfg(test)]\n#[expect(x, reason = \"y\")]\nmod tests {\n    fn c() {}\n}\n\n#[cfg(test)]\nmod more {\n}\n",
        );
        let product = source.without_tests();
        assert!(product.code().contains("mod early"));
        assert!(product.code().trim_end().ends_with("fn b() {}"));
    }

    #[test]
    fn a_test_helper_that_is_no_module_is_not_cut() {
        let source = Source::new("fn a() {}\n\n#[cfg(test)]\nimpl A {\n    fn b() {}\n}\n");
        assert!(source.without_tests().code().contains("impl A"));
    }

    #[test]
    fn attributes_are_found_whole() {
        let source =
            Source::new("#![deny(x)]\n#[expect(\n    y,\n    reason = \"z]\"\n)]\nfn a() {}\n");
        let lines: Vec<usize> = source.attributes().iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 2]);
        assert!(source.attributes()[1].1.contains("reason"));
    }
}
