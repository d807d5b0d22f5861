//! Properties of database URLs: no text makes parsing panic, every part is read back, and no password is shown.

use keystone_storage::DatabaseUrl;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

proptest! {
    #[test]
    fn parsing_any_text_returns(text in any::<String>()) {
        let _ = DatabaseUrl::parse(&text);
    }

    #[test]
    fn parsing_any_text_after_a_scheme_returns(
        scheme in prop::sample::select(vec!["mysql", "mysql+pymysql", "sqlite", "postgresql"]),
        rest in "[a-z0-9:/@?&=%+.\\[\\]\u{e9} -]{0,60}",
    ) {
        if let Ok(url) = DatabaseUrl::parse(&format!("{scheme}://{rest}")) {
            let _ = url.to_string();
        }
    }

    #[test]
    fn parts_are_read_back_and_the_password_is_hidden(
        user in "[^\\x00/]{1,20}",
        password in "hunter2[^\\x00]{0,20}",
        host in "[a-z][a-z0-9.-]{0,20}",
        port in any::<u16>(),
        database in "[^\\x00]{1,20}",
    ) {
        prop_assume!([&user, &host, &database].iter().all(|part| !part.contains("hunter2")));
        let login = format!("{}:{}", encoded(&user), encoded(&password));
        let text = format!("mysql+pymysql://{login}@{host}:{port}/{}", encoded(&database));
        let url = DatabaseUrl::parse(&text).unwrap();
        prop_assert_eq!(url.to_string(), format!("mysql://{user}@{host}:{port}/{database}"));
        let shown = format!("{url:?}");
        prop_assert!(!shown.contains("hunter2"), "{}", shown);
    }

    #[test]
    fn errors_hide_the_password(rest in "[a-z0-9:/@?&=%.]{0,30}") {
        let text = format!("mysql://user:hunter2{rest}");
        if let Err(error) = DatabaseUrl::parse(&text) {
            prop_assert!(!error.to_string().contains("hunter2"));
        }
    }
}
