//! How users are found and read, with the results that Python Keystone 30.0.0 had with the same directory.

use keystone_ldap::{AliasDereferencing, Filter, QueryScope, Settings, User};

use crate::server::Setup;
use crate::{directory, names, slapd, user};

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

fn disabled(users: &[User]) -> Vec<&str> {
    let disabled: Vec<_> = users
        .iter()
        .filter(|user| user.enabled == Some(false))
        .cloned()
        .collect();
    users
        .iter()
        .map(|user| user.name.as_str())
        .filter(|name| names(&disabled).contains(name))
        .collect()
}

#[tokio::test]
async fn each_variant_lists_the_users_of_the_reference() {
    let slapd = slapd!();
    type Variant = (
        &'static str,
        fn(&mut Settings),
        usize,
        &'static [&'static str],
    );
    let all_but_four = [
        "Upper",
        r"back\slash",
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
    ];
    let variants: &[Variant] = &[
        ("plain", |_| {}, 17, &["dave"]),
        (
            "sub",
            |it| it.query_scope = QueryScope::Sub,
            20,
            &["dave", "judy"],
        ),
        (
            "text",
            |it| it.user_enabled_attribute = "accountStatus".into(),
            17,
            &["dave", "frank"],
        ),
        (
            "mask",
            |it| {
                it.user_enabled_attribute = "useraccountcontrol".into();
                it.user_enabled_mask = 2;
                it.user_enabled_default = "512".into();
            },
            17,
            &["dave", "frank"],
        ),
        (
            "mask without the attribute",
            |it| {
                it.user_attribute_ignore = vec!["enabled".into()];
                it.user_enabled_mask = 2;
                it.user_enabled_default = "512".into();
            },
            17,
            &[],
        ),
        (
            "inverted",
            |it| {
                it.user_enabled_attribute = "accountLocked".into();
                it.user_enabled_invert = true;
                it.user_enabled_default = "False".into();
            },
            17,
            &["dave", "frank"],
        ),
        (
            "id is mail",
            |it| it.user_id_attribute = "mail".into(),
            16,
            &["dave"],
        ),
        (
            "id is entryUUID",
            |it| {
                it.user_id_attribute = "entryUUID".into();
                it.user_name_attribute = "cn".into();
            },
            17,
            &["Dave Disabled"],
        ),
        (
            "filter",
            |it| it.user_filter = Some("(sn=A*)".into()),
            1,
            &[],
        ),
        ("pages", |it| it.page_size = 3, 17, &["dave"]),
        (
            "aliases",
            |it| it.alias_dereferencing = AliasDereferencing::Always,
            17,
            &["dave"],
        ),
        (
            "no tree",
            |it| it.user_tree_dn = Some("ou=Nobody,dc=example,dc=org".into()),
            0,
            &[],
        ),
        ("default tree", |it| it.user_tree_dn = None, 0, &[]),
        (
            "other class",
            |it| it.user_objectclass = "account".into(),
            0,
            &[],
        ),
    ];
    for (variant, change, count, off) in variants {
        let mut settings = slapd.settings();
        change(&mut settings);
        let users = directory(&settings).users(&[]).await.unwrap();
        assert_eq!(users.len(), *count, "{variant}: {:?}", names(&users));
        let mut found = disabled(&users);
        found.sort_unstable();
        assert_eq!(found, *off, "{variant}");
        assert!(users.iter().all(|user| user.enabled.is_some()), "{variant}");
    }
    let emulation = Settings {
        user_enabled_emulation: true,
        user_enabled_emulation_dn: Some("cn=Enabled_Users, ou=Groups,dc=example,dc=org".into()),
        ..slapd.settings()
    };
    let emulation = directory(&emulation);
    let users = emulation.users(&[]).await.unwrap();
    let mut found = disabled(&users);
    found.sort_unstable();
    assert_eq!(
        (names(&users), found),
        (PEOPLE.to_vec(), all_but_four.to_vec())
    );
    assert_eq!(user(&emulation, "alice").await.enabled, Some(true));
    assert_eq!(user(&emulation, "dave").await.enabled, Some(false));
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
    let enabled: Vec<_> = users
        .iter()
        .filter(|user| user.enabled == Some(true))
        .cloned()
        .collect();
    assert_eq!(names(&enabled), ["alice", "carol"]);
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
    let enabled: Vec<_> = users
        .iter()
        .filter(|user| user.enabled == Some(true))
        .cloned()
        .collect();
    assert_eq!((users.len(), names(&enabled)), (17, vec!["gina"]));
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
    let by_uid = directory(&settings);
    for name in PEOPLE {
        let found = by_uid.user(name).await.unwrap().map(|user| user.local_id);
        assert_eq!(found.as_deref(), Some(name));
        let found = by_uid
            .user_by_name(name)
            .await
            .unwrap()
            .map(|user| user.local_id);
        assert_eq!(found.as_deref(), Some(name));
    }
    for nobody in ["nobody", "", "*", "al*", "ivan", "cn=alice"] {
        assert_eq!(by_uid.user(nobody).await.unwrap(), None, "{nobody}");
        assert_eq!(by_uid.user_by_name(nobody).await.unwrap(), None, "{nobody}");
    }
    // Those who do not pass the filter are nobody.
    let filtered = directory(&Settings {
        user_filter: Some("(!(uid=alice))".into()),
        ..settings.clone()
    });
    assert_eq!(filtered.user("alice").await.unwrap(), None);
    assert!(filtered.user("bob").await.unwrap().is_some());
    let by_uuid = directory(&Settings {
        user_id_attribute: "entryUUID".into(),
        ..settings
    });
    let alice = by_uuid.user_by_name("alice").await.unwrap().unwrap();
    assert_eq!(
        (alice.local_id.len(), user(&by_uuid, &alice.local_id).await),
        (36, alice)
    );
}

#[tokio::test]
async fn of_several_ids_that_of_the_name_counts_or_else_the_first() {
    let slapd = slapd!();
    let settings = slapd.settings();
    assert_eq!(
        user(&directory(&settings), "multi-alias").await.local_id,
        "multi"
    );
    // In an entry that another attribute names.
    let by_mail = directory(&Settings {
        user_id_attribute: "mail".into(),
        ..settings
    });
    assert_eq!(
        user(&by_mail, "c.clark@example.org").await.local_id,
        "carol@example.org"
    );
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
async fn references_to_other_directories_are_passed_over() {
    let entry = "dn: ou=Elsewhere,ou=People,dc=example,dc=org\nobjectClass: referral\nobjectClass: extensibleObject\n\
                 ou: Elsewhere\nref: ldap://127.0.0.1:1/ou=Elsewhere,dc=example,dc=org\n";
    let slapd = slapd!(Setup {
        entries: entry.into(),
        ..Setup::default()
    });
    let directory = directory(&slapd.settings());
    assert_eq!(names(&directory.users(&[]).await.unwrap()), PEOPLE);
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
