//! Whatever names and texts there are: what is made is taken, and what is changed is not.

use chrono::Duration;
use keystone_saml::idp::{Group, Issue, Statement};
use keystone_saml::sp::{Message, Peer};
use proptest::prelude::*;

use crate::signer::{CONSUMER, IDP, key, now, peer, values, verify, verify_as};

/// A text that XML can hold, without space around it, which does not count.
fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z\"'<>&éß漢😀]([ -~\\t\\n\\réß漢😀]{0,12}[a-zA-Z\"'<>&éß漢😀])?"
}

fn keystone() -> Peer {
    Peer {
        is_keystone: true,
        allow_unsolicited: true,
        ..peer()
    }
}

fn made(user: &str, roles: Vec<String>, group: &str) -> String {
    let statement = Statement {
        user: user.to_owned(),
        user_domain: "Default".to_owned(),
        roles,
        project: "demo".to_owned(),
        project_domain: "Default".to_owned(),
        groups: vec![Group {
            name: group.to_owned(),
            domain: "Default".to_owned(),
        }],
    };
    let issue = Issue {
        issuer: IDP,
        recipient: CONSUMER,
        lifetime: Duration::hours(1),
        now: now(),
    };
    statement.response(&issue, &key()).unwrap()
}

proptest! {
    #[test]
    fn what_is_made_is_read_as_it_was(user in name(), roles in prop::collection::vec(name(), 1..4), group in name()) {
        let text = made(&user, roles.clone(), &group);
        let login = verify_as(&text, &keystone(), None, now()).unwrap();
        prop_assert_eq!(values(&login, "openstack_user").unwrap(), [user]);
        prop_assert_eq!(values(&login, "openstack_roles").unwrap(), roles);
    }

    #[test]
    fn what_is_changed_is_read_the_same_or_not_at_all(place in any::<prop::sample::Index>(), other in "[ -~]") {
        let text = made("alice", vec!["reader".to_owned()], "ops");
        let login = verify_as(&text, &keystone(), None, now()).unwrap();
        let place = place.index(text.len());
        prop_assume!(text.is_char_boundary(place) && text.is_char_boundary(place + 1));
        let changed = format!("{}{other}{}", &text[..place], &text[place + 1..]);
        if let Ok(read) = verify_as(&changed, &keystone(), None, now()) {
            prop_assert_eq!(read, login);
        }
    }

    #[test]
    fn no_text_is_a_login(text in "[<>/a-z:=\"'!?&; -]{0,200}") {
        prop_assert!(verify(&text, &peer()).is_err());
        let _ = Message::from_form(&text);
    }
}
