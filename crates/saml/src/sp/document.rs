//! Messages of others as a tree: what XML could do besides, and SAML never needs, is refused before it is parsed.

use std::collections::HashSet;

use uppsala::{Document, Element, NodeId, NodeKind};

use super::Refusal;

/// The longest message, as text.
pub(super) const LONGEST: usize = 256 * 1024;
/// The longest metadata: those of a whole federation have tens of megabytes.
const LONGEST_METADATA: usize = 128 * 1024 * 1024;
/// How deep elements may be nested.
const DEEPEST: usize = 32;
/// How many elements a message may have.
const ELEMENTS: usize = 4096;
/// How many attributes an element may have, declarations of namespaces among them.
const ATTRIBUTES: usize = 32;

/// The attributes that name an element for a signature.
const IDS: [&str; 4] = ["ID", "Id", "id", "AssertionID"];

/// A parsed message.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    pub(super) document: Document<'a>,
}

impl<'a> Tree<'a> {
    /// Parses a message, which must be within the limits, without a document type and with unique ids.
    pub(super) fn parse(text: &'a str) -> Result<Self, Refusal> {
        let tree = Self::within(text, LONGEST, ELEMENTS)?;
        tree.check_ids()?;
        Ok(tree)
    }

    /// Parses metadata, which the operator has put there, and in which no signature refers to an id.
    pub(super) fn parse_metadata(text: &'a str) -> Result<Self, Refusal> {
        // Some editors write it.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self::within(text, LONGEST_METADATA, usize::MAX)
    }

    fn within(text: &'a str, longest: usize, elements: usize) -> Result<Self, Refusal> {
        scan(text, longest, elements)?;
        let document = uppsala::parse(text);
        let document = document.map_err(|error| Refusal::Unreadable(error.to_string()))?;
        Ok(Self { document })
    }

    /// The outermost element.
    pub(super) fn root(&self) -> Result<NodeId, Refusal> {
        let root = self.document.document_element();
        root.ok_or_else(|| Refusal::Unreadable("there is no element".to_owned()))
    }

    pub(super) fn is(&self, node: NodeId, namespace: &str, name: &str) -> bool {
        let element = self.document.element(node);
        element.is_some_and(|element| element.matches_name_ns(namespace, name))
    }

    /// The elements among the children.
    pub(super) fn children(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        let children = self.document.children(node).into_iter();
        children.filter(|child| self.document.element(*child).is_some())
    }

    /// The children of a name.
    pub(super) fn named<'t>(
        &'t self,
        node: NodeId,
        namespace: &'t str,
        name: &'t str,
    ) -> impl Iterator<Item = NodeId> + 't {
        let children = self.document.children(node).into_iter();
        children.filter(move |child| self.is(*child, namespace, name))
    }

    /// The one child of a name: none where there is none, refused where there are several.
    pub(super) fn only(
        &self,
        node: NodeId,
        namespace: &str,
        name: &'static str,
    ) -> Result<Option<NodeId>, Refusal> {
        let mut found = self.named(node, namespace, name);
        let first = found.next();
        if found.next().is_some() {
            return Err(Refusal::Several(name));
        }
        Ok(first)
    }

    /// All elements of a name, anywhere.
    pub(super) fn everywhere(&self, namespace: &str, name: &str) -> Vec<NodeId> {
        let all = self.document.descendants(self.document.root());
        all.into_iter()
            .filter(|node| self.is(*node, namespace, name))
            .collect()
    }

    /// The value of an attribute without a prefix.
    pub(super) fn attribute(&self, node: NodeId, name: &str) -> Option<&str> {
        attribute(self.document.element(node)?, name)
    }

    /// All text of an element: a comment or another element in between cuts nothing off.
    pub(super) fn text(&self, node: NodeId) -> String {
        let mut text = String::new();
        for inner in self.document.descendants(node) {
            if let Some(NodeKind::Text(part) | NodeKind::CData(part)) =
                self.document.node_kind(inner)
            {
                text.push_str(part);
            }
        }
        text
    }

    /// The same without space around it.
    pub(super) fn trimmed(&self, node: NodeId) -> String {
        self.text(node).trim_matches(is_space).to_owned()
    }

    fn check_ids(&self) -> Result<(), Refusal> {
        let mut seen = HashSet::new();
        for node in self.document.descendants(self.document.root()) {
            let Some(element) = self.document.element(node) else {
                continue;
            };
            for found in &element.attributes {
                let name: &str = &found.name.local_name;
                if IDS.contains(&name) && !seen.insert(found.value.to_string()) {
                    return Err(Refusal::DuplicateId);
                }
            }
        }
        Ok(())
    }
}

fn attribute<'e>(element: &'e Element<'_>, name: &str) -> Option<&'e str> {
    let found = element.attributes.iter();
    let mut found =
        found.filter(|it| it.name.namespace_uri.is_none() && it.name.local_name == name);
    found.next().map(|it| &*it.value)
}

/// The space of XML.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// Holds a text to the limits, from its brackets alone.
fn scan(text: &str, longest: usize, most: usize) -> Result<(), Refusal> {
    if text.len() > longest {
        return Err(Refusal::TooLarge);
    }
    let mut rest = without_declaration(text)?;
    let (mut depth, mut elements) = (0_usize, 0_usize);
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = behind(comment, "-->")?;
        } else if let Some(section) = rest.strip_prefix("![CDATA[") {
            rest = behind(section, "]]>")?;
        } else if rest.starts_with('!') {
            return Err(Refusal::DocumentType);
        } else if rest.starts_with('?') {
            return Err(Refusal::Instruction);
        } else {
            let (tag, after) = tag(rest)?;
            rest = after;
            if tag.starts_with('/') {
                depth = depth.saturating_sub(1);
                continue;
            }
            elements += 1;
            let is_empty = tag.ends_with('/');
            if elements > most || depth >= DEEPEST || quoted(tag) > ATTRIBUTES {
                return Err(Refusal::TooLarge);
            }
            depth += usize::from(!is_empty);
        }
    }
    Ok(())
}

/// The text behind its declaration, if it has one, which must not name another encoding than UTF-8.
fn without_declaration(text: &str) -> Result<&str, Refusal> {
    let text = text.trim_start_matches(is_space);
    let Some(declaration) = text.strip_prefix("<?xml") else {
        return Ok(text);
    };
    let (declaration, rest) = declaration
        .split_once("?>")
        .ok_or_else(|| Refusal::Unreadable("the declaration has no end".to_owned()))?;
    let lower = declaration.to_ascii_lowercase();
    if lower.contains("encoding") && !lower.contains("utf-8") {
        return Err(Refusal::Encoding);
    }
    Ok(rest)
}

fn behind<'a>(text: &'a str, end: &str) -> Result<&'a str, Refusal> {
    let (_, rest) = text.split_once(end).ok_or_else(unfinished)?;
    Ok(rest)
}

/// A tag up to its bracket, which may stand in the value of an attribute before, and what follows.
fn tag(text: &str) -> Result<(&str, &str), Refusal> {
    let mut quote = None;
    for (place, byte) in text.bytes().enumerate() {
        match (byte, quote) {
            (b'>', None) => return Ok((&text[..place], &text[place + 1..])),
            (b'"' | b'\'', None) => quote = Some(byte),
            (byte, Some(open)) if byte == open => quote = None,
            _ => {}
        }
    }
    Err(unfinished())
}

/// The number of values in quotes.
fn quoted(tag: &str) -> usize {
    let mut quote = None;
    let mut values = 0;
    for byte in tag.bytes() {
        match (byte, quote) {
            (b'"' | b'\'', None) => {
                quote = Some(byte);
                values += 1;
            }
            (byte, Some(open)) if byte == open => quote = None,
            _ => {}
        }
    }
    values
}

fn unfinished() -> Refusal {
    Refusal::Unreadable("it ends within a tag".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_message_never_needs_is_refused_before_parsing() {
        let deep = "<a>".repeat(DEEPEST + 1) + &"</a>".repeat(DEEPEST + 1);
        let attributes: Vec<_> = (0..=ATTRIBUTES).map(|n| format!(" a{n}='>'")).collect();
        let wide = format!("<a{}/>", attributes.concat());
        let many = format!("<a>{}</a>", "<b/>".repeat(ELEMENTS));
        let long = format!("<a>{}</a>", "x".repeat(LONGEST));
        for (text, expected) in [
            ("<!DOCTYPE a><a/>", Refusal::DocumentType),
            (
                "<?xml version='1.0'?><!doctype a [<!ENTITY b 'c'>]><a>&b;</a>",
                Refusal::DocumentType,
            ),
            (
                "<a><!ENTITY b SYSTEM 'file:///etc/passwd'></a>",
                Refusal::DocumentType,
            ),
            ("<a><?b c?></a>", Refusal::Instruction),
            (
                "<?xml version='1.0' encoding='UTF-7'?><a/>",
                Refusal::Encoding,
            ),
            ("<a ID='b'><c id='b'/></a>", Refusal::DuplicateId),
            (&deep, Refusal::TooLarge),
            (&wide, Refusal::TooLarge),
            (&many, Refusal::TooLarge),
            (&long, Refusal::TooLarge),
        ] {
            let shown: String = text.chars().take(60).collect();
            assert_eq!(Tree::parse(text).err(), Some(expected), "{shown}");
        }
    }

    #[test]
    fn texts_are_whole_whatever_stands_in_between() {
        let text =
            "<?xml version='1.0' encoding='utf-8'?>\n<a> ad<!-- b -->m<![CDATA[in]]><c>s</c>\n</a>";
        let tree = Tree::parse(text).unwrap();
        let root = tree.root().unwrap();
        assert_eq!(tree.trimmed(root), "admins");
    }

    #[test]
    fn an_attribute_with_a_prefix_is_not_the_one_without() {
        let tree = Tree::parse("<a xmlns:b='urn:b' b:ID='x'/>").unwrap();
        assert_eq!(tree.attribute(tree.root().unwrap(), "ID"), None);
    }
}
