//! Python's pretty printer: a value on one line if it fits, else one member a line, long text in pieces.

use serde_json::{Map, Value};

use crate as python;

const WIDTH: usize = 72;

/// The value as `pprint.pformat(value, width=72, sort_dicts=False)` prints it.
pub fn pretty(value: &Value) -> String {
    let mut printer = Printer { out: String::new() };
    printer.value(
        value,
        Place {
            indent: 0,
            reserved: 0,
            outermost: true,
        },
    );
    printer.out
}

/// Where a value starts, and how many columns its end must leave free for closing brackets or a comma.
#[derive(Clone, Copy)]
struct Place {
    indent: usize,
    reserved: usize,
    outermost: bool,
}

struct Printer {
    out: String,
}

impl Printer {
    fn value(&mut self, value: &Value, place: Place) {
        let line = python::repr(value);
        if fits(&line, place.indent + place.reserved) {
            return self.out.push_str(&line);
        }
        match value {
            Value::Object(members) => self.object(members, place),
            Value::Array(items) => self.array(items, place),
            Value::String(text) if !text.is_empty() => self.text(text, place),
            _ => self.out.push_str(&line),
        }
    }

    fn object(&mut self, members: &Map<String, Value>, place: Place) {
        self.out.push('{');
        for (index, (key, member)) in members.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
                self.line(place.indent + 1);
            }
            let key = python::quote(key);
            let indent = place.indent + 1 + columns(&key) + 2;
            self.out.push_str(&key);
            self.out.push_str(": ");
            self.value(member, inner(place, indent, index + 1 == members.len()));
        }
        self.out.push('}');
    }

    fn array(&mut self, items: &[Value], place: Place) {
        self.out.push('[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
                self.line(place.indent + 1);
            }
            self.value(
                item,
                inner(place, place.indent + 1, index + 1 == items.len()),
            );
        }
        self.out.push(']');
    }

    fn text(&mut self, text: &str, place: Place) {
        let bracket = usize::from(place.outermost);
        let (indent, reserved) = (place.indent + bracket, place.reserved + bracket);
        let pieces = pieces(text, indent, reserved);
        let brackets = place.outermost && pieces.len() > 1;
        if brackets {
            self.out.push('(');
        }
        for (index, piece) in pieces.iter().enumerate() {
            if index > 0 {
                self.line(indent);
            }
            self.out.push_str(piece);
        }
        if brackets {
            self.out.push(')');
        }
    }

    fn line(&mut self, indent: usize) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n(' ', indent));
    }
}

fn inner(outer: Place, indent: usize, last: bool) -> Place {
    let reserved = if last { outer.reserved + 1 } else { 1 };
    Place {
        indent,
        reserved,
        outermost: false,
    }
}

fn fits(line: &str, taken: usize) -> bool {
    columns(line) + taken <= WIDTH
}

fn columns(line: &str) -> usize {
    line.chars().count()
}

/// The quoted pieces of a text: cut after line ends, and between words where a line is too long.
fn pieces(text: &str, indent: usize, reserved: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let lines = split_lines(text);
    for (index, line) in lines.iter().enumerate() {
        let at_end = if index + 1 == lines.len() {
            reserved
        } else {
            0
        };
        let whole = python::quote(line);
        if fits(&whole, indent + at_end) {
            pieces.push(whole);
        } else {
            fill(&mut pieces, &split_words(line), indent, at_end);
        }
    }
    pieces
}

fn fill(pieces: &mut Vec<String>, words: &[&str], indent: usize, at_end: usize) {
    let mut current = String::new();
    for (index, word) in words.iter().enumerate() {
        let taken = if index + 1 == words.len() {
            indent + at_end
        } else {
            indent
        };
        let longer = format!("{current}{word}");
        if fits(&python::quote(&longer), taken) {
            current = longer;
            continue;
        }
        if !current.is_empty() {
            pieces.push(python::quote(&current));
        }
        (*word).clone_into(&mut current);
    }
    if !current.is_empty() {
        pieces.push(python::quote(&current));
    }
}

/// The lines of a text with their ends, by `str.splitlines`' idea of a line end.
fn split_lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut start = 0;
    let mut rest = text.char_indices().peekable();
    while let Some((at, character)) = rest.next() {
        let ends = match character {
            '\r' => !matches!(rest.peek(), Some((_, '\n'))),
            '\n' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}' => true,
            _ => false,
        };
        if ends {
            let end = at + character.len_utf8();
            lines.push(&text[start..end]);
            start = end;
        }
    }
    if start < text.len() {
        lines.push(&text[start..]);
    }
    lines
}

/// The words of a line, each with the white space that follows it.
fn split_words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut after_space = false;
    for (at, character) in line.char_indices() {
        let space = python::is_space(character);
        if after_space && !space {
            words.push(&line[start..at]);
            start = at;
        }
        after_space = space;
    }
    words.push(&line[start..]);
    words
}
