//! The crate against a real server with `fixture.ldif`: Debian's `slapd`, or the program that `KEYSTONE_TEST_SLAPD`
//! names. Where there is none, these tests say so and pass.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod faults;
mod groups;
mod logins;
mod paging;
mod proxy;
mod server;
mod tls;
mod users;

use keystone_ldap::{Directory, Group, Settings, User};
use ldap3::{Ldap, LdapConnAsync};

use server::{PASSWORD_OF_ROOT, Slapd};

/// A running server with the fixture, or the end of the test.
macro_rules! slapd {
    () => {
        slapd!(crate::server::Setup::default())
    };
    ($setup:expr) => {
        match crate::server::Slapd::start($setup).await {
            Some(slapd) => slapd,
            None => return,
        }
    };
}
pub(crate) use slapd;

impl Slapd {
    /// What the fixture needs.
    fn settings(&self) -> Settings {
        settings(&self.url())
    }

    /// A connection that may do everything.
    async fn root(&self) -> Ldap {
        let (connection, mut ldap) = LdapConnAsync::new(&self.url()).await.unwrap();
        tokio::spawn(connection.drive());
        let bound = ldap
            .simple_bind("cn=root,dc=example,dc=org", PASSWORD_OF_ROOT)
            .await
            .unwrap();
        bound.success().unwrap();
        ldap
    }
}

/// What the fixture needs, at a URL.
fn settings(url: &str) -> Settings {
    Settings {
        url: url.into(),
        user: Some("cn=keystone,ou=Services,dc=example,dc=org".into()),
        password: Some("service-secret".into()),
        suffix: "dc=example,dc=org".into(),
        user_tree_dn: Some("ou=People,dc=example,dc=org".into()),
        user_id_attribute: "uid".into(),
        user_name_attribute: "uid".into(),
        group_tree_dn: Some("ou=Groups,dc=example,dc=org".into()),
        group_name_attribute: "cn".into(),
        ..Settings::default()
    }
}

fn directory(settings: &Settings) -> Directory {
    Directory::new(settings).unwrap()
}

async fn user(directory: &Directory, local_id: &str) -> User {
    directory
        .user(local_id)
        .await
        .unwrap()
        .unwrap_or_else(|| panic!("there is no {local_id}"))
}

async fn group(directory: &Directory, local_id: &str) -> Group {
    directory
        .group(local_id)
        .await
        .unwrap()
        .unwrap_or_else(|| panic!("there is no {local_id}"))
}

/// The names of users, sorted.
fn names(users: &[User]) -> Vec<&str> {
    let mut names: Vec<_> = users.iter().map(|user| user.name.as_str()).collect();
    names.sort_unstable();
    names
}

/// Handlers of a web framework need it.
#[test]
fn questions_can_be_asked_from_any_thread() {
    fn is_send<T: Send>(_: T) {}
    let asked = async {
        let directory = directory(&Settings::default());
        let user = directory.user("").await?.unwrap();
        let group = directory.group_by_name("").await?.unwrap();
        directory.authenticate(&user, "").await?;
        directory.check().await?;
        directory.groups_of_user(&user).await?;
        directory.members(&group).await
    };
    is_send(asked);
}
