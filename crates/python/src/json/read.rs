//! From text to values.

use serde_json::{Map, Number, Value};

use super::{ESCAPE, SURROGATES, VERBATIM, write};

/// How deep lists and objects may nest: less than what Python Keystone, with its frames on the same stack, still reads.
pub const MAX_DEPTH: usize = 900;

/// How deep they are held as values. What lies deeper is held as text: every walk through values recurses.
const HELD_DEPTH: usize = 100;

/// Python reads no longer integers (`sys.int_info.default_max_str_digits`).
const MAX_DIGITS: usize = 4300;

/// A text that is no JSON to Python, or nests too deeply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not JSON from byte {at} on")]
pub struct Unreadable {
    at: usize,
}

type Result<T> = std::result::Result<T, Unreadable>;

/// Reads what Python's `json.loads` reads, in UTF-8 that may hold lone surrogates.
pub fn read(text: impl AsRef<[u8]>) -> Result<Value> {
    let mut reader = Reader {
        bytes: text.as_ref(),
        at: 0,
    };
    let value = reader.value(0)?;
    reader.space();
    match reader.peek() {
        None => Ok(value),
        Some(_) => reader.fail(),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Value> {
        self.space();
        match self.peek() {
            Some(b'{' | b'[') if depth == HELD_DEPTH => Ok(verbatim(&self.copy(depth)?)),
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            _ => self.scalar(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value> {
        self.at += 1;
        let mut members = Map::new();
        if self.closes(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            let name = self.name()?;
            members.insert(name, self.value(depth)?);
            if self.ends(b'}')? {
                return Ok(Value::Object(members));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value> {
        self.at += 1;
        let mut items = Vec::new();
        if self.closes(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.ends(b']')? {
                return Ok(Value::Array(items));
            }
        }
    }

    /// Copies a list or object in Python's spelling, without recursion.
    fn copy(&mut self, depth: usize) -> Result<String> {
        let mut out = String::new();
        let mut open = Vec::new();
        loop {
            self.space();
            match self.peek() {
                Some(opener @ (b'{' | b'[')) => {
                    if depth + open.len() == MAX_DEPTH {
                        return self.fail();
                    }
                    let closer = if opener == b'{' { b'}' } else { b']' };
                    self.at += 1;
                    out.push(char::from(opener));
                    open.push(closer);
                    if !self.closes(closer) {
                        self.copy_name(closer, &mut out)?;
                        continue;
                    }
                    out.push(char::from(closer));
                    open.pop();
                }
                _ => match self.scalar()? {
                    // Was just read: spelt as it should be.
                    Value::String(text) if text.starts_with(VERBATIM) => {
                        out.push_str(&text[VERBATIM.len()..]);
                    }
                    scalar => write::append(&scalar, &mut out),
                },
            }
            loop {
                let Some(&closer) = open.last() else {
                    return Ok(out);
                };
                if !self.ends(closer)? {
                    out.push_str(", ");
                    self.copy_name(closer, &mut out)?;
                    break;
                }
                out.push(char::from(closer));
                open.pop();
            }
        }
    }

    fn copy_name(&mut self, closer: u8, out: &mut String) -> Result<()> {
        if closer == b'}' {
            write::push_string(&self.name()?, out);
            out.push_str(": ");
        }
        Ok(())
    }

    /// A member's name, up to its value.
    fn name(&mut self) -> Result<String> {
        self.space();
        let name = self.string()?;
        self.space();
        self.expect(b":")?;
        Ok(name)
    }

    /// Whether a list or object that was just opened is empty.
    fn closes(&mut self, closer: u8) -> bool {
        self.space();
        let empty = self.peek() == Some(closer);
        self.at += usize::from(empty);
        empty
    }

    /// Whether a list or object ends here; else a comma must follow.
    fn ends(&mut self, closer: u8) -> Result<bool> {
        self.space();
        match self.peek() {
            Some(next) if next == closer || next == b',' => {
                self.at += 1;
                Ok(next == closer)
            }
            _ => self.fail(),
        }
    }

    fn scalar(&mut self) -> Result<Value> {
        let (word, value) = match self.peek() {
            Some(b'"') => return self.string().map(Value::String),
            Some(b't') => ("true", Value::Bool(true)),
            Some(b'f') => ("false", Value::Bool(false)),
            Some(b'n') => ("null", Value::Null),
            Some(b'N') => ("NaN", verbatim("NaN")),
            Some(b'I') => ("Infinity", verbatim("Infinity")),
            Some(b'-') if self.bytes.get(self.at + 1) == Some(&b'I') => {
                ("-Infinity", verbatim("-Infinity"))
            }
            _ => return self.number(),
        };
        self.expect(word.as_bytes())?;
        Ok(value)
    }

    fn number(&mut self) -> Result<Value> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let whole = self.digits();
        let leading_zero = whole > 1 && self.bytes[self.at - whole] == b'0';
        if whole == 0 || leading_zero {
            return self.fail();
        }
        let mut is_float = false;
        if self.peek() == Some(b'.') {
            self.at += 1;
            is_float = true;
            if self.digits() == 0 {
                return self.fail();
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            is_float = true;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            if self.digits() == 0 {
                return self.fail();
            }
        }
        let text = std::str::from_utf8(&self.bytes[start..self.at]).unwrap_or_default();
        if is_float {
            let float: f64 = text.parse().or_else(|_| self.fail())?;
            return Ok(match Number::from_f64(float) {
                Some(number) => Value::Number(number),
                None if float > 0.0 => verbatim("Infinity"),
                None => verbatim("-Infinity"),
            });
        }
        if whole > MAX_DIGITS {
            return self.fail();
        }
        if let Ok(integer) = text.parse::<i64>() {
            return Ok(integer.into());
        }
        Ok(text
            .parse::<u64>()
            .map_or_else(|_| verbatim(text), Value::from))
    }

    /// Skips digits, and counts them.
    fn digits(&mut self) -> usize {
        let rest = self.bytes[self.at..].iter();
        let count = rest.take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }

    fn string(&mut self) -> Result<String> {
        self.expect(b"\"")?;
        let mut out = String::new();
        loop {
            let rest = self.bytes[self.at..].iter();
            let plain = rest.take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f));
            let run = &self.bytes[self.at..][..plain.count()];
            self.run(run, &mut out)?;
            self.at += run.len();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escaped(&mut out)?;
                }
                _ => return self.fail(),
            }
        }
    }

    /// Characters that stand for themselves.
    fn run(&self, mut run: &[u8], out: &mut String) -> Result<()> {
        loop {
            let (good, rest) = match std::str::from_utf8(run) {
                Ok(text) => (text, [].as_slice()),
                Err(error) => {
                    let (good, rest) = run.split_at(error.valid_up_to());
                    (std::str::from_utf8(good).unwrap_or_default(), rest)
                }
            };
            if good.contains(ESCAPE) {
                out.extend(good.split_inclusive(ESCAPE).flat_map(|part| {
                    let twice = if part.ends_with(ESCAPE) {
                        "\u{10ffff}"
                    } else {
                        ""
                    };
                    [part, twice]
                }));
            } else {
                out.push_str(good);
            }
            match rest {
                [] => return Ok(()),
                // A lone surrogate, which Python's codec lets pass here.
                [0xed, high @ 0xa0..=0xbf, low @ 0x80..=0xbf, rest @ ..] => {
                    let code = (u16::from(*high & 0x3f) << 6) | u16::from(*low & 0x3f);
                    push_surrogate(0xd000 | code, out);
                    run = rest;
                }
                _ => return self.fail(),
            }
        }
    }

    /// Reads an escape after its backslash.
    fn escaped(&mut self, out: &mut String) -> Result<()> {
        let c = match self.peek() {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unit(out),
            _ => return self.fail(),
        };
        self.at += 1;
        out.push(c);
        Ok(())
    }

    /// `u` and four hexadecimal digits, and the second unit of a pair where there is one.
    fn unit(&mut self, out: &mut String) -> Result<()> {
        let first = self.hex()?;
        let before = self.at;
        if (0xd800..0xdc00).contains(&first) && self.bytes[self.at..].starts_with(b"\\u") {
            self.at += 1;
            let second = self.hex()?;
            if let Some(Ok(c)) = char::decode_utf16([first, second]).next() {
                out.push(c);
                if c == ESCAPE {
                    out.push(c);
                }
                return Ok(());
            }
            self.at = before;
        }
        match char::from_u32(first.into()) {
            Some(c) => out.push(c),
            None => push_surrogate(first, out),
        }
        Ok(())
    }

    fn hex(&mut self) -> Result<u16> {
        self.expect(b"u")?;
        let digits = self.bytes.get(self.at..self.at + 4).unwrap_or_default();
        let digits = digits.iter().map(|digit| char::from(*digit).to_digit(16));
        let value = digits.collect::<Option<Vec<_>>>();
        match value.as_deref() {
            Some(&[a, b, c, d]) => {
                self.at += 4;
                let unit = a << 12 | b << 8 | c << 4 | d;
                u16::try_from(unit).or_else(|_| self.fail())
            }
            _ => self.fail(),
        }
    }

    fn expect(&mut self, text: &[u8]) -> Result<()> {
        if !self.bytes[self.at..].starts_with(text) {
            return self.fail();
        }
        self.at += text.len();
        Ok(())
    }

    fn space(&mut self) {
        let rest = self.bytes[self.at..].iter();
        self.at += rest
            .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
            .count();
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn fail<T>(&self) -> Result<T> {
        Err(Unreadable { at: self.at })
    }
}

fn verbatim(text: &str) -> Value {
    Value::String(format!("{VERBATIM}{text}"))
}

fn push_surrogate(code: u16, out: &mut String) {
    let stand_in = u32::from(*SURROGATES.start()) + u32::from(code - 0xd800);
    out.push(ESCAPE);
    out.extend(char::from_u32(stand_in));
}

/// A text that may be one held in place of a value, in Python's spelling; none if it is no JSON.
pub(super) fn normalized(text: &str) -> Option<String> {
    let mut reader = Reader {
        bytes: text.as_bytes(),
        at: 0,
    };
    let out = reader.copy(0).ok()?;
    (reader.at == text.len()).then_some(out)
}
