//! How users are found and read, with the results that Python Keystone 30.0.0 had with the same directory.

use keystone_ldap::{AliasDereferencing, Error, Filter, QueryScope, Settings, User};

use crate::proxy::Proxy;
use crate::server::{Setup, Slapd};
use crate::{directory, group, names, slapd, user};

const PEOPLE: [&str; 17] = [
    "Upper",
    "alice",
    r"back\slash",
    "bob",
    "carol",
    "dave",
    "erin",
    "frank",
    "gina",
    "hugo",
    "multi",
    "nopass",
    "paren(theses)*",
    "plus+sign",
    "smith, john",
    "staff",
    "zoë",
];

/// The number of users with a change of the settings, and the names of those who are disabled.
async fn listed(slapd: &Slapd, change: impl FnOnce(&mut Settings)) -> (usize, Vec<String>) {
    let mut settings = slapd.settings();
    change(&mut settings);
    let users = directory(&settings).users(&[]).await.unwrap();
    assert!(users.iter().all(|user| user.enabled.is_some()), "{users:?}");
    (users.len(), in_state(&users, false))
}

/// The names of those who are enabled, or of those who are disabled.
fn in_state(users: &[User], enabled: bool) -> Vec<String> {
    let mut users = users.to_vec();
    users.retain(|user| user.enabled == Some(enabled));
    names(&users).into_iter().map(str::to_owned).collect()
}

fn found(count: usize, disabled: &[&str]) -> (usize, Vec<String>) {
    (count, disabled.iter().map(ToString::to_string).collect())
}

#[tokio::test]
async fn users_are_those_below_the_tree_that_pass_the_filter() {
    let slapd = slapd!();
    let sub = listed(&slapd, |it| it.query_scope = QueryScope::Sub).await;
    assert_eq!(sub, found(20, &["dave", "judy"]));
    let filtered = listed(&slapd, |it| it.user_filter = Some("(sn=A*)".into())).await;
    assert_eq!(filtered, found(1, &[]));
    let pages = listed(&slapd, |it| it.page_size = 3).await;
    assert_eq!(pages, found(17, &["dave"]));
    let by_mail = listed(&slapd, |it| it.user_id_attribute = "mail".into()).await;
    assert_eq!(by_mail, found(16, &["dave"]));
    let by_uuid = listed(&slapd, |it| {
        it.user_id_attribute = "entryUUID".into();
        it.user_name_attribute = "cn".into();
    });
    assert_eq!(by_uuid.await, found(17, &["Dave Disabled"]));
    let nowhere = listed(&slapd, |it| {
        it.user_tree_dn = Some("ou=Nobody,dc=example,dc=org".into());
    })
    .await;
    assert_eq!(nowhere, found(0, &[]));
    let default = listed(&slapd, |it| it.user_tree_dn = None).await;
    assert_eq!(default, found(0, &[]));
    let class = listed(&slapd, |it| it.user_objectclass = "account".into()).await;
    assert_eq!(class, found(0, &[]));
}

#[tokio::test]
async fn users_are_disabled_by_a_text() {
    let slapd = slapd!();
    assert_eq!(listed(&slapd, |_| {}).await, found(17, &["dave"]));
    // Another text than TRUE disables.
    let other = listed(&slapd, |it| {
        it.user_enabled_attribute = "accountStatus".into();
    })
    .await;
    assert_eq!(other, found(17, &["dave", "frank"]));
    let inverted = |default: &'static str| {
        move |it: &mut Settings| {
            it.user_enabled_attribute = "accountLocked".into();
            it.user_enabled_invert = true;
            it.user_enabled_default = default.into();
        }
    };
    assert_eq!(
        listed(&slapd, inverted("False")).await,
        found(17, &["dave", "frank"])
    );
    // Gina has no such attribute.
    assert_eq!(
        listed(&slapd, inverted("True")).await,
        found(17, &["dave", "frank", "gina"])
    );
    let missing = listed(&slapd, |it| it.user_enabled_default = "no".into()).await;
    assert_eq!(missing, found(17, &["dave", "gina"]));
    let none = listed(&slapd, |it| it.user_enabled_attribute = String::new()).await;
    assert_eq!(none, found(17, &[]));
}

#[tokio::test]
async fn users_are_disabled_by_all_bits_of_a_mask() {
    let slapd = slapd!();
    let masked = |mask: u32, default: &'static str| {
        move |it: &mut Settings| {
            // Servers and operators write names of attributes as they like.
            it.user_enabled_attribute = "useraccountcontrol".into();
            it.user_enabled_mask = mask;
            it.user_enabled_default = default.into();
            // No part of it.
            it.user_enabled_invert = true;
        }
    };
    assert_eq!(
        listed(&slapd, masked(2, "512")).await,
        found(17, &["dave", "frank"])
    );
    assert_eq!(
        listed(&slapd, masked(2, "514")).await,
        found(17, &["dave", "frank", "gina"])
    );
    assert_eq!(
        listed(&slapd, masked(65538, "512")).await,
        found(17, &["frank"])
    );
    let unread = listed(&slapd, |it| {
        masked(2, "512")(it);
        it.user_attribute_ignore = vec!["enabled".into()];
    });
    assert_eq!(unread.await, found(17, &[]));
}

#[tokio::test]
async fn users_are_enabled_by_a_group() {
    let slapd = slapd!();
    let emulation = |it: &mut Settings| {
        it.user_enabled_emulation = true;
        it.user_enabled_emulation_dn = Some("cn=Enabled_Users, ou=Groups,dc=example,dc=org".into());
    };
    let enabled = ["alice", "bob", "carol", "zoë"];
    let others: Vec<_> = PEOPLE
        .into_iter()
        .filter(|name| !enabled.contains(name))
        .collect();
    assert_eq!(listed(&slapd, emulation).await, found(17, &others));
    let mut settings = slapd.settings();
    emulation(&mut settings);
    let directory = directory(&settings);
    assert_eq!(user(&directory, "alice").await.enabled, Some(true));
    assert_eq!(user(&directory, "dave").await.enabled, Some(false));
}

#[tokio::test]
async fn aliases_are_followed_as_the_settings_say() {
    let entries = "dn: uid=link,ou=People,dc=example,dc=org\nobjectClass: alias\nobjectClass: extensibleObject\nuid: link\n\
                   aliasedObjectName: uid=ivan,ou=Contractors,ou=People,dc=example,dc=org\n";
    let slapd = slapd!(Setup {
        entries: entries.into(),
        ..Setup::default()
    });
    for (aliases, followed) in [
        (AliasDereferencing::Default, false),
        (AliasDereferencing::Never, false),
        (AliasDereferencing::Finding, false),
        (AliasDereferencing::Searching, true),
        (AliasDereferencing::Always, true),
    ] {
        let directory = directory(&Settings {
            alias_dereferencing: aliases,
            ..slapd.settings()
        });
        let ivan = directory.user("ivan").await.unwrap();
        assert_eq!(ivan.is_some(), followed, "{aliases:?}");
        // A member is named by its own place.
        let members = directory
            .members(&group(&directory, "contractors").await)
            .await
            .unwrap();
        assert_eq!(
            names(&members),
            if followed { vec!["ivan"] } else { vec![] },
            "{aliases:?}"
        );
    }
}

#[tokio::test]
async fn the_group_of_enabled_users_may_be_one_of_the_settings() {
    let slapd = slapd!();
    let settings = Settings {
        user_enabled_emulation: true,
        user_enabled_emulation_dn: Some("cn=unix,ou=Groups,dc=example,dc=org".into()),
        user_enabled_emulation_use_group_config: true,
        group_objectclass: "posixGroup".into(),
        group_member_attribute: "memberUid".into(),
        group_members_are_ids: true,
        ..slapd.settings()
    };
    let users = directory(&settings).users(&[]).await.unwrap();
    assert_eq!(in_state(&users, true), ["alice", "carol"]);
    // Without a group nobody is enabled.
    let settings = Settings {
        user_enabled_emulation_dn: None,
        ..settings
    };
    let users = directory(&settings).users(&[]).await.unwrap();
    assert!(users.len() == 17 && users.iter().all(|user| user.enabled == Some(false)));
}

#[tokio::test]
async fn ignored_attributes_are_not_read() {
    let slapd = slapd!();
    let settings = Settings {
        user_default_project_id_attribute: Some("defaultProject".into()),
        ..slapd.settings()
    };
    let alice = User {
        dn: "uid=alice,ou=People,dc=example,dc=org".into(),
        local_id: "alice".into(),
        name: "alice".into(),
        enabled: Some(true),
        email: Some("alice@example.org".into()),
        description: Some("first user".into()),
        default_project_id: None,
    };
    // The default project is, unless somebody says otherwise.
    assert_eq!(user(&directory(&settings), "alice").await, alice);
    let all = Settings {
        user_attribute_ignore: Vec::new(),
        ..settings.clone()
    };
    let project = Some("0123456789abcdef0123456789abcdef".into());
    assert_eq!(
        user(&directory(&all), "alice").await,
        User {
            default_project_id: project,
            ..alice.clone()
        }
    );
    let ignored = ["enabled", "email", "description", "default_project_id"]
        .map(str::to_owned)
        .to_vec();
    let none = Settings {
        user_attribute_ignore: ignored,
        ..settings
    };
    let none = directory(&none);
    assert_eq!(
        user(&none, "alice").await,
        User {
            enabled: None,
            email: None,
            description: None,
            ..alice
        }
    );
    assert!(
        none.users(&[])
            .await
            .unwrap()
            .iter()
            .all(|user| user.enabled.is_none())
    );
}

#[tokio::test]
async fn what_an_entry_does_not_have_is_absent() {
    let slapd = slapd!();
    let hugo = user(&directory(&slapd.settings()), "hugo").await;
    assert_eq!((hugo.email, hugo.description), (None, None));
}

#[tokio::test]
async fn a_value_that_is_no_number_disables_one_user_and_ends_no_list() {
    let slapd = slapd!();
    let settings = Settings {
        user_enabled_attribute: "accountStatus".into(),
        user_enabled_mask: 2,
        user_enabled_default: "512".into(),
        ..slapd.settings()
    };
    let users = directory(&settings).users(&[]).await.unwrap();
    // Gina has none.
    assert_eq!(users.len(), 17);
    assert_eq!(in_state(&users, true), ["gina"]);
}

#[tokio::test]
async fn names_are_looked_for_by_the_directory() {
    let slapd = slapd!();
    let directory = directory(&slapd.settings());
    let is = |text: &str| Filter::NameIs(text.into());
    let contains = |text: &str| Filter::NameContains(text.into());
    let starts = |text: &str| Filter::NameStartsWith(text.into());
    let ends = |text: &str| Filter::NameEndsWith(text.into());
    let tests = [
        (vec![is("alice")], vec!["alice"]),
        (vec![is("ALICE")], vec!["alice"]),
        (vec![is("al*")], vec![]),
        (vec![is("*")], vec![]),
        (vec![is("paren(theses)*")], vec!["paren(theses)*"]),
        (vec![is(r"back\slash")], vec![r"back\slash"]),
        (vec![is("smith, john")], vec!["smith, john"]),
        (vec![is("zoë")], vec!["zoë"]),
        (vec![is("multi-alias")], vec!["multi"]),
        (vec![is("alice)(uid=*")], vec![]),
        (vec![contains("LI")], vec!["alice", "multi"]),
        (vec![contains("(")], vec!["paren(theses)*"]),
        (vec![contains("*")], vec!["paren(theses)*"]),
        (vec![contains(r"\")], vec![r"back\slash"]),
        (vec![starts("A")], vec!["alice"]),
        (vec![starts("*")], vec![]),
        (vec![ends("E")], vec!["alice", "dave"]),
        (vec![ends("*")], vec!["paren(theses)*"]),
        (vec![starts("a"), ends("e")], vec!["alice"]),
        (vec![starts("a"), ends("b")], vec![]),
        (vec![contains(""), starts(""), ends("")], PEOPLE.to_vec()),
    ];
    for (filters, expected) in tests {
        assert_eq!(
            names(&directory.users(&filters).await.unwrap()),
            expected,
            "{filters:?}"
        );
    }
}

#[tokio::test]
async fn users_are_found_by_id_and_by_name() {
    let slapd = slapd!();
    let settings = slapd.settings();
    let with_names = directory(&settings);
    for name in PEOPLE {
        let found = with_names
            .user(name)
            .await
            .unwrap()
            .map(|user| user.local_id);
        assert_eq!(found.as_deref(), Some(name));
        let found = with_names
            .user_by_name(name)
            .await
            .unwrap()
            .map(|user| user.local_id);
        assert_eq!(found.as_deref(), Some(name));
    }
    for nobody in ["nobody", "", "*", "al*", "ivan", "cn=alice"] {
        assert_eq!(with_names.user(nobody).await.unwrap(), None, "{nobody}");
        assert_eq!(
            with_names.user_by_name(nobody).await.unwrap(),
            None,
            "{nobody}"
        );
    }
    // Those who do not pass the filter are nobody.
    let filtered = directory(&Settings {
        user_filter: Some("(!(uid=alice))".into()),
        ..settings.clone()
    });
    assert_eq!(filtered.user("alice").await.unwrap(), None);
    assert!(filtered.user("bob").await.unwrap().is_some());
    let with_uuids = directory(&Settings {
        user_id_attribute: "entryUUID".into(),
        ..settings
    });
    let alice = with_uuids.user_by_name("alice").await.unwrap().unwrap();
    assert_eq!(
        (
            alice.local_id.len(),
            user(&with_uuids, &alice.local_id).await
        ),
        (36, alice)
    );
}

#[tokio::test]
async fn of_several_ids_that_of_the_name_counts_or_else_the_first() {
    let entries = "dn: uid=mallory,ou=People,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: mallory\ncn: M\nsn: M\n\
                   mail: mallory@example.org\nmail: victim@example.org\n\n\
                   dn: uid=victim,ou=People,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: victim\ncn: V\nsn: V\n\
                   mail: victim@example.org\n";
    let slapd = slapd!(Setup {
        entries: entries.into(),
        ..Setup::default()
    });
    let settings = slapd.settings();
    let by_uid = directory(&settings);
    assert_eq!(user(&by_uid, "MULTI").await.local_id, "multi");
    assert_eq!(by_uid.user("multi-alias").await.unwrap(), None);
    // In an entry that another attribute names.
    let by_mail = directory(&Settings {
        user_id_attribute: "mail".into(),
        ..settings.clone()
    });
    let own = ["carol@example.org", "victim@example.org"];
    assert_eq!(user(&by_mail, own[0]).await.name, "carol");
    assert_eq!(by_mail.user("c.clark@example.org").await.unwrap(), None);
    assert_eq!(user(&by_mail, own[1]).await.name, "victim");
    let ids = ["c.clark@example.org", own[0], own[1]];
    let found = by_mail.users_with_ids(&ids).await.unwrap();
    assert_eq!(names(&found), ["carol", "victim"]);
    let gone = directory(&Settings {
        user_id_attribute: "mail".into(),
        user_filter: Some("(!(uid=victim))".into()),
        ..settings
    });
    assert_eq!(gone.user(own[1]).await.unwrap(), None);
}

#[tokio::test]
async fn sixteen_bytes_that_are_no_text_are_a_guid() {
    let entry = "dn: uid=guid,ou=People,dc=example,dc=org\nobjectClass: inetOrgPerson\nobjectClass: cloudPerson\nuid: guid\n\
                 cn: Guid\nsn: Guid\nobjectGUID:: /+7dzLuqmYh3ZlVEMyIRAA==\n";
    let slapd = slapd!(Setup {
        entries: entry.into(),
        ..Setup::default()
    });
    let directory = directory(&Settings {
        user_id_attribute: "objectGUID".into(),
        ..slapd.settings()
    });
    let users = directory.users(&[]).await.unwrap();
    let [found] = users.as_slice() else {
        panic!("{users:?}")
    };
    // Little-endian in its first three parts: uuid.UUID(bytes_le=bytes.fromhex("ffeeddccbbaa99887766554433221100")).
    assert_eq!(found.local_id, "ccddeeff-aabb-8899-7766-554433221100");
    assert_eq!(user(&directory, &found.local_id).await, *found);
}

#[tokio::test]
async fn entries_with_a_blank_name_are_passed_over() {
    let entry = "dn: uid=blank,ou=People,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: blank\ncn: Blank\nsn: Blank\n\
                 employeeType:: ICAg\n";
    let slapd = slapd!(Setup {
        entries: entry.into(),
        ..Setup::default()
    });
    let directory = directory(&Settings {
        user_name_attribute: "employeeType".into(),
        ..slapd.settings()
    });
    assert_eq!(directory.users(&[]).await.unwrap(), []);
    assert_eq!(directory.user("blank").await.unwrap(), None);
}

#[tokio::test]
async fn references_to_other_directories_are_passed_over_and_nobody_is_asked_there() {
    let other = slapd!();
    let proxy = Proxy::before(other.port).await;
    let entries = format!(
        "dn: ou=Elsewhere,ou=People,dc=example,dc=org\nobjectClass: referral\nobjectClass: extensibleObject\n\
         ou: Elsewhere\nref: {}/ou=Contractors,ou=People,dc=example,dc=org\n",
        proxy.url()
    );
    let slapd = slapd!(Setup {
        entries,
        ..Setup::default()
    });
    for page_size in [0, 3] {
        let settings = Settings {
            page_size,
            // It changes nothing.
            chase_referrals: Some(true),
            ..slapd.settings()
        };
        let people = directory(&settings);
        assert_eq!(names(&people.users(&[]).await.unwrap()), PEOPLE);
        assert_eq!(user(&people, "alice").await.name, "alice");
        let all = directory(&Settings {
            query_scope: QueryScope::Sub,
            ..settings.clone()
        });
        assert_eq!(all.users(&[]).await.unwrap().len(), 20);
        // Which is told once.
        let told = all.untold_references().unwrap();
        assert!(told.contains(&proxy.url()), "{told}");
        assert_eq!(all.untold_references(), None);
        let unwanted = directory(&Settings {
            chase_referrals: Some(false),
            query_scope: QueryScope::Sub,
            ..settings.clone()
        });
        assert_eq!(unwanted.users(&[]).await.unwrap().len(), 20);
        assert_eq!(unwanted.untold_references(), None);
        // A tree that is all elsewhere is an error: nobody could tell it from an empty one.
        let elsewhere = directory(&Settings {
            user_tree_dn: Some("ou=Elsewhere,ou=People,dc=example,dc=org".into()),
            ..settings
        });
        let error = elsewhere.users(&[]).await.unwrap_err();
        assert!(
            matches!(&error, Error::Refused { reason, .. } if reason.contains(&proxy.url())),
            "{error}"
        );
    }
    assert_eq!(proxy.connections(), 0);
}

#[tokio::test]
async fn two_users_of_one_name_are_two_in_a_list_and_the_first_one_alone() {
    let slapd = slapd!();
    let directory = directory(&Settings {
        query_scope: QueryScope::Sub,
        ..slapd.settings()
    });
    let bobs = directory
        .users(&[Filter::NameIs("bob".into())])
        .await
        .unwrap();
    assert_eq!(bobs.len(), 2);
    assert_eq!(user(&directory, "bob").await.dn, bobs[0].dn);
    assert_eq!(
        directory.user_by_name("bob").await.unwrap().as_ref(),
        bobs.first()
    );
}
