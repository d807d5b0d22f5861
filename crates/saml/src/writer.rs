//! XML as text in exclusive canonical form, so that what is written can be digested as it is.
//!
//! An element's caller gives its attributes in canonical order: declarations of namespaces by prefix, then attributes without
//! a prefix by name, then the others; and it declares a prefix on each element that uses it where no element around it in the
//! signed part does.

use crate::Error;

/// An attribute: its name and its value.
pub(crate) type Attribute<'a> = (&'a str, &'a str);

#[derive(Debug, Default)]
pub(crate) struct Writer {
    text: String,
    open: Vec<&'static str>,
    fault: Option<Error>,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn open(&mut self, name: &'static str, attributes: &[Attribute<'_>]) -> &mut Self {
        self.begin(name, attributes);
        self.text.push('>');
        self.open.push(name);
        self
    }

    /// Ends the element that was opened last.
    pub(crate) fn close(&mut self) -> &mut Self {
        if let Some(name) = self.open.pop() {
            self.end(name);
        }
        self
    }

    /// A whole element with a text.
    pub(crate) fn leaf(
        &mut self,
        name: &'static str,
        attributes: &[Attribute<'_>],
        text: &str,
    ) -> &mut Self {
        self.begin(name, attributes);
        self.text.push('>');
        self.escape(text, Place::Text);
        self.end(name);
        self
    }

    /// An element without content in the short form, which is not canonical.
    pub(crate) fn short(&mut self, name: &'static str, attributes: &[Attribute<'_>]) -> &mut Self {
        self.begin(name, attributes);
        self.text.push_str(" />");
        self
    }

    /// XML that is written already.
    pub(crate) fn raw(&mut self, xml: &str) -> &mut Self {
        self.text.push_str(xml);
        self
    }

    /// What was written, with all elements ended.
    pub(crate) fn finish(&mut self) -> Result<String, Error> {
        while !self.open.is_empty() {
            self.close();
        }
        let text = std::mem::take(&mut self.text);
        self.fault.take().map_or(Ok(text), Err)
    }

    fn begin(&mut self, name: &str, attributes: &[Attribute<'_>]) {
        self.text.push('<');
        self.text.push_str(name);
        for (name, value) in attributes {
            self.text.push(' ');
            self.text.push_str(name);
            self.text.push_str("=\"");
            self.escape(value, Place::Attribute);
            self.text.push('"');
        }
    }

    fn end(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    fn escape(&mut self, text: &str, place: Place) {
        for c in text.chars() {
            match (c, place) {
                ('&', _) => self.text.push_str("&amp;"),
                ('<', _) => self.text.push_str("&lt;"),
                ('>', Place::Text) => self.text.push_str("&gt;"),
                ('"', Place::Attribute) => self.text.push_str("&quot;"),
                ('\t', Place::Attribute) => self.text.push_str("&#x9;"),
                ('\n', Place::Attribute) => self.text.push_str("&#xA;"),
                ('\r', _) => self.text.push_str("&#xD;"),
                (c, _) if is_xml(c) => self.text.push(c),
                (c, _) => {
                    self.fault
                        .get_or_insert(Error::Character(c.escape_unicode().to_string()));
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Place {
    Text,
    Attribute,
}

/// Whether XML 1.0 has the character at all, escaped or not.
pub(crate) fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_reserves_is_escaped_as_its_canonical_form_does() {
        let mut xml = Writer::new();
        xml.leaf("a", &[("b", "&<>\"'\t\n\r")], "&<>\"'\t\n\r");
        assert_eq!(
            xml.finish().unwrap(),
            "<a b=\"&amp;&lt;>&quot;'&#x9;&#xA;&#xD;\">&amp;&lt;&gt;\"'\t\n&#xD;</a>"
        );
    }

    #[test]
    fn a_character_that_xml_does_not_have_is_an_error() {
        let mut xml = Writer::new();
        xml.leaf("a", &[], "b\u{1}");
        assert!(matches!(xml.finish(), Err(Error::Character(c)) if c == "\\u{1}"));
    }

    #[test]
    fn finishing_ends_what_is_open() {
        let mut xml = Writer::new();
        xml.open("a", &[]).open("b", &[]).close().open("c", &[]);
        assert_eq!(xml.finish().unwrap(), "<a><b></b><c></c></a>");
    }
}
