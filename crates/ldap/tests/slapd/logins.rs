//! Users' passwords.

use std::time::Duration;

use keystone_ldap::{QueryScope, Settings, User};
use ldap3::Mod;

use crate::proxy::Proxy;
use crate::{directory, settings, slapd, user};

#[tokio::test]
async fn users_log_in_with_their_passwords() {
    let slapd = slapd!();
    let directory = directory(&slapd.settings());
    for user in directory.users(&[]).await.unwrap() {
        let password = format!("{}-secret", user.local_id);
        let has_one = user.local_id != "nopass";
        assert_eq!(
            directory.authenticate(&user, &password).await,
            Ok(has_one),
            "{user:?}"
        );
        for wrong in [
            "secret",
            "*",
            "\0",
            &password.to_uppercase(),
            &format!("{password}\0"),
        ] {
            assert_eq!(
                directory.authenticate(&user, wrong).await,
                Ok(false),
                "{user:?} {wrong}"
            );
        }
    }
    // Names are compared by the directory. That dave is disabled is for the caller to see.
    let alice = directory.user_by_name("ALICE").await.unwrap().unwrap();
    assert_eq!(alice.local_id, "alice");
    assert_eq!(
        directory.authenticate(&alice, "alice-secret").await,
        Ok(true)
    );
    assert_eq!(user(&directory, "dave").await.enabled, Some(false));
}

#[tokio::test]
async fn sec_19_an_empty_password_never_reaches_the_directory() {
    let slapd = slapd!();
    let alice = user(&directory(&slapd.settings()), "alice").await;
    let proxy = Proxy::before(slapd.port).await;
    let behind = directory(&settings(&proxy.url()));
    assert_eq!(behind.authenticate(&alice, "").await, Ok(false));
    // A name without an entry would be a bind of nobody, which succeeds with any password.
    let nobody = User {
        dn: String::new(),
        ..alice.clone()
    };
    assert_eq!(
        behind.authenticate(&nobody, "alice-secret").await,
        Ok(false)
    );
    assert_eq!(proxy.connections(), 0);
    assert_eq!(behind.authenticate(&alice, "alice-secret").await, Ok(true));
    assert_eq!(proxy.connections(), 1);
}

#[tokio::test]
async fn searches_never_go_over_a_connection_for_logins() {
    let slapd = slapd!();
    let proxy = Proxy::before(slapd.port).await;
    let directory = directory(&Settings {
        pool_size: 1,
        auth_pool_size: 1,
        ..settings(&proxy.url())
    });
    let alice = user(&directory, "alice").await;
    for password in ["wrong", "alice-secret", "wrong"] {
        directory.authenticate(&alice, password).await.unwrap();
        // The server shows entries to the service only: neither to alice nor to nobody.
        assert_eq!(directory.users(&[]).await.unwrap().len(), 17);
    }
    // One connection for each of the two is kept.
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test]
async fn connections_are_kept_as_the_settings_say() {
    let slapd = slapd!();
    let connections = async |change: fn(&mut Settings)| {
        let proxy = Proxy::before(slapd.port).await;
        let mut settings = settings(&proxy.url());
        change(&mut settings);
        let directory = directory(&settings);
        let alice = user(&directory, "alice").await;
        for _ in 0..2 {
            assert_eq!(directory.users(&[]).await.unwrap().len(), 17);
            assert_eq!(
                directory.authenticate(&alice, "alice-secret").await,
                Ok(true)
            );
        }
        proxy.connections()
    };
    assert_eq!(connections(|_| {}).await, 2);
    assert_eq!(connections(|it| it.use_auth_pool = false).await, 3);
    assert_eq!(connections(|it| it.use_pool = false).await, 5);
    assert_eq!(
        connections(|it| it.pool_connection_lifetime = Duration::ZERO).await,
        4
    );
    assert_eq!(
        connections(|it| it.auth_pool_connection_lifetime = Duration::ZERO).await,
        3
    );
}

#[tokio::test]
async fn a_namesake_has_another_password() {
    let slapd = slapd!();
    let mut root = slapd.root().await;
    let dn = "uid=bob,ou=Contractors,ou=People,dc=example,dc=org";
    let change = Mod::Replace("userPassword", ["contractor-secret"].into());
    root.modify(dn, vec![change])
        .await
        .unwrap()
        .success()
        .unwrap();
    let directory = directory(&Settings {
        query_scope: QueryScope::Sub,
        ..slapd.settings()
    });
    for bob in directory
        .users(&[keystone_ldap::Filter::NameIs("bob".into())])
        .await
        .unwrap()
    {
        let contractor = bob.dn == dn;
        assert_eq!(
            directory.authenticate(&bob, "contractor-secret").await,
            Ok(contractor)
        );
        assert_eq!(
            directory.authenticate(&bob, "bob-secret").await,
            Ok(!contractor)
        );
    }
}

#[tokio::test]
async fn a_changed_entry_is_seen_at_once() {
    let slapd = slapd!();
    let directory = directory(&slapd.settings());
    let alice = user(&directory, "alice").await;
    assert_eq!(alice.enabled, Some(true));
    let mut root = slapd.root().await;
    let changes = vec![
        Mod::Replace("enabled", ["FALSE"].into()),
        Mod::Replace("userPassword", ["new"].into()),
    ];
    root.modify(&alice.dn, changes)
        .await
        .unwrap()
        .success()
        .unwrap();
    assert_eq!(user(&directory, "alice").await.enabled, Some(false));
    assert_eq!(
        directory.authenticate(&alice, "alice-secret").await,
        Ok(false)
    );
    assert_eq!(directory.authenticate(&alice, "new").await, Ok(true));
    root.delete(&alice.dn).await.unwrap().success().unwrap();
    assert_eq!(directory.user("alice").await.unwrap(), None);
    assert_eq!(directory.authenticate(&alice, "new").await, Ok(false));
}
