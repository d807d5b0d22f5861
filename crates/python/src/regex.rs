//! Patterns in Python's dialect, which are translated into that of `fancy-regex`.
//!
//! Not carried over, and so refused: the flags `a`, `L` and `x`, flags for a part other than `i` and `s`, and `\N{…}`.

use std::fmt::{self, Write as _};

use fancy_regex::RegexBuilder;

/// How often a match may try another way before it counts as undecided: what a text from outside costs is bounded.
const BACKTRACKS: usize = 100_000;

const SPACES: &str = r"\s\x1c-\x1f";
const WORDS: &str = r"\p{L}\p{N}_";

/// A pattern of `re.match` or `re.search`.
#[derive(Clone)]
pub struct Regex {
    pattern: String,
    regex: fancy_regex::Regex,
}

/// A pattern that is wrong, or that can't be carried over from Python.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPattern(String);

/// The text took too many steps to tell.
#[derive(Debug)]
pub struct Undecided;

impl Regex {
    /// Reads a pattern that matches as `re.match` does: at the beginning, and not necessarily to the end.
    pub fn matching(pattern: &str) -> Result<Self, InvalidPattern> {
        let translated = Translation::new(pattern).run()?;
        // Alone first: what the group closes must not be its own.
        build(&translated)?;
        Ok(Self {
            pattern: pattern.to_owned(),
            regex: build(&format!(r"\A(?:{translated})"))?,
        })
    }

    /// Reads a pattern that matches as `re.search` does: anywhere.
    pub fn searching(pattern: &str) -> Result<Self, InvalidPattern> {
        Ok(Self {
            pattern: pattern.to_owned(),
            regex: build(&Translation::new(pattern).run()?)?,
        })
    }

    /// The pattern as the operator wrote it.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Whether a text matches.
    pub fn is_match(&self, text: &str) -> Result<bool, Undecided> {
        self.regex.is_match(text).map_err(|_| Undecided)
    }
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Regex").field(&self.pattern).finish()
    }
}

fn build(translated: &str) -> Result<fancy_regex::Regex, InvalidPattern> {
    let regex = RegexBuilder::new(translated)
        .backtrack_limit(BACKTRACKS)
        .build();
    regex.map_err(|error| InvalidPattern(error.to_string()))
}

/// A pattern on its way from one dialect to the other.
struct Translation<'a> {
    rest: &'a str,
    out: String,
    multiline: bool,
}

/// A member of a class, or what an escape stands for.
enum Item {
    One(char),
    /// `d`, `D`, `s` …
    Set(char),
}

impl<'a> Translation<'a> {
    fn new(pattern: &'a str) -> Self {
        Self {
            rest: pattern,
            out: String::new(),
            multiline: false,
        }
    }

    fn run(mut self) -> Result<String, InvalidPattern> {
        while let Some(c) = self.next() {
            match c {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.group()?,
                '{' => self.braces(),
                // Python's `$` also matches before a last line end.
                '$' if !self.multiline => self.out.push_str(r"(?=\n?\z)"),
                '$' | '^' | '.' | '*' | '+' | '?' | '|' | ')' => self.out.push(c),
                _ => self.literal(c),
            }
        }
        Ok(self.out)
    }

    fn next(&mut self) -> Option<char> {
        self.next_if(|_| true)
    }

    fn next_if(&mut self, wanted: impl Fn(char) -> bool) -> Option<char> {
        let c = self.rest.chars().next().filter(|c| wanted(*c))?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    /// As many as there are, but not more than `most`.
    fn run_of(&mut self, most: usize, wanted: impl Fn(char) -> bool) -> &'a str {
        let start = self.rest;
        let mut count = 0;
        while count < most && self.next_if(&wanted).is_some() {
            count += 1;
        }
        &start[..start.len() - self.rest.len()]
    }

    fn eat(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn literal(&mut self, c: char) {
        if c.is_ascii_alphanumeric() {
            self.out.push(c);
        } else {
            let code = u32::from(c);
            write!(self.out, r"\x{{{code:x}}}").expect("a String takes what is written");
        }
    }

    fn escape(&mut self) -> Result<(), InvalidPattern> {
        for (theirs, ours) in [("A", r"\A"), ("Z", r"\z"), ("b", r"\b"), ("B", r"\B")] {
            if self.eat(theirs) {
                self.out.push_str(ours);
                return Ok(());
            }
        }
        if self.rest.starts_with(|c| ('1'..='9').contains(&c)) {
            return self.reference();
        }
        match self.escaped()? {
            Item::One(c) => self.literal(c),
            Item::Set(set) => {
                self.out.push('[');
                self.set(set);
                self.out.push(']');
            }
        }
        Ok(())
    }

    /// `\1` to `\99`, or three octal digits.
    fn reference(&mut self) -> Result<(), InvalidPattern> {
        let start = self.rest;
        let digits = self.run_of(3, |c| c.is_digit(8));
        if digits.len() == 3 {
            let c = octal(digits)?;
            self.literal(c);
            return Ok(());
        }
        self.rest = start;
        let digits = self.run_of(2, |c| c.is_ascii_digit());
        self.out.extend([r"(?:\", digits, ")"]);
        Ok(())
    }

    /// Parses an escape after its backslash, inside or outside of a class.
    fn escaped(&mut self) -> Result<Item, InvalidPattern> {
        let Some(c) = self.next() else {
            return Err(InvalidPattern("a backslash ends the pattern".to_owned()));
        };
        Ok(Item::One(match c {
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => return Ok(Item::Set(c)),
            'a' => '\x07',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            'x' => self.code(2)?,
            'u' => self.code(4)?,
            'U' => self.code(8)?,
            '0'..='7' => {
                let more = self.run_of(2, |c| c.is_digit(8));
                octal(&format!("{c}{more}"))?
            }
            c if c.is_ascii_alphanumeric() => {
                return Err(InvalidPattern(format!(r"\{c} can't be used here")));
            }
            c => c,
        }))
    }

    fn code(&mut self, digits: usize) -> Result<char, InvalidPattern> {
        let text = self.run_of(digits, |c| c.is_ascii_hexdigit());
        let code = u32::from_str_radix(text, 16)
            .ok()
            .filter(|_| text.len() == digits);
        code.and_then(char::from_u32)
            .ok_or_else(|| InvalidPattern(format!("expected a character's {digits} digits")))
    }

    fn set(&mut self, set: char) {
        let (negated, inner) = match set {
            's' | 'S' => (set == 'S', SPACES),
            'w' | 'W' => (set == 'W', WORDS),
            'D' => (true, r"\d"),
            _ => (false, r"\d"),
        };
        if negated {
            self.out.extend(["[^", inner, "]"]);
        } else {
            self.out.push_str(inner);
        }
    }

    /// `[…]`, where Python knows no classes in classes and no operators.
    fn class(&mut self) -> Result<(), InvalidPattern> {
        self.out.push('[');
        if self.eat("^") {
            self.out.push('^');
        }
        let mut first = true;
        while first || !self.eat("]") {
            first = false;
            match self.member()? {
                Item::Set(set) => {
                    self.set(set);
                    if self.range_end()?.is_some() {
                        return Err(InvalidPattern(format!(r"\{set} begins no range")));
                    }
                }
                Item::One(low) => {
                    self.literal(low);
                    if let Some(high) = self.range_end()? {
                        if high < low {
                            let text = format!("{low}-{high} is no range");
                            return Err(InvalidPattern(text));
                        }
                        self.out.push('-');
                        self.literal(high);
                    }
                }
            }
        }
        self.out.push(']');
        Ok(())
    }

    fn member(&mut self) -> Result<Item, InvalidPattern> {
        match self.next() {
            None => Err(InvalidPattern("a class is not closed".to_owned())),
            Some('\\') if self.eat("b") => Ok(Item::One('\x08')),
            Some('\\') => self.escaped(),
            Some(c) => Ok(Item::One(c)),
        }
    }

    /// The end of a range, if one follows; a `-` before the end of the class stands for itself.
    fn range_end(&mut self) -> Result<Option<char>, InvalidPattern> {
        if self.rest.starts_with("-]") || !self.eat("-") {
            return Ok(None);
        }
        match self.member()? {
            Item::One(c) => Ok(Some(c)),
            Item::Set(set) => Err(InvalidPattern(format!(r"\{set} ends no range"))),
        }
    }

    fn group(&mut self) -> Result<(), InvalidPattern> {
        let at_start = self.out.is_empty();
        if !self.eat("?") {
            self.out.push('(');
            return Ok(());
        }
        if self.eat("#") {
            self.until(')')?;
            return Ok(());
        }
        for head in [":", "=", "!", "<=", "<!", ">"] {
            if self.eat(head) {
                self.out.extend(["(?", head]);
                return Ok(());
            }
        }
        if self.eat("(") {
            let group = self.until(')')?;
            // A name without brackets would be a pattern.
            if group.bytes().all(|digit| digit.is_ascii_digit()) {
                self.out.extend(["(?(", group, ")"]);
            } else {
                self.out.extend(["(?(<", group, ">)"]);
            }
            return Ok(());
        }
        for (head, end) in [("P<", '>'), ("P=", ')')] {
            if self.eat(head) {
                let name = self.until(end)?;
                self.out.extend(["(?", head, name]);
                self.out.push(end);
                return Ok(());
            }
        }
        self.flags(at_start)
    }

    /// Takes the text before the next `end`.
    fn until(&mut self, end: char) -> Result<&'a str, InvalidPattern> {
        let parts = self.rest.split_once(end);
        let (before, after) = parts.ok_or_else(|| InvalidPattern(format!("a {end} is missing")))?;
        self.rest = after;
        Ok(before)
    }

    fn flags(&mut self, at_start: bool) -> Result<(), InvalidPattern> {
        let flags = self.run_of(usize::MAX, |c| c.is_ascii_alphabetic() || c == '-');
        let Some(end) = self.next_if(|c| c == ':' || c == ')') else {
            return Err(InvalidPattern("an unknown kind of group".to_owned()));
        };
        let known = if end == ')' { "imsu" } else { "is-u" };
        if let Some(flag) = flags.chars().find(|flag| !known.contains(*flag)) {
            return Err(InvalidPattern(format!(
                "the flag {flag} is not supported here"
            )));
        }
        if end == ')' && !at_start {
            let text = "flags for all of the pattern must be at its start";
            return Err(InvalidPattern(text.to_owned()));
        }
        self.multiline |= flags.contains('m');
        // The flag `u` is the default.
        let flags = flags.replace('u', "");
        if end == ':' || !flags.is_empty() {
            self.out.extend(["(?", &flags]);
            self.out.push(end);
        }
        Ok(())
    }

    /// A quantifier, or braces that stand for themselves.
    fn braces(&mut self) {
        let start = self.rest;
        let low = self.run_of(usize::MAX, |c| c.is_ascii_digit());
        let comma = self.eat(",");
        let high = self.run_of(usize::MAX, |c| c.is_ascii_digit());
        if !self.eat("}") || (low.is_empty() && !comma) {
            self.rest = start;
            return self.literal('{');
        }
        let low = if low.is_empty() { "0" } else { low };
        self.out
            .extend(["{", low, if comma { "," } else { "" }, high, "}"]);
    }
}

fn octal(digits: &str) -> Result<char, InvalidPattern> {
    let code = u32::from_str_radix(digits, 8)
        .ok()
        .filter(|code| *code < 0o400);
    code.and_then(char::from_u32)
        .ok_or_else(|| InvalidPattern(format!(r"\{digits} is no character")))
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
