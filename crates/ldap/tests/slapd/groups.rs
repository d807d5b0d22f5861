//! Groups and who is in them.

use std::collections::HashSet;
use std::fmt::Write;

use keystone_ldap::{Filter, Group, QueryScope, Settings};

use crate::proxy::Proxy;
use crate::server::Setup;
use crate::{directory, group, names, settings, slapd, user};

fn group_names(groups: &[Group]) -> Vec<&str> {
    let mut names: Vec<_> = groups.iter().map(|group| group.name.as_str()).collect();
    names.sort_unstable();
    names
}

fn posix(settings: Settings) -> Settings {
    Settings {
        group_objectclass: "posixGroup".into(),
        group_member_attribute: "memberUid".into(),
        group_members_are_ids: true,
        ..settings
    }
}

#[tokio::test]
async fn groups_are_listed_and_found() {
    let slapd = slapd!();
    let names_of_ours = directory(&slapd.settings());
    let all = names_of_ours.groups(&[]).await.unwrap();
    assert_eq!(
        group_names(&all),
        [
            "contractors",
            "devs",
            "enabled_users",
            "ghosts",
            "ops",
            "staff"
        ]
    );
    let devs = Group {
        dn: "cn=devs,ou=Groups,dc=example,dc=org".into(),
        local_id: "devs".into(),
        name: "devs".into(),
        description: Some("developers".into()),
    };
    assert_eq!(
        names_of_ours.group("devs").await.unwrap().as_ref(),
        Some(&devs)
    );
    assert_eq!(
        names_of_ours.group_by_name("DEVS").await.unwrap().as_ref(),
        Some(&devs)
    );
    assert_eq!(names_of_ours.group("unix").await.unwrap(), None);
    assert_eq!(names_of_ours.group_by_name("d*").await.unwrap(), None);
    let found = names_of_ours
        .groups(&[Filter::NameStartsWith("d".into())])
        .await
        .unwrap();
    assert_eq!(found, [devs]);
}

#[tokio::test]
async fn groups_are_read_as_the_settings_say() {
    let slapd = slapd!();
    let devs = group(&directory(&slapd.settings()), "devs").await;
    // By default the name is another attribute, and one group has it.
    let by_ou = directory(&Settings {
        group_name_attribute: "ou".into(),
        ..slapd.settings()
    });
    let named = Group {
        name: "Developers".into(),
        ..devs.clone()
    };
    assert_eq!(by_ou.groups(&[]).await.unwrap(), [named]);
    let ignored = directory(&Settings {
        group_attribute_ignore: vec!["description".into()],
        ..slapd.settings()
    });
    assert_eq!(
        group(&ignored, "devs").await,
        Group {
            description: None,
            ..devs
        }
    );
    let filtered = directory(&Settings {
        group_filter: Some("(description=op*)".into()),
        ..slapd.settings()
    });
    assert_eq!(group_names(&filtered.groups(&[]).await.unwrap()), ["ops"]);
    let unix = directory(&posix(slapd.settings()));
    assert_eq!(group_names(&unix.groups(&[]).await.unwrap()), ["unix"]);
}

#[tokio::test]
async fn members_are_the_users_among_them() {
    let slapd = slapd!();
    let one = directory(&slapd.settings());
    let sub = directory(&Settings {
        query_scope: QueryScope::Sub,
        page_size: 2,
        ..slapd.settings()
    });
    let members: &[(&str, &[&str], &[&str])] = &[
        ("devs", &["alice", "bob", "zoë"], &["alice", "bob", "zoë"]),
        (
            "ops",
            &["carol", "dave", "smith, john"],
            &["carol", "dave", "smith, john"],
        ),
        // Two groups are members too.
        ("staff", &["erin"], &["erin"]),
        // The only member is not there.
        ("ghosts", &[], &[]),
        // They are further below.
        ("contractors", &[], &["bob", "ivan", "judy"]),
    ];
    for (name, in_one, in_sub) in members {
        assert_eq!(
            names(&one.members(&group(&one, name).await).await.unwrap()),
            *in_one,
            "{name}"
        );
        assert_eq!(
            names(&sub.members(&group(&sub, name).await).await.unwrap()),
            *in_sub,
            "{name}"
        );
    }
    let unix = directory(&posix(slapd.settings()));
    assert_eq!(
        names(&unix.members(&group(&unix, "unix").await).await.unwrap()),
        ["alice", "carol"]
    );
    let gone = Group {
        dn: "cn=gone,ou=Groups,dc=example,dc=org".into(),
        ..group(&one, "devs").await
    };
    assert_eq!(one.members(&gone).await.unwrap(), []);
}

#[tokio::test]
async fn a_member_is_the_entry_at_its_place_and_not_a_namesake() {
    let slapd = slapd!();
    let sub = directory(&Settings {
        query_scope: QueryScope::Sub,
        ..slapd.settings()
    });
    let places = async |name: &str| {
        let members = sub.members(&group(&sub, name).await).await.unwrap();
        members
            .into_iter()
            .filter(|user| user.name == "bob")
            .map(|user| user.dn)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        places("devs").await,
        ["uid=bob,ou=People,dc=example,dc=org"]
    );
    assert_eq!(
        places("contractors").await,
        ["uid=bob,ou=Contractors,ou=People,dc=example,dc=org"]
    );
}

#[tokio::test]
async fn members_pass_the_filter_of_users() {
    let slapd = slapd!();
    let settings = Settings {
        user_filter: Some("(!(uid=alice))".into()),
        ..slapd.settings()
    };
    let directory = directory(&settings);
    assert_eq!(
        names(
            &directory
                .members(&group(&directory, "devs").await)
                .await
                .unwrap()
        ),
        ["bob", "zoë"]
    );
}

#[tokio::test]
async fn members_have_their_state() {
    let slapd = slapd!();
    let settings = slapd.settings();
    let plain = directory(&settings);
    let off = async |directory: &keystone_ldap::Directory| {
        let members = directory
            .members(&group(directory, "ops").await)
            .await
            .unwrap();
        let off: Vec<_> = members
            .into_iter()
            .filter(|user| user.enabled == Some(false))
            .collect();
        names(&off)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(off(&plain).await, ["dave"]);
    let emulation_dn = Some("cn=enabled_users,ou=Groups,dc=example,dc=org".into());
    let emulated = Settings {
        user_enabled_emulation: true,
        user_enabled_emulation_dn: emulation_dn,
        ..settings
    };
    assert_eq!(off(&directory(&emulated)).await, ["dave", "smith, john"]);
}

#[tokio::test]
async fn groups_of_a_user_have_it_as_a_direct_member() {
    let slapd = slapd!();
    let settings = slapd.settings();
    let direct = directory(&settings);
    let sub = directory(&Settings {
        query_scope: QueryScope::Sub,
        ..settings.clone()
    });
    let groups: &[(&str, &[&str])] = &[
        ("alice", &["devs", "enabled_users"]),
        ("bob", &["devs", "enabled_users"]),
        ("smith, john", &["ops"]),
        ("zoë", &["devs", "enabled_users"]),
        ("hugo", &[]),
        ("paren(theses)*", &[]),
    ];
    for (name, expected) in groups {
        let found = direct
            .groups_of_user(&user(&direct, name).await)
            .await
            .unwrap();
        assert_eq!(group_names(&found), *expected, "{name}");
    }
    let judy = user(&sub, "judy").await;
    assert_eq!(
        group_names(&sub.groups_of_user(&judy).await.unwrap()),
        ["contractors"]
    );
    let unix = directory(&posix(settings.clone()));
    let alice = user(&unix, "alice").await;
    assert_eq!(
        group_names(&unix.groups_of_user(&alice).await.unwrap()),
        ["unix"]
    );
    let none = directory(&Settings {
        group_tree_dn: None,
        ..settings
    });
    assert_eq!(none.groups_of_user(&alice).await.unwrap(), []);
}

/// The entries of people, each with an id and a place below `ou=People`, and of a group that has them all.
fn crowd(group: &str, people: impl Iterator<Item = (String, &'static str)>) -> String {
    let (mut entries, mut members) = (String::new(), String::new());
    for (uid, place) in people {
        let dn = format!("uid={uid},{place}ou=People,dc=example,dc=org");
        let person = format!("objectClass: inetOrgPerson\nuid: {uid}\ncn: {group}\nsn: {group}");
        writeln!(entries, "dn: {dn}\n{person}\n").unwrap();
        writeln!(members, "member: {dn}").unwrap();
    }
    format!(
        "{entries}dn: cn={group},ou=Groups,dc=example,dc=org\nobjectClass: groupOfNames\ncn: {group}\n{members}"
    )
}

#[tokio::test]
async fn a_group_of_hundreds_is_read_in_few_searches() {
    let people = (0..450).map(|number| (format!("many{number}"), ""));
    let entries = crowd("many", people);
    let slapd = slapd!(Setup {
        entries,
        ..Setup::default()
    });
    let proxy = Proxy::before(slapd.port).await;
    let directory = directory(&settings(&proxy.url()));
    let many = group(&directory, "many").await;
    let before = proxy.requests();
    let found = directory.members(&many).await.unwrap();
    assert_eq!(
        proxy.requests() - before,
        6,
        "one for the group, and one for a hundred members"
    );
    let distinct: HashSet<_> = found.iter().map(|user| &user.dn).collect();
    assert_eq!((found.len(), distinct.len()), (450, 450));
}

#[tokio::test]
async fn namesakes_among_hundreds_are_listed_once() {
    let twins = (0..150).map(|number| format!("twin{number}"));
    let people = twins.flat_map(|uid| ["", "ou=Contractors,"].map(|place| (uid.clone(), place)));
    let entries = crowd("twins", people);
    let slapd = slapd!(Setup {
        entries,
        ..Setup::default()
    });
    let sub = directory(&Settings {
        query_scope: QueryScope::Sub,
        ..slapd.settings()
    });
    let found = sub.members(&group(&sub, "twins").await).await.unwrap();
    let distinct: HashSet<_> = found.iter().map(|user| &user.dn).collect();
    assert_eq!((found.len(), distinct.len()), (300, 300));
    // Nor is one who is asked for in two ways, in different searches.
    let mut ids: Vec<_> = (0..120).map(|number| format!("twin{number}")).collect();
    ids.push("TWIN99".into());
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    assert_eq!(sub.users_with_ids(&ids).await.unwrap().len(), 240);
}

#[tokio::test]
async fn of_groups_with_one_id_the_first_comes_first() {
    let entries = "dn: cn=devs,ou=Contractors,ou=People,dc=example,dc=org\nobjectClass: groupOfNames\ncn: devs\n\
                   member: uid=bob,ou=Contractors,ou=People,dc=example,dc=org\n";
    let slapd = slapd!(Setup {
        entries: entries.into(),
        ..Setup::default()
    });
    let sub = directory(&Settings {
        query_scope: QueryScope::Sub,
        group_tree_dn: Some("dc=example,dc=org".into()),
        ..slapd.settings()
    });
    let found = sub.groups_with_ids(&["ops", "DEVS"]).await.unwrap();
    assert_eq!(group_names(&found), ["devs", "devs", "ops"]);
    let [one, other] = ["ou=Groups", "ou=Contractors,ou=People"].map(|place| {
        let dn = format!("CN=devs, {place},dc=example,dc=org");
        let is_there = |group: &&Group| {
            group.is(&Group {
                dn: dn.clone(),
                ..(*group).clone()
            })
        };
        found.iter().find(is_there).unwrap().clone()
    });
    assert!(!one.is(&other));
    let first = found.iter().find(|group| group.name == "devs");
    assert_eq!(Some(group(&sub, "devs").await).as_ref(), first);
}

#[tokio::test]
async fn nested_groups_are_asked_for_by_the_rule_of_active_directory() {
    let slapd = slapd!();
    let directory = directory(&Settings {
        group_ad_nesting: true,
        ..slapd.settings()
    });
    // OpenLDAP does not know the rule, so that nothing fits.
    assert_eq!(
        directory
            .members(&group(&directory, "devs").await)
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        directory
            .groups_of_user(&user(&directory, "alice").await)
            .await
            .unwrap(),
        []
    );
}

#[tokio::test]
async fn of_several_ids_of_a_group_its_own_counts() {
    let entries = "dn: cn=first,ou=Groups,dc=example,dc=org\nobjectClass: groupOfNames\ncn: first\n\
                   description: one\ndescription: operators\nmember: uid=alice,ou=People,dc=example,dc=org\n\n\
                   dn: cn=mail,ou=Groups,dc=example,dc=org\nobjectClass: posixGroup\ncn: mail\ngidNumber: 1\n\
                   memberUid: c.clark@example.org\nmemberUid: alice@example.org\n";
    let slapd = slapd!(Setup {
        entries: entries.into(),
        ..Setup::default()
    });
    let described = directory(&Settings {
        group_id_attribute: "description".into(),
        ..slapd.settings()
    });
    assert_eq!(group(&described, "one").await.name, "first");
    assert_eq!(group(&described, "Operators").await.name, "ops");
    let filtered = directory(&Settings {
        group_id_attribute: "description".into(),
        group_filter: Some("(!(cn=ops))".into()),
        ..slapd.settings()
    });
    assert_eq!(filtered.group("operators").await.unwrap(), None);
    // Nor is a member of the group whose further id it has.
    let by_mail = directory(&Settings {
        user_id_attribute: "mail".into(),
        ..posix(slapd.settings())
    });
    let of_mail = group(&by_mail, "mail").await;
    assert_eq!(names(&by_mail.members(&of_mail).await.unwrap()), ["alice"]);
}
