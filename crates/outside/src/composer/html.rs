//! The HTML part, made from the text, so that no language and no operator's template needs a second file.

use minijinja::{Value, context};

/// Splits the text at its empty lines. A block with only the code becomes a large code, one with only the link a
/// button, lines that begin with `- ` a list, and everything else a paragraph.
pub(super) fn blocks(text: &str, code: &str, link: &str, button: &str) -> Vec<Value> {
    let web = link.starts_with("https://") || link.starts_with("http://");
    text.split("\n\n")
        .map(str::trim)
        .filter(|block| !block.is_empty())
        .map(|block| {
            if !code.is_empty() && block == code {
                context! { kind => "code", text => block }
            } else if web && block == link {
                context! { kind => "link", text => block, button => button }
            } else if block.starts_with("- ") {
                context! { kind => "list", items => items(block) }
            } else {
                context! { kind => "text", text => block }
            }
        })
        .collect()
}

/// The items of a list. A line without a dash belongs to the previous item.
fn items(block: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("- "), items.last_mut()) {
            (Some(item), _) => items.push(item.trim().to_owned()),
            (None, Some(last)) => {
                last.push(' ');
                last.push_str(line.trim());
            }
            (None, None) => items.push(line.trim().to_owned()),
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_told_apart() {
        let text =
            "Hello\nthere\n\n042137\n\n- one\n  more\n- two\n\nhttps://a.example/\n\njavascript:x";
        let kinds = |link: &str| -> Vec<String> {
            let kind = |block: &Value| block.get_attr("kind").unwrap().to_string();
            blocks(text, "042137", link, "Open")
                .iter()
                .map(kind)
                .collect()
        };
        assert_eq!(
            kinds("https://a.example/"),
            ["text", "code", "list", "link", "text"]
        );
        assert_eq!(
            kinds("javascript:x"),
            ["text", "code", "list", "text", "text"]
        );
        assert_eq!(items("- one\n  more\n- two"), ["one more", "two"]);
    }
}
