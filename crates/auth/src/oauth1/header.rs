//! The `Authorization` header of `OAuth1`, read as oauthlib reads it, which is as Python's `urllib.request` does.

/// The parameters of a header, each name once, as they were sent. They hold a secret where the method is `PLAINTEXT`.
pub(crate) struct Header(Vec<(String, String)>);

impl Header {
    /// Reads a header; none where it is not one of `OAuth1`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        const SCHEME: &str = "oauth ";
        let (scheme, rest) = text.split_at_checked(SCHEME.len())?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return None;
        }
        let mut pairs: Vec<(String, String)> = Vec::new();
        for item in items(rest) {
            let (name, value) = item.trim().split_once('=')?;
            let value = unquoted(value)?;
            // The last of one name counts, in the place of the first.
            match pairs.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => value.clone_into(known),
                None => pairs.push((name.to_owned(), value.to_owned())),
            }
        }
        Some(Self(pairs))
    }

    /// A parameter as it was sent; an empty one counts as missing.
    pub(crate) fn raw(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

/// Splits at commas outside of quotes, in which a backslash makes the next character stand for itself.
fn items(text: &str) -> Vec<String> {
    let mut items = Vec::new();
    let mut item = String::new();
    let mut quoted = false;
    let mut chars = text.chars();
    while let Some(next) = chars.next() {
        match next {
            '\\' if quoted => item.extend(chars.next()),
            ',' if !quoted => items.push(std::mem::take(&mut item)),
            _ => {
                quoted ^= next == '"';
                item.push(next);
            }
        }
    }
    if !item.is_empty() {
        items.push(item);
    }
    items
}

/// A value without the quotes around it; none for no value at all.
fn unquoted(value: &str) -> Option<&str> {
    match value {
        "" => None,
        "\"" => Some(""),
        _ => {
            let inner = value.strip_prefix('"');
            let inner = inner.and_then(|inner| inner.strip_suffix('"'));
            Some(inner.unwrap_or(value))
        }
    }
}
