//! Just as much of DER as leads to the names of a certificate (RFC 5280, section 4.1).

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
const INTEGER: u8 = 0x02;
/// `[0]`, which holds the version.
const VERSION: u8 = 0xa0;

/// An attribute of a name: `CN=Alice`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    /// The type: `2.5.4.3`.
    oid: String,
    pub(super) value: String,
}

/// Names of types: as the Python library `cryptography` has them in RFC 4514, as OpenSSL has them there, and as
/// `mod_ssl` names its variables.
const TYPES: [(&str, Option<&str>, &str, Option<&str>); 15] = [
    ("2.5.4.3", Some("CN"), "CN", Some("CN")),
    ("2.5.4.4", None, "SN", Some("S")),
    ("2.5.4.5", None, "serialNumber", None),
    ("2.5.4.6", Some("C"), "C", Some("C")),
    ("2.5.4.7", Some("L"), "L", Some("L")),
    ("2.5.4.8", Some("ST"), "ST", Some("ST")),
    ("2.5.4.9", Some("STREET"), "street", None),
    ("2.5.4.10", Some("O"), "O", Some("O")),
    ("2.5.4.11", Some("OU"), "OU", Some("OU")),
    ("2.5.4.12", None, "title", Some("T")),
    ("2.5.4.42", None, "GN", Some("G")),
    ("2.5.4.43", None, "initials", Some("I")),
    ("0.9.2342.19200300.100.1.1", Some("UID"), "UID", Some("UID")),
    ("0.9.2342.19200300.100.1.25", Some("DC"), "DC", None),
    // Keystone gives `cryptography` this name for it (`keystone/common/utils.py`).
    (
        "1.2.840.113549.1.9.1",
        Some("emailAddress"),
        "emailAddress",
        Some("Email"),
    ),
];

impl Attribute {
    fn names(
        &self,
    ) -> Option<&'static (
        &'static str,
        Option<&'static str>,
        &'static str,
        Option<&'static str>,
    )> {
        TYPES.iter().find(|(oid, ..)| *oid == self.oid)
    }

    pub(super) fn cryptography_name(&self) -> &str {
        self.names().and_then(|names| names.1).unwrap_or(&self.oid)
    }

    pub(super) fn openssl_name(&self) -> &str {
        self.names().map_or(&self.oid, |names| names.2)
    }

    pub(super) fn mod_ssl_name(&self) -> Option<&'static str> {
        self.names()?.3
    }

    /// The value as RFC 4514 writes it, section 2.4.
    pub(super) fn escaped(&self) -> String {
        let mut out = String::new();
        let last = self.value.chars().count().saturating_sub(1);
        for (at, c) in self.value.chars().enumerate() {
            let is_special = matches!(c, '\\' | '"' | '+' | ',' | ';' | '<' | '>')
                || at == 0 && c == '#'
                || c == ' ' && (at == 0 || at == last);
            match c {
                '\0' => out.push_str("\\00"),
                _ if is_special => out.extend(['\\', c]),
                _ => out.push(c),
            }
        }
        out
    }
}

/// The names of the issuer and of the subject.
pub(super) fn names(certificate: &[u8]) -> Option<(Vec<Attribute>, Vec<Attribute>)> {
    let mut certificate = certificate;
    let mut outer = expect(&mut certificate, SEQUENCE)?;
    let mut signed = expect(&mut outer, SEQUENCE)?;
    if signed.first() == Some(&VERSION) {
        read(&mut signed)?;
    }
    expect(&mut signed, INTEGER)?;
    let _algorithm = expect(&mut signed, SEQUENCE)?;
    let issuer = name(expect(&mut signed, SEQUENCE)?)?;
    let _validity = expect(&mut signed, SEQUENCE)?;
    let subject = name(expect(&mut signed, SEQUENCE)?)?;
    certificate.is_empty().then_some((issuer, subject))
}

fn name(mut content: &[u8]) -> Option<Vec<Attribute>> {
    let mut attributes = Vec::new();
    while !content.is_empty() {
        let mut set = expect(&mut content, SET)?;
        while !set.is_empty() {
            let mut attribute = expect(&mut set, SEQUENCE)?;
            let oid = object_identifier(expect(&mut attribute, OBJECT_IDENTIFIER)?)?;
            let (kind, value) = read(&mut attribute)?;
            let value = text(kind, value)?;
            attributes.push(Attribute { oid, value });
        }
    }
    Some(attributes)
}

/// Reads one element: its tag and its content.
fn read<'a>(input: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&tag, rest) = input.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let length = match first {
        0..=0x7f => usize::from(first),
        0x81..=0x84 => {
            let (bytes, tail) = rest.split_at_checked(usize::from(first & 0x7f))?;
            rest = tail;
            let fold = |length, byte: &u8| (length << 8) | usize::from(*byte);
            bytes.iter().fold(0, fold)
        }
        // DER has no indefinite lengths.
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *input = rest;
    Some((tag, content))
}

fn expect<'a>(input: &mut &'a [u8], wanted: u8) -> Option<&'a [u8]> {
    let (tag, content) = read(input)?;
    (tag == wanted).then_some(content)
}

/// Numbers in base 128, the first of which is two.
fn object_identifier(content: &[u8]) -> Option<String> {
    let mut numbers = Vec::new();
    let mut number = 0_u64;
    for byte in content {
        number = number
            .checked_mul(128)?
            .checked_add(u64::from(byte & 0x7f))?;
        if byte & 0x80 == 0 {
            if numbers.is_empty() {
                let first = (number / 40).min(2);
                numbers.push(first);
                number -= first * 40;
            }
            numbers.push(number);
            number = 0;
        }
    }
    let is_whole = content.last().is_some_and(|byte| byte & 0x80 == 0);
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    is_whole.then(|| numbers.join("."))
}

/// A string of one of the types that a name can have.
fn text(tag: u8, content: &[u8]) -> Option<String> {
    match tag {
        // UTF8String, NumericString, PrintableString, T61String, IA5String, VisibleString
        0x0c | 0x12 | 0x13 | 0x14 | 0x16 | 0x1a => String::from_utf8(content.to_vec()).ok(),
        // UniversalString
        0x1c => {
            let (chars, rest) = content.as_chunks::<4>();
            let chars = chars
                .iter()
                .map(|code| char::from_u32(u32::from_be_bytes(*code)));
            chars.collect::<Option<_>>().filter(|_| rest.is_empty())
        }
        // BMPString
        0x1e => {
            let (units, rest) = content.as_chunks::<2>();
            let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
            let chars = char::decode_utf16(units).collect::<Result<_, _>>();
            chars.ok().filter(|_| rest.is_empty())
        }
        _ => None,
    }
}
