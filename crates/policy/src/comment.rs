//! Texts as comments of a policy file, wrapped as Python's `textwrap` does for oslo.policy's generators.

use keystone_python as python;

/// The columns of a line behind its `# `.
const WIDTH: usize = 68;

/// A text as comment lines: paragraphs are wrapped, lines that begin with white space stay as they are.
pub(crate) fn comment(text: &str) -> String {
    let mut out = Vec::new();
    let mut paragraph = Vec::new();
    for line in lines(text.trim_matches(python::is_space)) {
        let blank = line.chars().all(python::is_space);
        let literal = !blank && line.starts_with(python::is_space);
        if !blank && !literal {
            paragraph.push(line.trim_end_matches(python::is_space));
            continue;
        }
        // A literal line is set apart from a paragraph right above it; an empty one is the gap itself.
        let ends = !paragraph.is_empty();
        out.extend(wrapped(&paragraph.join(" ")));
        paragraph.clear();
        if blank || ends {
            out.push("#".to_owned());
        }
        if literal {
            out.push(format!("# {}", line.trim_end_matches(python::is_space)));
        }
    }
    out.extend(wrapped(&paragraph.join(" ")));
    if out.is_empty() {
        out.push("#".to_owned());
    }
    out.join("\n")
}

/// The lines of Python's `str.splitlines`.
fn lines(text: &str) -> Vec<&str> {
    let ends = |c| {
        matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'
                ..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.find(ends) {
        let (line, tail) = rest.split_at(end);
        lines.push(line);
        let one = tail.chars().next().map_or(0, char::len_utf8);
        rest = tail.strip_prefix("\r\n").unwrap_or(&tail[one..]);
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

/// The lines of a paragraph, each with its `# `.
fn wrapped(paragraph: &str) -> Vec<String> {
    let text = spaced(paragraph);
    let mut chunks = chunks(&text).into_iter().peekable();
    let mut out = Vec::new();
    // What is left of a chunk that fits no line.
    let mut rest: Option<&[char]> = None;
    while rest.is_some() || chunks.peek().is_some() {
        let mut line: Vec<char> = Vec::new();
        // Python leaves the blank before a chunk that is cut, even if nothing of it fits.
        let mut keeps_blank = false;
        while let Some(chunk) = rest.take().or_else(|| chunks.next()) {
            if line.is_empty() && !out.is_empty() && is_blank(chunk) {
                continue;
            }
            let room = WIDTH - line.len();
            if chunk.len() <= room {
                line.extend(chunk);
                continue;
            }
            if chunk.len() <= WIDTH {
                rest = Some(chunk);
            } else {
                let (now, later) = chunk.split_at(cut(chunk, room));
                line.extend(now);
                rest = Some(later);
                keeps_blank = now.is_empty();
            }
            break;
        }
        if let Some(end) = line.iter().rposition(|c| keeps_blank || !is_white(*c)) {
            let line: String = line[..=end].iter().collect();
            out.push(format!("# {line}"));
        }
    }
    out
}

/// Where a chunk is cut that is longer than a line: behind a hyphen, or where the line is full.
fn cut(chunk: &[char], room: usize) -> usize {
    let hyphen = chunk[..room].iter().rposition(|c| *c == '-');
    match hyphen {
        Some(at) if chunk[..at].iter().any(|c| *c != '-') => at + 1,
        _ => room,
    }
}

/// Tabs are filled up to the next eight columns, and other white space becomes blanks.
fn spaced(text: &str) -> Vec<char> {
    let mut out = Vec::new();
    for c in text.chars() {
        match c {
            '\t' => out.resize(out.len() / 8 * 8 + 8, ' '),
            c if is_white(c) => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// The pieces between which a line may end: white space, words, parts of hyphenated words, and dashes between words.
fn chunks(text: &[char]) -> Vec<&[char]> {
    let mut chunks = Vec::new();
    let mut from = 0;
    while from < text.len() {
        let to = chunk_end(text, from);
        chunks.push(&text[from..to]);
        from = to;
    }
    chunks
}

fn chunk_end(text: &[char], from: usize) -> usize {
    let white = is_white(text[from]);
    if white {
        let run = text[from..].iter().position(|c| !is_white(*c));
        return run.map_or(text.len(), |run| from + run);
    }
    if let Some(end) = dash(text, from) {
        return end;
    }
    (from + 1..text.len())
        .find_map(|at| {
            if is_hyphen(text, at) {
                return Some(at + 1);
            }
            (is_white(text[at]) || dash(text, at).is_some()).then_some(at)
        })
        .unwrap_or(text.len())
}

/// The end of a dash of two or more hyphens between words.
fn dash(text: &[char], at: usize) -> Option<usize> {
    let before = *text.get(at.checked_sub(1)?)?;
    let length = text[at..].iter().take_while(|c| **c == '-').count();
    let after = text.get(at + length).is_some_and(|c| is_word(*c));
    let joins = is_word(before) || "!\"'&.,?".contains(before);
    (length >= 2 && joins && after).then_some(at + length)
}

/// Whether a line may end behind the hyphen here: letters stand around it, two before it and two behind it.
fn is_hyphen(text: &[char], at: usize) -> bool {
    let letter = |at: usize| text.get(at).is_some_and(|c| is_letter(*c));
    let before = |distance: usize| at.checked_sub(distance);
    let word_before = before(1).is_some_and(letter) && before(2).is_some_and(letter);
    let hyphenated_before = before(3).is_some_and(letter)
        && before(2).is_some_and(|at| text[at] == '-')
        && before(1).is_some_and(|at| is_word(text[at]) || "!\"'&.,?".contains(text[at]));
    let skipped = usize::from(text.get(at + 2) == Some(&'-'));
    text[at] == '-'
        && (word_before || hyphenated_before)
        && letter(at + 1)
        && letter(at + 2 + skipped)
}

fn is_blank(chunk: &[char]) -> bool {
    chunk.iter().all(|c| is_white(*c))
}

fn is_white(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn is_letter(c: char) -> bool {
    is_word(c) && !c.is_numeric()
}
