use keystone_types::Secret;
use serde_json::{Map, Value};
use sqlx::mysql::MySqlSslMode;

use super::{Backend, DatabaseUrl, Server};

/// `sqlalchemy.py` beside this file recorded the expected values.
#[test]
fn urls_are_read_as_sqlalchemy_reads_them() {
    let readings: Vec<Value> = serde_json::from_str(include_str!("sqlalchemy.json")).unwrap();
    assert!(readings.len() > 50);
    for expected in readings {
        let url = expected["url"].as_str().unwrap();
        // SQLAlchemy's dialects ignore empty parts.
        let part = |name: &str| expected[name].as_str().filter(|part| !part.is_empty());
        if url.starts_with("sqlite") {
            let path = part("database").filter(|path| *path != ":memory:");
            assert_eq!(file(url).as_deref(), path, "{url}");
        } else if expected.get("refused").is_some() || part("database").is_none() {
            assert!(DatabaseUrl::parse(url).is_err(), "{url}");
        } else {
            let found = server(url);
            let password = found.password.as_ref().map(Secret::reveal);
            assert_eq!(found.user.as_deref(), part("username"), "{url}");
            assert_eq!(password, part("password"), "{url}");
            let [host] = &found.hosts[..] else {
                panic!("{url}: {:?}", found.hosts);
            };
            assert_eq!(host.name, part("host").unwrap_or("localhost"), "{url}");
            assert_eq!(Value::from(host.port), expected["port"], "{url}");
            assert_eq!(Some(found.database.as_str()), part("database"), "{url}");
            let query: Map<String, Value> = found
                .parameters
                .into_iter()
                .map(|(name, value)| (name, value.into()))
                .collect();
            assert_eq!(Value::Object(query), expected["query"], "{url}");
        }
    }
}

/// The path of a database, unless it is in memory.
fn file(text: &str) -> Option<String> {
    match DatabaseUrl::parse(text).unwrap().backend {
        Backend::File(path) => Some(path.display().to_string()),
        Backend::Memory => None,
        Backend::Server(_) => panic!("{text}"),
    }
}

fn server(text: &str) -> Server {
    match DatabaseUrl::parse(text).unwrap().backend {
        Backend::Server(server) => *server,
        other => panic!("{other:?}"),
    }
}

fn refusal(text: &str) -> String {
    DatabaseUrl::parse(text).unwrap_err().to_string()
}

#[test]
fn several_hosts_are_tried_in_the_order_of_the_url() {
    let url = "mysql+pymysql://u:p@one,[::1]:3307,127.0.0.1:3308/d?connect_timeout=3";
    let found = server(url);
    let options = found.options().unwrap();
    let reached: Vec<_> = options
        .iter()
        .map(|(_, options)| (options.get_host(), options.get_port()))
        .collect();
    assert_eq!(reached, [("one", 3306), ("::1", 3307), ("127.0.0.1", 3308)]);
    assert_eq!(
        DatabaseUrl::parse(url).unwrap().to_string(),
        "mysql://u@one,[::1]:3307,127.0.0.1:3308/d"
    );
}

#[test]
fn every_mysql_driver_name_is_accepted() {
    for scheme in [
        "mysql",
        "mysql+mysqldb",
        "mysql+pymysql",
        "mariadb+pymysql",
        "mysql+unix_socket",
    ] {
        assert_eq!(server(&format!("{scheme}://u@h/d")).database, "d");
    }
}

#[test]
fn sqlite_urls_of_other_drivers_are_accepted() {
    assert_eq!(
        file("sqlite+pysqlite:////k.db?timeout=5").as_deref(),
        Some("/k.db")
    );
    assert_eq!(file("sqlite::memory:"), None);
}

#[test]
fn errors_name_the_problem_and_hide_the_password() {
    let cases = [
        ("hunter2", "no `://`"),
        ("postgresql://u:hunter2@h/d", "`postgresql` is no database"),
        ("mysql://u:hun@ter2@h/d", "write %40"),
        ("mysql://u:hunter2@h", "names no database"),
        ("mysql://u:hunter2@h:http/d", "port is not a number"),
        ("mysql://u:hunter2@h:/d", "port is not a number"),
        ("mysql://u:hunter2@[::1/d", "lacks its `]`"),
        ("mysql://u:hunter2@h,i:x/d", "port is not a number"),
        ("mysql://u:hunter2@h,i,/d", "in its list has no name"),
        ("mysql://u:hunter2@h,:3307/d", "in its list has no name"),
        (
            "mysql://u:hunter2@h,i/d?unix_socket=/s",
            "several hosts and a socket",
        ),
        ("mysql://u:%ffhunter2@h/d", "not UTF-8"),
        ("sqlite://keystone.db", "three slashes"),
    ];
    for (text, why) in cases {
        let message = refusal(text);
        assert!(message.contains(why), "{text}: {message}");
        assert!(
            !message.contains("hunter2") && !message.contains("ter2"),
            "{message}"
        );
    }
    let url = DatabaseUrl::parse("mysql://u:hunter2@h:1/d").unwrap();
    assert_eq!(url.to_string(), "mysql://u@h:1/d");
    assert!(!format!("{url:?}").contains("hunter2"));
}

#[test]
fn unknown_parameters_are_listed() {
    let url = DatabaseUrl::parse("mysql://u@h/d?charset=utf8&use_unicode=0&frobnicate=1").unwrap();
    assert_eq!(url.ignored(), ["frobnicate"]);
}

#[test]
fn tls_parameters_choose_the_tls_mode() {
    let mode = |query: &str| {
        let options = server(&format!("mysql://u@h/d?{query}")).options().unwrap();
        format!("{:?}", options[0].1.get_ssl_mode())
    };
    let is = |mode: MySqlSslMode| format!("{mode:?}");
    assert_eq!(mode(""), is(MySqlSslMode::Preferred));
    assert_eq!(mode("ssl_ca=/ca.pem"), is(MySqlSslMode::VerifyIdentity));
    assert_eq!(
        mode("ssl_ca=/ca.pem&ssl_check_hostname=false"),
        is(MySqlSslMode::VerifyCa)
    );
    assert_eq!(
        mode("ssl_ca=/ca.pem&ssl_verify_cert=false"),
        is(MySqlSslMode::Required)
    );
    assert_eq!(mode("ssl_verify_cert=true"), is(MySqlSslMode::VerifyCa));
    assert_eq!(mode("ssl_mode=DISABLED"), is(MySqlSslMode::Disabled));
    assert!(
        server("mysql://u@h/d?ssl_verify_cert=perhaps")
            .options()
            .is_err()
    );
}

#[test]
fn timeouts_are_positive_numbers() {
    let found = server("mysql://u@h/d?read_timeout=7&connect_timeout=0");
    assert_eq!(found.read_timeout().unwrap().unwrap().as_secs(), 7);
    assert!(found.connect_timeout().is_err());
}
