//! The `Accept` header, read as leniently as werkzeug reads it for Keystone.

/// The media ranges that a client accepts.
#[derive(Debug, Default)]
pub(crate) struct Accept {
    ranges: Vec<Range>,
    malformed: bool,
}

#[derive(Debug)]
struct Range {
    kind: String,
    subtype: String,
    parameters: usize,
    quality: f64,
}

/// How much a client wants a media type: by quality first, then by how exactly it was named.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct Preference {
    pub(crate) quality: f64,
    specificity: Specificity,
}

type Specificity = (bool, bool, usize);

impl Accept {
    /// Reads a header; what cannot be read is left out.
    pub(crate) fn parse(header: &str) -> Self {
        let mut accept = Self::default();
        match split(header, ',') {
            Some(items) => items
                .into_iter()
                .filter(|item| !item.is_empty())
                .for_each(|item| accept.add(item)),
            None => accept.malformed = true,
        }
        accept
    }

    /// Whether some of the header could not be read.
    pub(crate) fn is_malformed(&self) -> bool {
        self.malformed
    }

    /// How much `kind/subtype` is wanted; nothing if it is not, or is refused with `q=0`.
    pub(crate) fn preference(&self, kind: &str, subtype: &str) -> Option<Preference> {
        self.ranges
            .iter()
            .filter(|range| range.covers(kind, subtype))
            .map(|range| (range.specificity(), range.quality))
            .reduce(|best, next| if next > best { next } else { best })
            .filter(|(_, quality)| *quality > 0.0)
            .map(|(specificity, quality)| Preference {
                quality,
                specificity,
            })
    }

    fn add(&mut self, item: &str) {
        let item = quoted(item).unwrap_or(item);
        let (media, rest) = item.split_once(';').unwrap_or((item, ""));
        let mut names = media.trim_matches(BLANK).split('/');
        let (Some(kind), Some(subtype)) = (names.next(), names.next()) else {
            self.malformed = true;
            return;
        };
        let mut range = Range {
            kind: kind.to_ascii_lowercase(),
            subtype: subtype.to_ascii_lowercase(),
            parameters: names.count(),
            quality: 1.0,
        };
        self.malformed |= range.parameters > 0;
        for part in split(rest, ';').unwrap_or_default() {
            match parameter(part) {
                Some((name, value)) if name.eq_ignore_ascii_case("q") => {
                    let Some(quality) = weight(value.trim_matches(BLANK)) else {
                        self.malformed = true;
                        return;
                    };
                    range.quality = quality;
                }
                Some(_) => range.parameters += 1,
                None => self.malformed |= !rest.is_empty(),
            }
        }
        self.ranges.push(range);
    }
}

impl Range {
    fn covers(&self, kind: &str, subtype: &str) -> bool {
        match (self.kind.as_str(), self.subtype.as_str()) {
            ("*", any) => any == "*",
            (own, "*") => own == kind,
            (own, named) => own == kind && named == subtype && self.parameters == 0,
        }
    }

    fn specificity(&self) -> Specificity {
        (self.kind != "*", self.subtype != "*", self.parameters)
    }
}

const BLANK: [char; 2] = [' ', '\t'];

/// The trimmed parts between the delimiters that stand outside quoted strings; nothing if a quote stays open.
fn split(text: &str, delimiter: char) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let (mut start, mut inside, mut escaped) = (0, false, false);
    for (at, char) in text.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' if inside => escaped = true,
            '"' => inside = !inside,
            _ if char == delimiter && !inside => {
                parts.push(text[start..at].trim_matches(BLANK));
                start = at + char.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim_matches(BLANK));
    (!inside).then_some(parts)
}

/// A `name=value` without space around the sign.
fn parameter(part: &str) -> Option<(&str, &str)> {
    let (name, value) = part.split_once('=')?;
    if name.is_empty() || !name.chars().all(is_token) {
        return None;
    }
    let end = value.find(|char| !is_token(char)).unwrap_or(value.len());
    match end {
        0 => Some((name, quoted(value)?)),
        _ => Some((name, &value[..end])),
    }
}

fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix('"')
}

fn is_token(char: char) -> bool {
    char.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(char)
}

/// A quality from 0 to 1: digits on both sides of the point, if there is one.
fn weight(text: &str) -> Option<f64> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let quality = (digits(whole) && digits(fraction)).then(|| text.parse::<f64>().ok())??;
    (0.0..=1.0).contains(&quality).then_some(quality)
}
