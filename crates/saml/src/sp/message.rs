//! A response of an identity provider, and the rules that make a login of it.

use std::borrow::Cow;

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Duration, NaiveDateTime};
use uppsala::NodeId;

use super::attributes::{self, Attributes, Once};
use super::document::{LONGEST, Tree};
use super::verify::{Trust, signed_elements};
use super::{Peer, Refusal};
use crate::names::{ASSERTION, BEARER, ECP, ENTITY, PROTOCOL, SOAP, SUCCESS};

/// A response as it came, of which nothing is to be believed yet.
#[derive(Debug)]
pub struct Message<'a> {
    text: Cow<'a, str>,
}

/// What this service provider expects of a response.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Who it must be from.
    pub peer: &'a Peer,
    /// The entity id of this service provider.
    pub audience: &'a str,
    /// The URL that the response was sent to.
    pub consumer: &'a str,
    /// The id of the request that the client was sent with; none where it brought no state of one.
    pub request: Option<&'a str>,
    /// The time, in UTC.
    pub now: NaiveDateTime,
}

/// What a response that was taken tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The entity id of the identity provider, which is the remote id.
    pub issuer: String,
    /// The user's attributes, by the names that the modules of web servers give them.
    pub attributes: Attributes,
    /// What must be remembered, so that nobody logs in with the same assertion again.
    pub once: Once,
}

impl<'a> Message<'a> {
    /// The field `SAMLResponse` of a form.
    pub fn from_form(field: &str) -> Result<Self, Refusal> {
        if field.len() > LONGEST * 2 {
            return Err(Refusal::TooLarge);
        }
        let compact: String = field.split_ascii_whitespace().collect();
        let bytes = BASE64_STANDARD.decode(compact);
        let bytes = bytes.map_err(|_| Refusal::Unreadable("it is no base64".to_owned()))?;
        let text = String::from_utf8(bytes);
        let text = text.map_err(|_| Refusal::Unreadable("it is no UTF-8".to_owned()))?;
        let text = text.into();
        Ok(Self { text })
    }

    /// The body of a request: a response, or one in an envelope of SOAP.
    pub fn from_body(body: &'a [u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(body);
        let text = text.map_err(|_| Refusal::Unreadable("it is no UTF-8".to_owned()))?;
        let text = text.into();
        Ok(Self { text })
    }

    /// Who claims to have issued it: to choose whose rules it is held to, and for nothing else.
    pub fn claimed_issuer(&self) -> Result<String, Refusal> {
        let tree = Tree::parse(&self.text)?;
        let response = response(&tree)?;
        let assertion = assertion(&tree, response)?;
        issuer(&tree, assertion)?.ok_or(Refusal::Missing("Issuer"))
    }

    /// What the header of an envelope carries for whoever sent the request, which nobody has signed.
    pub fn relay_state(&self) -> Result<Option<String>, Refusal> {
        let tree = Tree::parse(&self.text)?;
        let Some(header) = tree.only(tree.root()?, SOAP, "Header")? else {
            return Ok(None);
        };
        let state = tree.only(header, ECP, "RelayState")?;
        Ok(state.map(|state| tree.trimmed(state)))
    }

    /// Holds the message to all rules: what comes back is what the identity provider has signed for this service provider
    /// and this login.
    pub fn verify(&self, expected: &Expected<'_>) -> Result<Login, Refusal> {
        let tree = Tree::parse(&self.text)?;
        let response = response(&tree)?;
        let rules = Rules {
            tree: &tree,
            expected,
        };
        rules.status(response)?;
        let assertion = assertion(&tree, response)?;
        let peer = expected.peer;
        if let Some(end) = peer.valid_until.filter(|end| *end <= expected.now) {
            return Err(Refusal::Outdated(end));
        }
        let trust = Trust {
            certificates: &peer.certificates,
            sha1: peer.allow_sha1,
        };
        let signed = signed_elements(&tree, &[response, assertion], trust)?;
        if peer.want_response_signed && !signed.contains(&response) {
            return Err(Refusal::Unsigned("response"));
        }
        // The attributes and all that decides about them are read from an element that is signed: the assertion, or the
        // response around it. A response around a signed assertion is read too, and can only be a reason to refuse.
        if !signed.contains(&assertion) && !peer.want_response_signed {
            return Err(Refusal::Unsigned("assertion"));
        }
        rules.response(response)?;
        rules.login(assertion)
    }
}

/// The response: all of the message, or all of the body of its envelope.
fn response(tree: &Tree<'_>) -> Result<NodeId, Refusal> {
    let root = tree.root()?;
    let response = if tree.is(root, SOAP, "Envelope") {
        let body = tree.only(root, SOAP, "Body")?;
        let body = body.ok_or(Refusal::Missing("Body"))?;
        let mut children = tree.children(body);
        let response = children.next().ok_or(Refusal::NoResponse)?;
        if children.next().is_some() {
            return Err(Refusal::NoResponse);
        }
        response
    } else {
        root
    };
    let is_response = tree.is(response, PROTOCOL, "Response");
    if is_response && tree.attribute(response, "Version") == Some("2.0") {
        return Ok(response);
    }
    Err(Refusal::NoResponse)
}

/// The one assertion of the message, where a response has it.
fn assertion(tree: &Tree<'_>, response: NodeId) -> Result<NodeId, Refusal> {
    if !tree.everywhere(ASSERTION, "EncryptedAssertion").is_empty() {
        return Err(Refusal::Encrypted);
    }
    let all = tree.everywhere(ASSERTION, "Assertion");
    match all[..] {
        [only] if tree.document.parent(only) == Some(response) => Ok(only),
        _ => Err(Refusal::Assertions(all.len())),
    }
}

fn issuer(tree: &Tree<'_>, of: NodeId) -> Result<Option<String>, Refusal> {
    let issuer = tree.only(of, ASSERTION, "Issuer")?;
    Ok(issuer
        .filter(|issuer| matches!(tree.attribute(*issuer, "Format"), None | Some(ENTITY)))
        .map(|issuer| tree.trimmed(issuer)))
}

/// The rules of the profile for web browsers and of that for enhanced clients (sections 4.1.4.3 and 4.2.4 of SAML's profiles).
struct Rules<'r> {
    tree: &'r Tree<'r>,
    expected: &'r Expected<'r>,
}

impl Rules<'_> {
    /// Whether the identity provider tells a success. It is no secret if not, so that nothing need be signed.
    fn status(&self, response: NodeId) -> Result<(), Refusal> {
        let status = self.tree.only(response, PROTOCOL, "Status")?;
        let status = status.ok_or(Refusal::Missing("Status"))?;
        let code = self.tree.only(status, PROTOCOL, "StatusCode")?;
        let code = code.ok_or(Refusal::Missing("StatusCode"))?;
        let value = self.tree.attribute(code, "Value").unwrap_or_default();
        if value == SUCCESS {
            return Ok(());
        }
        let within = self.tree.only(code, PROTOCOL, "StatusCode")?;
        let within = within.and_then(|code| self.tree.attribute(code, "Value"));
        let message = self.tree.only(status, PROTOCOL, "StatusMessage")?;
        let message = message.map(|message| self.tree.trimmed(message));
        let told = [Some(value), within, message.as_deref()];
        let told: Vec<_> = told.into_iter().flatten().collect();
        Err(Refusal::Status(told.join(", ")))
    }

    /// What stands around the assertion.
    fn response(&self, response: NodeId) -> Result<(), Refusal> {
        if let Some(found) = issuer(self.tree, response)? {
            self.check_issuer(found)?;
        }
        if let Some(found) = self.tree.attribute(response, "Destination") {
            self.check_place("Destination", found)?;
        }
        self.check_answer(self.tree.attribute(response, "InResponseTo"))
    }

    fn login(&self, assertion: NodeId) -> Result<Login, Refusal> {
        let tree = self.tree;
        if tree.attribute(assertion, "Version") != Some("2.0") {
            return Err(Refusal::NoResponse);
        }
        let issuer = issuer(tree, assertion)?.ok_or(Refusal::Missing("Issuer"))?;
        self.check_issuer(issuer.clone())?;
        let id = tree.attribute(assertion, "ID");
        let id = id.ok_or(Refusal::Missing("ID"))?;
        let begin = self.time(assertion, "IssueInstant")?;
        let begin = begin.ok_or(Refusal::Missing("IssueInstant"))?;
        self.check_begin("IssueInstant", begin)?;
        let subject = tree.only(assertion, ASSERTION, "Subject")?;
        let subject = subject.ok_or(Refusal::Missing("Subject"))?;
        let confirmed = self.confirmed(subject)?;
        let limit = self.conditions(assertion)?;
        self.statements(assertion)?;
        let name_id = tree.only(subject, ASSERTION, "NameID")?;
        let name_id = name_id.map(|name_id| tree.trimmed(name_id));
        let end = limit.map_or(confirmed, |limit| confirmed.min(limit));
        Ok(Login {
            attributes: attributes::of(tree, assertion, &issuer, name_id.as_deref()),
            once: Once::new(&issuer, id, end + self.skew()),
            issuer,
        })
    }

    /// Until when whoever brings the assertion is its subject: the latest end of the confirmations that hold. The first refusal
    /// tells why none does.
    fn confirmed(&self, subject: NodeId) -> Result<NaiveDateTime, Refusal> {
        let (mut latest, mut refused) = (None, None);
        for confirmation in self.tree.named(subject, ASSERTION, "SubjectConfirmation") {
            if self.tree.attribute(confirmation, "Method") != Some(BEARER) {
                continue;
            }
            match self.confirmation(confirmation) {
                Ok(end) => latest = latest.max(Some(end)),
                Err(refusal) => {
                    refused.get_or_insert(refusal);
                }
            }
        }
        let missing = Refusal::Missing("SubjectConfirmation for a bearer");
        latest.ok_or(refused.unwrap_or(missing))
    }

    fn confirmation(&self, confirmation: NodeId) -> Result<NaiveDateTime, Refusal> {
        let tree = self.tree;
        let data = tree.only(confirmation, ASSERTION, "SubjectConfirmationData")?;
        let data = data.ok_or(Refusal::Missing("SubjectConfirmationData"))?;
        let recipient = tree.attribute(data, "Recipient");
        self.check_place("Recipient", recipient.ok_or(Refusal::Missing("Recipient"))?)?;
        let end = self.time(data, "NotOnOrAfter")?;
        let end = end.ok_or(Refusal::Missing("NotOnOrAfter of its subject"))?;
        self.check_end("NotOnOrAfter of its subject", end)?;
        if let Some(begin) = self.time(data, "NotBefore")? {
            self.check_begin("NotBefore of its subject", begin)?;
        }
        let answers = tree.attribute(data, "InResponseTo");
        if self.expected.request.is_some() && answers.is_none() {
            return Err(Refusal::OtherRequest);
        }
        self.check_answer(answers)?;
        Ok(end)
    }

    /// Holds the assertion to its conditions; returns when they end.
    fn conditions(&self, assertion: NodeId) -> Result<Option<NaiveDateTime>, Refusal> {
        let tree = self.tree;
        let needed = !self.expected.peer.is_keystone;
        let Some(conditions) = tree.only(assertion, ASSERTION, "Conditions")? else {
            return if needed {
                Err(Refusal::Missing("Conditions"))
            } else {
                Ok(None)
            };
        };
        if let Some(begin) = self.time(conditions, "NotBefore")? {
            self.check_begin("NotBefore of its conditions", begin)?;
        }
        let end = self.time(conditions, "NotOnOrAfter")?;
        if let Some(end) = end {
            self.check_end("NotOnOrAfter of its conditions", end)?;
        }
        let mut has_audience = false;
        for condition in tree.children(conditions) {
            if tree.is(condition, ASSERTION, "AudienceRestriction") {
                self.check_audience(condition)?;
                has_audience = true;
            } else if !tree.is(condition, ASSERTION, "OneTimeUse")
                && !tree.is(condition, ASSERTION, "ProxyRestriction")
            {
                return Err(Refusal::Condition);
            }
        }
        if needed && !has_audience {
            return Err(Refusal::Missing("AudienceRestriction"));
        }
        Ok(end)
    }

    fn check_audience(&self, restriction: NodeId) -> Result<(), Refusal> {
        let audiences = self.tree.named(restriction, ASSERTION, "Audience");
        let found: Vec<_> = audiences.map(|it| self.tree.trimmed(it)).collect();
        if found.iter().any(|it| it == self.expected.audience) {
            return Ok(());
        }
        Err(Refusal::Audience {
            expected: self.expected.audience.to_owned(),
            found,
        })
    }

    /// Somebody must have authenticated, and the session must go on.
    fn statements(&self, assertion: NodeId) -> Result<(), Refusal> {
        let mut statements = self
            .tree
            .named(assertion, ASSERTION, "AuthnStatement")
            .peekable();
        if statements.peek().is_none() {
            return Err(Refusal::Missing("AuthnStatement"));
        }
        for statement in statements {
            if let Some(end) = self.time(statement, "SessionNotOnOrAfter")? {
                self.check_end("SessionNotOnOrAfter", end)?;
            }
        }
        Ok(())
    }

    fn check_issuer(&self, found: String) -> Result<(), Refusal> {
        let expected = &self.expected.peer.entity_id;
        if found == *expected {
            return Ok(());
        }
        Err(Refusal::Issuer {
            expected: expected.clone(),
            found,
        })
    }

    fn check_place(&self, what: &'static str, found: &str) -> Result<(), Refusal> {
        let expected = self.expected.consumer;
        if found == expected {
            return Ok(());
        }
        Err(Refusal::Place {
            what,
            expected: expected.to_owned(),
            found: found.to_owned(),
        })
    }

    /// Whether it answers what was asked: the request that the client was sent with, or none where none need be.
    fn check_answer(&self, answers: Option<&str>) -> Result<(), Refusal> {
        match (self.expected.request, answers) {
            (Some(request), Some(answers)) if request == answers => Ok(()),
            // The response may leave it to the confirmation of the subject, which must have it.
            (Some(_), None) => Ok(()),
            (None, None) if self.expected.peer.allow_unsolicited => Ok(()),
            (None, None) => Err(Refusal::Unsolicited),
            _ => Err(Refusal::OtherRequest),
        }
    }

    fn time(&self, node: NodeId, name: &'static str) -> Result<Option<NaiveDateTime>, Refusal> {
        let text = self.tree.attribute(node, name);
        let time = text.map(|text| {
            let time = DateTime::parse_from_rfc3339(text);
            let time = time
                .ok()
                .filter(|time| time.offset().local_minus_utc() == 0);
            time.map(|time| time.naive_utc()).ok_or(Refusal::Time(name))
        });
        time.transpose()
    }

    fn skew(&self) -> Duration {
        self.expected.peer.max_clock_skew
    }

    fn check_end(&self, what: &'static str, end: NaiveDateTime) -> Result<(), Refusal> {
        let latest = end.checked_add_signed(self.skew());
        if latest.is_some_and(|latest| self.expected.now < latest) {
            return Ok(());
        }
        Err(Refusal::Expired(what))
    }

    fn check_begin(&self, what: &'static str, begin: NaiveDateTime) -> Result<(), Refusal> {
        let earliest = begin.checked_sub_signed(self.skew());
        if earliest.is_some_and(|earliest| earliest <= self.expected.now) {
            return Ok(());
        }
        Err(Refusal::NotYet(what))
    }
}
