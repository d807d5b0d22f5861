//! A group with more members than Active Directory sends at a time, of a server that answers as it does: no free one has its
//! limit.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::sync::{Arc, Mutex};

use keystone_ldap::{AliasDereferencing, Directory, Group, Settings, User};
use ldap3::asn1::{StructureTag, parse_tag};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const MEMBERS: [&str; 5] = [
    "cn=a,dc=x",
    "cn=b,dc=x",
    "cn=c,dc=x",
    "cn=d,dc=x",
    "cn=e,dc=x",
];

/// The range of members that answers a request for an attribute.
type Ranges = fn(&str) -> Option<(&'static str, &'static [&'static str])>;

fn in_twos(asked: &str) -> Option<(&'static str, &'static [&'static str])> {
    match asked {
        "member" => Some(("member;range=0-1", &MEMBERS[..2])),
        "member;range=2-*" => Some(("Member;Range=2-3", &MEMBERS[2..4])),
        "member;range=4-*" => Some(("member;range=4-*", &MEMBERS[4..])),
        _ => None,
    }
}

/// A server whose second range does not go on where the first one ended.
fn astray(asked: &str) -> Option<(&'static str, &'static [&'static str])> {
    match asked {
        "member" => Some(("member;range=0-1", &MEMBERS[..2])),
        "member;range=2-*" => Some(("member;range=0-6", &MEMBERS[..2])),
        "member;range=7-*" => Some(("member;range=7-*", &MEMBERS[2..])),
        _ => None,
    }
}

/// A server with a range that has nothing in it, again and again.
fn without_end(asked: &str) -> Option<(&'static str, &'static [&'static str])> {
    match asked {
        "member" => Some(("member;range=0-1", &MEMBERS[..2])),
        "member;range=2-*" => Some(("member;range=2-1", &[])),
        _ => None,
    }
}

/// A group with members whose names name nothing.
fn strange(asked: &str) -> Option<(&'static str, &'static [&'static str])> {
    (asked == "member").then_some(("member", &["", "cn=a,dc=x", "a_b=c,dc=x"]))
}

#[tokio::test]
async fn members_in_ranges_are_all_read() {
    assert_eq!(members(in_twos).await, ["a", "b", "c", "d", "e"]);
}

#[tokio::test]
async fn a_range_that_does_not_follow_the_last_one_is_the_end() {
    assert_eq!(members(astray).await, ["a", "b"]);
}

#[tokio::test]
async fn a_range_without_values_is_the_end() {
    assert_eq!(members(without_end).await, ["a", "b"]);
}

#[tokio::test]
async fn members_that_no_filter_can_ask_for_are_passed_over() {
    let server = Server::start(strange).await;
    let settings = Settings {
        // Without this nobody asks about entries at any place.
        alias_dereferencing: AliasDereferencing::Always,
        ..server.settings()
    };
    assert_eq!(server.members(&settings).await, ["a"]);
    let everything = tlv(0xa0, &[]);
    assert!(!server.was_asked(&everything));
    let one = [tlv(4, b"cn"), tlv(4, b"a")].concat();
    assert!(server.was_asked(&tlv(0xa3, &one)));
}

#[tokio::test]
async fn members_of_nested_groups_are_asked_for_by_the_rule_of_active_directory() {
    let server = Server::start(in_twos).await;
    let settings = Settings {
        group_ad_nesting: true,
        // The rule is for the attributes of Active Directory.
        group_member_attribute: "uniqueMember".into(),
        ..server.settings()
    };
    server.members(&settings).await;
    assert!(server.was_asked(&in_chain("memberOf", "cn=group,dc=x")));
    let user = User {
        dn: "cn=a,dc=x".into(),
        local_id: "a".into(),
        name: "a".into(),
        enabled: None,
        email: None,
        description: None,
        default_project_id: None,
    };
    let directory = Directory::new(&settings).unwrap();
    directory.groups_of_user(&user).await.unwrap();
    assert!(server.was_asked(&in_chain("member", "cn=a,dc=x")));
}

/// What the filter of an extensible match has in it (RFC 4511, 4.5.1.7.7).
fn in_chain(attribute: &str, value: &str) -> Vec<u8> {
    let rule = tlv(0x81, b"1.2.840.113556.1.4.1941");
    let attribute = tlv(0x82, attribute.as_bytes());
    [rule, attribute, tlv(0x83, value.as_bytes())].concat()
}

async fn members(ranges: Ranges) -> Vec<String> {
    let server = Server::start(ranges).await;
    server.members(&server.settings()).await
}

struct Server {
    url: String,
    /// All that was asked.
    asked: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    async fn start(ranges: Ranges) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ldap://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let record = asked.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, ranges, record.clone()));
            }
        });
        Self { url, asked }
    }

    fn settings(&self) -> Settings {
        Settings {
            url: self.url.clone(),
            user_tree_dn: Some("dc=x".into()),
            user_name_attribute: "cn".into(),
            ..Settings::default()
        }
    }

    async fn members(&self, settings: &Settings) -> Vec<String> {
        let group = Group {
            dn: "cn=group,dc=x".into(),
            local_id: "group".into(),
            name: "group".into(),
            description: None,
        };
        let directory = Directory::new(settings).unwrap();
        let found = directory.members(&group).await.unwrap();
        found.into_iter().map(|user| user.name).collect()
    }

    /// Whether a request had this in it.
    fn was_asked(&self, part: &[u8]) -> bool {
        let asked = self.asked.lock().unwrap();
        asked.windows(part.len()).any(|some| some == part)
    }
}

async fn serve(mut client: TcpStream, ranges: Ranges, record: Arc<Mutex<Vec<u8>>>) -> Option<()> {
    let mut received = Vec::new();
    loop {
        client
            .read_buf(&mut received)
            .await
            .ok()
            .filter(|read| *read > 0)?;
        while let Ok((rest, message)) = parse_tag(&received) {
            let rest = rest.to_vec();
            let length = received.len() - rest.len();
            record.lock().unwrap().extend(&received[..length]);
            received = rest;
            let mut parts = message.expect_constructed()?.into_iter();
            let id = parts.next()?.expect_primitive()?;
            let answer = |content: Vec<u8>| tlv(0x30, &[tlv(2, &id), content].concat());
            let attributes = parts
                .next()?
                .expect_constructed()?
                .pop()?
                .expect_constructed()?;
            for entry in entries(attributes, ranges)? {
                client.write_all(&answer(entry)).await.ok()?;
            }
            let success = [tlv(10, &[0]), tlv(4, b""), tlv(4, b"")].concat();
            client.write_all(&answer(tlv(0x65, &success))).await.ok()?;
        }
    }
}

/// The group, if its members are asked for, or else a user for each member.
fn entries(attributes: Vec<StructureTag>, ranges: Ranges) -> Option<Vec<Vec<u8>>> {
    let asked = String::from_utf8(attributes.into_iter().next()?.expect_primitive()?).ok()?;
    if let Some((name, values)) = ranges(&asked) {
        return Some(vec![entry("cn=group,dc=x", name, values)]);
    }
    Some(
        MEMBERS
            .iter()
            .map(|dn| entry(dn, "cn", &[&dn[3..4]]))
            .collect(),
    )
}

fn entry(dn: &str, attribute: &str, values: &[&str]) -> Vec<u8> {
    let values: Vec<_> = values
        .iter()
        .flat_map(|value| tlv(4, value.as_bytes()))
        .collect();
    let attribute = tlv(
        0x30,
        &[tlv(4, attribute.as_bytes()), tlv(0x31, &values)].concat(),
    );
    tlv(
        0x64,
        &[tlv(4, dn.as_bytes()), tlv(0x30, &attribute)].concat(),
    )
}

/// A tag with its content, which is short.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
}
