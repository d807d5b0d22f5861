//! The literals of Python's source text, as far as they are lists of texts.

use std::iter::Peekable;
use std::str::Chars;

/// `ast.literal_eval` of a text that holds a list of text literals; none for everything else.
///
/// Not read, though Python does: lists of other things than texts, texts in triple quotes that hold quotes or line ends,
/// and the escape `\N{…}`.
pub fn text_list(source: &str) -> Option<Vec<String>> {
    let mut reader = Reader(source.trim_start_matches([' ', '\t']).chars().peekable());
    reader.skip_blank();
    reader.expect('[')?;
    let mut items = Vec::new();
    loop {
        reader.skip_blank();
        if reader.take(']') {
            break;
        }
        items.push(reader.text()?);
        reader.skip_blank();
        if !reader.take(',') {
            reader.expect(']')?;
            break;
        }
    }
    reader.skip_blank();
    reader.0.next().is_none().then_some(items)
}

struct Reader<'a>(Peekable<Chars<'a>>);

impl Reader<'_> {
    fn take(&mut self, wanted: char) -> bool {
        self.0.next_if_eq(&wanted).is_some()
    }

    fn expect(&mut self, wanted: char) -> Option<()> {
        self.take(wanted).then_some(())
    }

    /// Skips blanks, line ends and comments.
    fn skip_blank(&mut self) {
        while let Some(c) = self
            .0
            .next_if(|c| matches!(c, ' ' | '\t' | '\x0c' | '\n' | '\r' | '#'))
        {
            if c == '#' {
                while self.0.next_if(|c| !matches!(c, '\n' | '\r')).is_some() {}
            }
        }
    }

    /// Reads one text, of one or several literals side by side.
    fn text(&mut self) -> Option<String> {
        let mut text = String::new();
        self.literal(&mut text)?;
        loop {
            self.skip_blank();
            match self.0.peek() {
                Some(',' | ']') => return Some(text),
                _ => self.literal(&mut text)?,
            }
        }
    }

    fn literal(&mut self, text: &mut String) -> Option<()> {
        let is_raw = self.0.next_if(|c| matches!(c, 'r' | 'R')).is_some();
        if !is_raw {
            self.0.next_if(|c| matches!(c, 'u' | 'U'));
        }
        let quote = self.0.next_if(|c| matches!(c, '\'' | '"'))?;
        loop {
            match self.0.next()? {
                c if c == quote => return Some(()),
                '\n' | '\r' | '\0' => return None,
                '\\' if is_raw => {
                    // A quote behind a backslash ends no raw text, and both stay.
                    text.push('\\');
                    text.push(self.0.next_if(|c| !matches!(c, '\n' | '\r' | '\0'))?);
                }
                '\\' => self.escape(text)?,
                c => text.push(c),
            }
        }
    }

    fn escape(&mut self, text: &mut String) -> Option<()> {
        let c = match self.0.next()? {
            '\n' => return Some(()),
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            c @ ('\\' | '\'' | '"') => c,
            'x' => self.code(2)?,
            'u' => self.code(4)?,
            'U' => self.code(8)?,
            first @ '0'..='7' => {
                let mut code = first.to_digit(8)?;
                for _ in 0..2 {
                    let Some(digit) = self.0.next_if(|c| c.is_digit(8)) else {
                        break;
                    };
                    code = code * 8 + digit.to_digit(8)?;
                }
                char::from_u32(code)?
            }
            'N' | '\r' | '\0' => return None,
            // Python keeps the backslash of an escape that it does not know.
            other => {
                text.push('\\');
                other
            }
        };
        text.push(c);
        Some(())
    }

    fn code(&mut self, digits: usize) -> Option<char> {
        let mut code = 0_u32;
        for _ in 0..digits {
            let digit = self.0.next()?.to_digit(16)?;
            code = code.checked_mul(16)?.checked_add(digit)?;
        }
        char::from_u32(code)
    }
}
