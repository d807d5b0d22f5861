//! Policy files in YAML: one flat map from rule names to strings or lists.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use serde_json::{Map, Value};

/// Rules are strings, lists, or lists of lists; anything deeper is a mistake.
const MAX_DEPTH: usize = 3;

/// Where a file stops being a policy file, and why.
#[derive(Debug)]
pub(crate) struct Mistake {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) reason: String,
}

/// What the parser says of quotes that go on at the left margin, at the place where they open.
const AT_THE_MARGIN: &str = "invalid indentation in quoted scalar";

/// Reads the rules of one file; an empty one has none.
pub(crate) fn parse(text: &str) -> Result<Map<String, Value>, Mistake> {
    let mut text = Cow::Borrowed(text);
    loop {
        match parse_indented(&text) {
            Err(mistake) if mistake.reason == AT_THE_MARGIN => {
                text = Cow::Owned(indented(&text, &mistake).ok_or(mistake)?);
            }
            done => return done,
        }
    }
}

/// Indents the lines on which a quoted text goes on, which means the same. Python's YAML takes them as they are, YAML
/// 1.2 does not allow them.
fn indented(text: &str, mistake: &Mistake) -> Option<String> {
    let mut lines = text.split_inclusive('\n');
    let mut made: String = lines.by_ref().take(mistake.line - 1).collect();
    let first = lines.next()?;
    let (opened, _) = first.char_indices().nth(mistake.column - 1)?;
    let quote = first[opened..].chars().next()?;
    made += first;
    let mut open = is_open(&first[opened + 1..], quote);
    for line in lines {
        let at_the_margin = !line.starts_with([' ', '\t']);
        // There a document would end.
        let marks = at_the_margin && (line.starts_with("---") || line.starts_with("..."));
        if open && marks {
            return None;
        }
        if open && at_the_margin {
            made.push(' ');
        }
        made += line;
        open = open && is_open(line, quote);
    }
    (made.len() > text.len()).then_some(made)
}

/// Whether a text in quotes still goes on at the end of this line.
fn is_open(line: &str, quote: char) -> bool {
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == quote {
            let doubled = quote == '\'' && letters.next_if_eq(&quote).is_some();
            if !doubled {
                return false;
            }
        } else if letter == '\\' && quote == '"' {
            letters.next();
        }
    }
    true
}

fn parse_indented(text: &str) -> Result<Map<String, Value>, Mistake> {
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        anchors: HashMap::new(),
    };
    let mut rules = None;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(rules.unwrap_or_default()),
            Event::StreamStart | Event::Nothing | Event::DocumentEnd => {}
            Event::DocumentStart(_) if rules.is_none() => {
                let (event, span) = reader.next()?;
                rules = Some(reader.document(&event, span)?);
            }
            _ => return Err(mistake(span, "a policy file has one document")),
        }
    }
}

fn mistake(span: Span, reason: impl Into<String>) -> Mistake {
    Mistake {
        line: span.start.line(),
        column: span.start.col() + 1,
        reason: reason.into(),
    }
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Value>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Mistake> {
        let wrong = |error: ScanError| Mistake {
            line: error.marker().line(),
            column: error.marker().col() + 1,
            reason: error.info().to_owned(),
        };
        match self.events.next_event() {
            Some(event) => event.map_err(wrong),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn document(&mut self, event: &Event<'a>, span: Span) -> Result<Map<String, Value>, Mistake> {
        match event {
            Event::MappingStart(..) => {}
            Event::Scalar(text, style, ..) if is_null(text, *style) => return Ok(Map::new()),
            _ => return Err(mistake(span, "a policy file is a map of rules")),
        }
        let mut rules = Map::new();
        loop {
            let (key, span) = self.next()?;
            if key == Event::MappingEnd {
                return Ok(rules);
            }
            let Value::String(name) = self.value(key, span, "a rule's name", 0)? else {
                return Err(mistake(span, "a rule's name is a string"));
            };
            let (event, span) = self.next()?;
            let rule = self.value(event, span, &format!("rule {name:?}"), 0)?;
            // As in JSON and in Keystone, the last of several rules of one name counts.
            rules.insert(name, rule);
        }
    }

    fn value(
        &mut self,
        event: Event<'a>,
        span: Span,
        what: &str,
        depth: usize,
    ) -> Result<Value, Mistake> {
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                plain_tag(tag.as_deref(), span, what)?;
                let null = is_null(&text, style) && tag.is_none();
                let text = || Value::String(text.into_owned());
                (if null { Value::Null } else { text() }, anchor)
            }
            Event::SequenceStart(anchor, _) if depth < MAX_DEPTH => {
                let mut items = Vec::new();
                loop {
                    let (event, span) = self.next()?;
                    if event == Event::SequenceEnd {
                        break (Value::Array(items), anchor);
                    }
                    items.push(self.value(event, span, what, depth + 1)?);
                }
            }
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                return known.ok_or_else(|| mistake(span, format!("{what}: unknown alias")));
            }
            _ => {
                let reason = format!("{what} is neither a string nor a list of strings");
                return Err(mistake(span, reason));
            }
        };
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }
}

fn is_null(text: &str, style: ScalarStyle) -> bool {
    style == ScalarStyle::Plain && matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// An unquoted `!` is a tag in YAML, and what was meant to deny would be an empty rule, which allows.
fn plain_tag(tag: Option<&Tag>, span: Span, what: &str) -> Result<(), Mistake> {
    match tag {
        Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == "str") => {
            let reason = format!("{what}: `!` starts a tag here; put the rule in quotes");
            Err(mistake(span, reason))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules_are_strings_lists_and_lists_of_lists() {
        let text = "# ours\n\"a:b\": \"role:x\"\nplain: role:y or rule:a:b\nfolded: >-\n  role:a\n  or role:b\n\
                    lists: [[\"role:a\", \"role:b\"], [\"role:c\"]]\nempty: \"\"\nnothing:\nold: &o role:z\nnew: *o\n";
        let rules = Value::Object(parse(text).unwrap());
        assert_eq!(
            rules,
            json!({
                "a:b": "role:x", "plain": "role:y or rule:a:b", "folded": "role:a or role:b",
                "lists": [["role:a", "role:b"], ["role:c"]], "empty": "", "nothing": null,
                "old": "role:z", "new": "role:z",
            })
        );
    }

    #[test]
    fn empty_files_have_no_rules_and_the_last_duplicate_counts() {
        for text in ["", "# nothing\n", "---\n", "{}", "~"] {
            assert!(parse(text).unwrap().is_empty(), "{text:?}");
        }
        assert_eq!(parse("a: role:x\na: role:y\n").unwrap()["a"], "role:y");
    }

    #[test]
    fn quotes_may_go_on_at_the_left_margin() {
        let text =
            "a: \"role:x \\\" or\nrole:y\n\nor role:z\"\nb: 'it''s\n x\ny'\nc: role:z # \"\n";
        let rules = Value::Object(parse(text).unwrap());
        let expected =
            json!({"a": "role:x \" or role:y\nor role:z", "b": "it's x y", "c": "role:z"});
        assert_eq!(rules, expected);
        for text in ["a: \"role:x\n--- \"\n", "a: 'role:x\nrole:y\n", "a: \"\n"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn mistakes_name_their_place() {
        let cases = [
            ("a: role:x\nb: !\n", 2, "rule \"b\": `!` starts a tag"),
            ("a: @\n", 1, ""),
            ("a: role:x\nb: {c: d}\n", 2, "rule \"b\" is neither"),
            ("- a\n", 1, "a map of rules"),
            ("a: role:x\n---\nb: role:y\n", 2, "one document"),
            ("a: \"role:x\n", 1, ""),
            ("a: [[[[x]]]]\n", 1, "rule \"a\" is neither"),
        ];
        for (text, line, reason) in cases {
            let mistake = parse(text).unwrap_err();
            assert_eq!(mistake.line, line, "{text:?}: {mistake:?}");
            assert!(mistake.reason.contains(reason), "{text:?}: {mistake:?}");
        }
    }
}
