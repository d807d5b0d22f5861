use sqlx::mysql::MySqlSslMode;

use super::{DatabaseUrl, Place, Server};

fn server(text: &str) -> Server {
    match DatabaseUrl::parse(text).unwrap().place {
        Place::Server(server) => *server,
        other => panic!("{other:?}"),
    }
}

fn refusal(text: &str) -> String {
    DatabaseUrl::parse(text).unwrap_err().to_string()
}

#[test]
fn a_full_url() {
    let found = server("mysql+pymysql://keystone:p%40s%2Fs@controller:3307/identity?charset=utf8");
    assert_eq!(found.user.as_deref(), Some("keystone"));
    assert_eq!(found.password.as_ref().unwrap().reveal(), "p@s/s");
    assert_eq!(found.host, "controller");
    assert_eq!(found.port, Some(3307));
    assert_eq!(found.database, "identity");
}

#[test]
fn every_driver_of_mysql() {
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
fn odd_parts() {
    let found = server("mysql://u:a/b:c@h/d");
    assert_eq!(found.password.unwrap().reveal(), "a/b:c");
    assert_eq!(server("mysql://h:3306/d").user, None);
    assert_eq!(server("mysql:///d?unix_socket=/run/s").host, "localhost");
    let found = server("mysql://u@[::1]:3308/d");
    assert_eq!((found.host.as_str(), found.port), ("::1", Some(3308)));
}

#[test]
fn sqlite_paths() {
    let place = |text: &str| match DatabaseUrl::parse(text).unwrap().place {
        Place::File(path) => path.display().to_string(),
        Place::Memory => "memory".to_owned(),
        Place::Server(_) => panic!("{text}"),
    };
    assert_eq!(place("sqlite:///keystone.db"), "keystone.db");
    assert_eq!(
        place("sqlite:////var/lib/keystone.db"),
        "/var/lib/keystone.db"
    );
    assert_eq!(place("sqlite+pysqlite:////k.db?timeout=5"), "/k.db");
    for memory in [
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite::memory:",
    ] {
        assert_eq!(place(memory), "memory");
    }
}

#[test]
fn refusals_say_what_is_wrong_and_keep_the_password() {
    let cases = [
        ("hunter2", "no `://`"),
        ("postgresql://u:hunter2@h/d", "`postgresql` is no database"),
        ("mysql://u:hun@ter2@h/d", "write %40"),
        ("mysql://u:hunter2@h", "names no database"),
        ("mysql://u:hunter2@h:http/d", "port is not a number"),
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
fn unknown_parameters_are_named() {
    let url = DatabaseUrl::parse("mysql://u@h/d?charset=utf8&use_unicode=0&frobnicate=1").unwrap();
    assert_eq!(url.ignored(), ["frobnicate"]);
}

#[test]
fn tls() {
    let mode = |query: &str| {
        let options = server(&format!("mysql://u@h/d?{query}")).options();
        format!("{:?}", options.unwrap().get_ssl_mode())
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
fn timeouts() {
    let found = server("mysql://u@h/d?read_timeout=7&connect_timeout=0");
    assert_eq!(found.read_timeout().unwrap().unwrap().as_secs(), 7);
    assert!(found.connect_timeout().is_err());
}
