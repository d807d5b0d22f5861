//! Directories that are down, slow, or set up in another way.

use std::time::Duration;

use keystone_ldap::{Error, Settings};

use crate::proxy::{Mode, Proxy};
use crate::server::{Setup, free_port};
use crate::{directory, settings, slapd, user};

#[tokio::test]
async fn a_server_that_is_down_is_an_error_until_it_is_back() {
    let mut slapd = slapd!();
    let directory = directory(&slapd.settings());
    let alice = user(&directory, "alice").await;
    assert_eq!(
        directory.authenticate(&alice, "alice-secret").await,
        Ok(true)
    );
    assert_eq!(directory.check().await, Ok(()));
    slapd.stop();
    for error in [
        directory.check().await.unwrap_err(),
        directory.users(&[]).await.unwrap_err(),
        directory
            .authenticate(&alice, "alice-secret")
            .await
            .map(drop)
            .unwrap_err(),
    ] {
        assert!(
            matches!(&error, Error::Unavailable { url, .. } if *url == slapd.url()),
            "{error:?}"
        );
        let text = format!(
            "the directory {} is away: Connection refused (os error 111)",
            slapd.url()
        );
        assert_eq!(error.to_string(), text);
    }
    slapd.start_again().await;
    assert_eq!(directory.check().await, Ok(()));
    assert_eq!(
        directory.authenticate(&alice, "alice-secret").await,
        Ok(true)
    );
    // Connections of before are not used, nor seen to fail.
    slapd.start_again().await;
    assert_eq!(directory.users(&[]).await.unwrap().len(), 17);
    assert_eq!(
        directory.authenticate(&alice, "alice-secret").await,
        Ok(true)
    );
}

#[tokio::test]
async fn what_breaks_is_tried_once_more() {
    let slapd = slapd!();
    let proxy = Proxy::before(slapd.port).await;
    // Behind a proxy that lets nothing pass any more, the other server answers.
    let url = format!("{} {}", proxy.url(), slapd.url());
    let two = directory(&Settings {
        url,
        ..slapd.settings()
    });
    let one = directory(&settings(&proxy.url()));
    let alice = user(&two, "alice").await;
    assert_eq!(two.authenticate(&alice, "alice-secret").await, Ok(true));
    assert_eq!(one.users(&[]).await.unwrap().len(), 17);
    assert_eq!(proxy.connections(), 3);
    proxy.set(Mode::Cut);
    assert_eq!(two.users(&[]).await.unwrap().len(), 17);
    let error = one.users(&[]).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    proxy.set(Mode::Pass);
    assert_eq!(one.users(&[]).await.unwrap().len(), 17);
    assert_eq!(two.authenticate(&alice, "alice-secret").await, Ok(true));
}

#[tokio::test]
async fn the_next_url_is_for_when_the_first_is_dead() {
    let slapd = slapd!();
    let dead = format!("ldap://127.0.0.1:{}", free_port());
    for url in [
        format!("{dead},{}", slapd.url()),
        format!(" {dead} , {} ", slapd.url()),
        slapd.socket(),
    ] {
        let directory = directory(&Settings {
            url,
            ..slapd.settings()
        });
        assert_eq!(directory.users(&[]).await.unwrap().len(), 17);
    }
    let other = format!("ldap://localhost:{}", free_port());
    let error = directory(&settings(&format!("{dead},{other}")))
        .users(&[])
        .await
        .unwrap_err();
    let refused = "Connection refused (os error 111)";
    let text =
        format!("the directory {dead} {other} is away: {dead}: {refused}; {other}: {refused}");
    assert_eq!(error.to_string(), text);
}

#[tokio::test]
async fn servers_are_taken_in_their_order_or_in_any() {
    let slapd = slapd!();
    let (first, second) = (
        Proxy::before(slapd.port).await,
        Proxy::before(slapd.port).await,
    );
    let settings = settings(&format!("{} {}", first.url(), second.url()));
    for _ in 0..4 {
        directory(&settings).check().await.unwrap();
    }
    assert_eq!((first.connections(), second.connections()), (4, 0));
    let settings = Settings {
        randomize_urls: true,
        ..settings
    };
    // That one of two is the first forty times is one in a million million.
    for _ in 0..40 {
        directory(&settings).check().await.unwrap();
    }
    assert!(first.connections() > 4 && second.connections() > 0);
}

#[tokio::test]
async fn a_slow_server_is_an_error_in_time() {
    let slapd = slapd!();
    let proxy = Proxy::before(slapd.port).await;
    let settings = Settings {
        pool_connection_timeout: Some(Duration::from_secs(1)),
        ..settings(&proxy.url())
    };
    let one = directory(&settings);
    let alice = user(&one, "alice").await;
    proxy.set(Mode::Stall);
    let error = one.users(&[]).await.unwrap_err();
    let text = format!(
        "the directory {} is away: no answer about \"ou=People,dc=example,dc=org\" within 1s",
        proxy.url()
    );
    assert_eq!(error.to_string(), text);
    // Now on a new connection, whose login gets no answer.
    let error = one.users(&[]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the directory {} is away: no connection within 1s",
            proxy.url()
        )
    );
    let error = one.authenticate(&alice, "alice-secret").await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    // Each server has its share of the time.
    let two = directory(&Settings {
        url: format!("{} {}", proxy.url(), slapd.url()),
        ..settings.clone()
    });
    assert_eq!(two.users(&[]).await.unwrap().len(), 17);
    let unpooled = Settings {
        use_pool: false,
        connection_timeout: Some(Duration::from_millis(300)),
        ..settings
    };
    let error = directory(&unpooled).users(&[]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the directory {} is away: no connection within 300ms",
            proxy.url()
        )
    );
    proxy.set(Mode::Pass);
    assert_eq!(one.users(&[]).await.unwrap().len(), 17);
}

#[tokio::test]
async fn no_more_connections_are_made_than_allowed() {
    let slapd = slapd!();
    let proxy = Proxy::before(slapd.port).await;
    let settings = Settings {
        pool_size: 1,
        ..settings(&proxy.url())
    };
    let one = directory(&settings);
    let (first, second, third) = tokio::join!(one.users(&[]), one.groups(&[]), one.user("alice"));
    assert_eq!(
        (
            first.unwrap().len(),
            second.unwrap().len(),
            third.unwrap().is_some()
        ),
        (17, 6, true)
    );
    assert_eq!(proxy.connections(), 1);
}

#[tokio::test]
async fn a_wrong_password_of_the_service_is_said_without_it() {
    let slapd = slapd!();
    let settings = Settings {
        password: Some("hidden-one".into()),
        ..slapd.settings()
    };
    let directory = directory(&settings);
    let error = directory.users(&[]).await.unwrap_err();
    let user = settings.user.clone().unwrap();
    assert_eq!(
        error,
        Error::InvalidCredentials {
            url: slapd.url(),
            user: user.clone()
        }
    );
    let text = format!(
        "the directory {} refuses the password of {user:?}: see user and password of [ldap]",
        slapd.url()
    );
    assert_eq!(error.to_string(), text);
    assert_eq!(directory.check().await, Err(error.clone()));
    let shown = format!("{error:?} {directory:?} {settings:?}");
    assert!(!shown.contains("hidden-one"), "{shown}");
}

#[tokio::test]
async fn without_user_and_password_searches_are_anonymous() {
    let slapd = slapd!(Setup {
        access: "access to * by * read",
        ..Setup::default()
    });
    let nobody = |user: Option<&str>, password: Option<&str>| Settings {
        user: user.map(Into::into),
        password: password.map(Into::into),
        ..slapd.settings()
    };
    let dn = "cn=keystone,ou=Services,dc=example,dc=org";
    for settings in [
        nobody(None, None),
        nobody(Some(""), Some("")),
        nobody(Some(dn), None),
        nobody(Some(dn), Some("")),
    ] {
        assert_eq!(directory(&settings).users(&[]).await.unwrap().len(), 17);
    }
}

#[tokio::test]
async fn a_check_misses_the_tree_of_users() {
    let slapd = slapd!();
    let settings = Settings {
        user_tree_dn: Some("ou=Nobody,dc=example,dc=org".into()),
        ..slapd.settings()
    };
    let error = directory(&settings).check().await.unwrap_err();
    let text = format!(
        "the directory {} has no entry \"ou=Nobody,dc=example,dc=org\": see user_tree_dn of [ldap]",
        slapd.url()
    );
    assert_eq!(error.to_string(), text);
}

#[tokio::test]
async fn an_anonymous_search_that_is_not_allowed_is_an_error() {
    let slapd = slapd!(Setup {
        lines: "require authc",
        ..Setup::default()
    });
    let settings = Settings {
        user: None,
        ..slapd.settings()
    };
    let error = directory(&settings).users(&[]).await.unwrap_err();
    let begin = format!(
        "the directory {} refuses what it was asked about \"ou=People,dc=example,dc=org\": ",
        slapd.url()
    );
    assert!(error.to_string().starts_with(&begin), "{error}");
    assert!(
        error.to_string().contains("authentication required"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_wants_encryption_is_no_wrong_password() {
    let slapd = slapd!();
    let alice = user(&directory(&slapd.settings()), "alice").await;
    let strict = slapd!(Setup {
        lines: "security simple_bind=64",
        ..Setup::default()
    });
    let directory = directory(&strict.settings());
    let error = directory.users(&[]).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(
        error.to_string().contains("(confidentialityRequired)"),
        "{error}"
    );
    let error = directory
        .authenticate(&alice, "alice-secret")
        .await
        .unwrap_err();
    let begin = format!(
        "the directory {} refuses what it was asked about {:?}: rc=13 (",
        strict.url(),
        alice.dn
    );
    assert!(error.to_string().starts_with(&begin), "{error}");
}

#[tokio::test]
async fn a_tree_of_another_server_is_refused_with_its_place() {
    let lines = "referral ldap://elsewhere.example/";
    let slapd = slapd!(Setup {
        lines,
        ..Setup::default()
    });
    let settings = Settings {
        user_tree_dn: Some("ou=People,dc=other".into()),
        ..slapd.settings()
    };
    let error = directory(&settings).users(&[]).await.unwrap_err();
    let begin = format!(
        "the directory {} refuses what it was asked about \"ou=People,dc=other\": it is at \"ldap://elsewhere.example/",
        slapd.url()
    );
    assert!(error.to_string().starts_with(&begin), "{error}");
}
