//! Directories with more entries than they send at a time.

use std::collections::HashSet;
use std::fmt::Write;

use keystone_ldap::{Error, Settings};

use crate::server::Setup;
use crate::{directory, slapd};

#[tokio::test]
async fn twelve_thousand_users_come_in_pages() {
    let mut entries = String::new();
    for number in 0..12_000 {
        let dn = format!("uid=many{number},ou=People,dc=example,dc=org");
        writeln!(
            entries,
            "dn: {dn}\nobjectClass: inetOrgPerson\nuid: many{number}\ncn: Many\nsn: Many\n"
        )
        .unwrap();
    }
    let lines = "limits dn.exact=\"cn=keystone,ou=Services,dc=example,dc=org\" size.soft=500 size.hard=500 size.prtotal=unlimited";
    let slapd = slapd!(Setup {
        lines,
        entries,
        ..Setup::default()
    });
    let settings = slapd.settings();
    let paged = directory(&Settings {
        page_size: 500,
        ..settings.clone()
    });
    let users = paged.users(&[]).await.unwrap();
    let ids: HashSet<_> = users.iter().map(|user| &user.local_id).collect();
    assert_eq!((users.len(), ids.len()), (12_017, 12_017));
    // The connection is as good as before.
    assert!(paged.user("many11999").await.unwrap().is_some());

    let whole = directory(&settings);
    let error = whole.users(&[]).await.unwrap_err();
    let base = "ou=People,dc=example,dc=org".to_owned();
    assert_eq!(
        error,
        Error::SizeLimit {
            url: slapd.url(),
            base
        }
    );
    assert_eq!(
        error.to_string(),
        format!(
            "the directory {} has more entries below \"ou=People,dc=example,dc=org\" than its size limit: set page_size of [ldap], \
             or raise the limit there",
            slapd.url()
        )
    );
    assert!(whole.user("many11999").await.unwrap().is_some());
}
