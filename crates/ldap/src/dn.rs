//! Distinguished names (RFC 4514), compared as a whole.

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

/// A distinguished name. Two are equal when they name the same entry: attribute types without regard to case, values
/// without regard to case and to how much white space they have (`keystone.identity.backends.ldap.common.is_dn_equal`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Dn(Vec<Rdn>);

/// Attributes with their values, of which most names have one, in an order that is always the same.
type Rdn = Vec<(String, Value)>;

#[derive(Clone, Debug, Eq)]
struct Value {
    /// What it is compared by.
    key: String,
    /// As it is in the directory.
    bytes: Vec<u8>,
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl std::hash::Hash for Value {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

/// A text is no distinguished name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidDn;

impl Dn {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidDn> {
        if text.trim().is_empty() {
            return Ok(Self(Vec::new()));
        }
        split(text, ',')?
            .into_iter()
            .map(rdn)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether the entry is right below another one.
    pub(crate) fn is_child_of(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() + 1 && self.is_below(other)
    }

    /// Whether the entry is another one or below it.
    pub(crate) fn is_below(&self, other: &Self) -> bool {
        self.0.ends_with(&other.0)
    }

    /// The attributes and values that tell the entry from its neighbours.
    pub(crate) fn naming(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let first = self.0.first().into_iter().flatten();
        first.map(|(kind, value)| (kind.as_str(), value.bytes.as_slice()))
    }
}

fn rdn(text: &str) -> Result<Rdn, InvalidDn> {
    let mut parts = split(text, '+')?
        .into_iter()
        .map(attribute)
        .collect::<Result<Rdn, _>>()?;
    parts.sort_by(|(kind, value), (other, theirs)| (kind, &value.key).cmp(&(other, &theirs.key)));
    Ok(parts)
}

fn attribute(text: &str) -> Result<(String, Value), InvalidDn> {
    let (kind, value) = text.split_once('=').ok_or(InvalidDn)?;
    let kind = kind.trim().to_ascii_lowercase();
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-.;_".contains(letter);
    if kind.is_empty() || !kind.chars().all(allowed) {
        return Err(InvalidDn);
    }
    let kind = kind
        .strip_prefix("oid.")
        .map_or(kind.clone(), ToOwned::to_owned);
    let value = value.trim_start_matches(' ');
    // BER in hexadecimal digits, which no filter could ask for as a text. No key of a text has capital letters.
    if let Some(digits) = value.trim_end_matches(' ').strip_prefix('#') {
        if digits.is_empty()
            || digits.len() % 2 != 0
            || !digits.bytes().all(|it| it.is_ascii_hexdigit())
        {
            return Err(InvalidDn);
        }
        let key = format!("BER {}", digits.to_ascii_lowercase());
        return Ok((
            kind,
            Value {
                key,
                bytes: digits.into(),
            },
        ));
    }
    let bytes = unescape(value)?;
    let text = String::from_utf8_lossy(&bytes).to_lowercase();
    let key = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok((kind, Value { key, bytes }))
}

/// The parts of a text between separators that are not escaped.
fn split(text: &str, separator: char) -> Result<Vec<&str>, InvalidDn> {
    let mut parts = Vec::new();
    let (mut begin, mut letters) = (0, text.char_indices());
    while let Some((at, letter)) = letters.next() {
        if letter == '\\' {
            letters.next().ok_or(InvalidDn)?;
        } else if letter == separator {
            parts.push(&text[begin..at]);
            begin = at + letter.len_utf8();
        }
    }
    parts.push(&text[begin..]);
    Ok(parts)
}

/// A value without its escapes, of which `\2C` and `\,` are the same, and without spaces at its end that are not escaped.
fn unescape(text: &str) -> Result<Vec<u8>, InvalidDn> {
    let mut bytes = Vec::with_capacity(text.len());
    // How much of it stays in any case.
    let mut escaped = 0;
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let first = rest.next().ok_or(InvalidDn)?;
        match hex(first) {
            Some(high) => {
                let low = rest.next().and_then(hex).ok_or(InvalidDn)?;
                bytes.push(high << 4 | low);
            }
            None if b" \"#+,;<=>\\".contains(&first) => bytes.push(first),
            None => return Err(InvalidDn),
        }
        escaped = bytes.len();
    }
    while bytes.len() > escaped && bytes.last() == Some(&b' ') {
        bytes.pop();
    }
    Ok(bytes)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}
