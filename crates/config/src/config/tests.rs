use std::fs;

use super::*;

mod oslo;

fn load(text: &str) -> (Config, Vec<String>) {
    let (config, warnings) = Config::load(&Sources::new().text("k.conf", text)).unwrap();
    (config, warnings.iter().map(ToString::to_string).collect())
}

fn problems(text: &str) -> Vec<String> {
    let problems = Config::load(&Sources::new().text("k.conf", text)).unwrap_err();
    problems.0.iter().map(ToString::to_string).collect()
}

#[test]
fn all_problems_are_reported_with_their_lines() {
    let text = "\
stray = 1
[token]
expiration = soon
  provider = x
cache_on_issue = perhaps

  lost
[fernet_tokens]
max_active_keys = 0
[database]
connection_debug = 101
[identity]
password_hash_algorithm = md5
[DEFAULT]
public_endpoint = controller:5000
admin_token = $word
list_limit = $nothing
nonsense
[auth
methods = a
";
    assert_eq!(
        problems(text),
        [
            "k.conf:1: an option must stand under a section such as [DEFAULT]",
            "k.conf:7: the line is indented, but there is nothing above that it could continue",
            "k.conf:18: the line is neither a section, a comment nor an assignment (name = value)",
            "k.conf:19: a section header must end with ] and nothing may follow it",
            "k.conf:16: [DEFAULT] admin_token: a $ refers to an option that does not exist; \
             write $$ for a dollar sign",
            "k.conf:17: [DEFAULT] list_limit: $nothing refers to no option; \
             write $$ for a dollar sign",
            "k.conf:15: [DEFAULT] public_endpoint: expected a URI with a scheme and a host, \
             found \"controller:5000\"",
            "k.conf:11: [database] connection_debug: expected a whole number from 0 to 100, \
             found \"101\"",
            "k.conf:9: [fernet_tokens] max_active_keys: expected a whole number, 1 or more, \
             found \"0\"",
            "k.conf:13: [identity] password_hash_algorithm: expected one of bcrypt, \
             bcrypt_sha256, scrypt, pbkdf2_sha512, found \"md5\"",
            "k.conf:5: [token] cache_on_issue: expected true, 1, on, yes or false, 0, off, no, \
             found \"perhaps\"",
            "k.conf:3: [token] expiration: expected a whole number, 0 or more, found \"soon\\nprovider = x\"",
        ]
    );
}

#[test]
fn a_cycle_of_references_is_one_problem() {
    assert_eq!(
        problems("[token]\nprovider = $driver_name\ncache_time = 1\n"),
        [
            "k.conf:2: [token] provider: $driver_name refers to no option; write $$ for a dollar sign"
        ]
    );
    assert_eq!(
        problems("[saml]\nidp_lang = ${certfile}\ncertfile = $keyfile\nkeyfile = $idp_lang\n"),
        ["k.conf:2: [saml] idp_lang: the value refers to itself through $certfile"]
    );
}

#[test]
fn each_deprecated_or_unknown_name_gets_one_warning() {
    let (config, warnings) = load(
        "\
[DEFAULT]
sql_connection = sqlite://
sql_connection = sqlite:///x
log-dir = /var/log
policy_file = p.json
max_param_size = 64
[tokens]
provider = x
expiration = 5
[token]
expirations = 1
expirations = 2
zzz = 1
[default]
debug = true
[tokens]
provider = y
",
    );
    assert_eq!(
        config.optional_string("database", "connection"),
        Some("sqlite:///x")
    );
    assert_eq!(
        warnings,
        [
            "k.conf:7: [tokens]: there is no such group; did you mean [token]?",
            "k.conf:14: [default]: there is no such group; did you mean [DEFAULT]?",
            "k.conf:2: [DEFAULT] sql_connection: the name is deprecated; \
             it is now [database] connection",
            "k.conf:4: [DEFAULT] log-dir: there is no such option; did you mean log_dir?",
            "k.conf:5: [DEFAULT] policy_file: there is no such option; \
             did you mean [oslo_policy] policy_file?",
            "k.conf:6: [DEFAULT] max_param_size: deprecated, and will be removed",
            "k.conf:11: [token] expirations: there is no such option; did you mean expiration?",
            "k.conf:13: [token] zzz: there is no such option; it has no effect",
        ]
    );
}

#[test]
fn a_file_of_the_queens_release_gives_only_deprecation_warnings() {
    let (config, warnings) = load(include_str!("../../tests/queens.conf"));
    assert_eq!(
        warnings,
        [
            "k.conf:27: [database] idle_timeout: the name is deprecated; \
             it is now [database] connection_recycle_time",
            "k.conf:47: [assignment] list_limit: the name is deprecated; \
             it is now [resource] list_limit",
        ]
    );
    assert_eq!(
        config.optional_string("database", "connection"),
        Some("mysql+pymysql://keystone:KEYSTONE_DBPASS@controller/keystone")
    );
    assert_eq!(config.int("database", "connection_recycle_time"), 200);
    assert_eq!(config.string("token", "provider"), "fernet");
    assert_eq!(config.optional_int("resource", "list_limit"), Some(50));
    assert_eq!(
        config.list("auth", "methods"),
        ["external", "password", "token", "saml2"]
    );
    assert_eq!(
        config.plugin_option("saml2", "remote_id_attribute"),
        Some("Shib-Identity-Provider")
    );
    assert_eq!(
        config.plugin_option("auth", "saml2"),
        Some("keystone.auth.plugins.mapped.Mapped")
    );
    assert_eq!(
        config.multi("federation", "trusted_dashboard"),
        ["http://a/auth/websso/", "http://b/auth/websso/"]
    );
}

#[test]
fn secrets_stay_out_of_debug_and_messages() {
    let text = "\
[DEFAULT]
admin_token = s3cret
log_dir = /var/log
log_file = $admin_token
[database]
connection = mysql://u:s3cret@h/k
[ldap]
password = s3cret
";
    let (config, _) = load(text);
    let shown = format!("{config:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(shown.contains("[ldap] password: ***"), "{shown}");
    assert!(shown.contains("/var/log"), "{shown}");
    assert_eq!(config.optional_string("ldap", "password"), Some("s3cret"));

    let sources = Sources::new()
        .text("k.conf", text)
        .environment([("OS_LDAP__PASSWORD".to_owned(), "s3cret".to_owned())]);
    assert!(!format!("{sources:?}").contains("s3cret"));

    let text = "[DEFAULT]\nadmin_token = s3cret\n[token]\nexpiration = $admin_token\n";
    assert_eq!(
        problems(text),
        ["k.conf:4: [token] expiration: expected a whole number, 0 or more"]
    );
    let problems = problems("[database]\nconnection = mysql://u:pa$s3cret@h/k\n");
    assert!(!problems[0].contains("s3cret"), "{}", problems[0]);
}

#[test]
fn changed_lists_the_options_whose_values_differ() {
    let (old, _) = load("[DEFAULT]\ndebug = off\n[token]\nexpiration = 3600\nprovider = jws\n");
    let (new, _) =
        load("[DEFAULT]\ndebug = on\n[token]\nexpiration = 60\n[saml2]\nremote_id_attribute = X\n");
    let changes: Vec<_> = new
        .changed(&old)
        .into_iter()
        .map(|change| {
            (
                format!("[{}] {}", change.group, change.option),
                change.mutable,
            )
        })
        .collect();
    assert_eq!(
        changes,
        [
            ("[DEFAULT] debug".to_owned(), true),
            ("[token] expiration".to_owned(), false),
            ("[token] provider".to_owned(), false),
            ("[saml2] remote_id_attribute".to_owned(), false),
        ]
    );
    assert!(new.changed(&new).is_empty());
    assert!(old.is_set("token", "expiration"));
    assert!(!old.is_set("token", "cache_time"));
}

#[test]
fn later_files_and_directories_win() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    fs::create_dir(path("conf.d")).unwrap();
    fs::write(path("a.conf"), "[token]\nprovider = a\nexpiration = 1\n").unwrap();
    fs::write(path("conf.d/20.conf"), "[token]\nprovider = twenty\n").unwrap();
    fs::write(
        path("conf.d/10.conf"),
        "[token]\nprovider = ten\ncache_time = 10\n",
    )
    .unwrap();
    fs::write(path("conf.d/.30.conf"), "[token]\nprovider = hidden\n").unwrap();
    fs::write(path("conf.d/40.ini"), "[token]\nprovider = other\n").unwrap();
    let sources = Sources::new().file(path("a.conf")).dir(path("conf.d"));
    let (config, _) = Config::load(&sources).unwrap();
    assert_eq!(config.string("token", "provider"), "twenty");
    assert_eq!(config.int("token", "expiration"), 1);
    assert_eq!(config.optional_int("token", "cache_time"), Some(10));
    assert_eq!(
        config.origin("token", "provider"),
        Some(&Location::Line(path("conf.d/20.conf"), 2))
    );
    let sources = Sources::new().dir(path("conf.d")).file(path("a.conf"));
    let (config, _) = Config::load(&sources).unwrap();
    assert_eq!(config.string("token", "provider"), "a");
}

#[test]
fn unreadable_sources_are_problems() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    fs::write(path("latin.conf"), b"[token]\nprovider = \xe9\n").unwrap();
    let sources = Sources::new()
        .file(path("none.conf"))
        .dir(path("none.d"))
        .file(path("latin.conf"));
    let Problems(problems) = Config::load(&sources).unwrap_err();
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    let missing = "there is no such configuration file or directory";
    assert_eq!(
        problems,
        [
            format!("{}: {missing}", path("none.conf").display()),
            format!("{}: {missing}", path("none.d").display()),
            format!("{}:2: the line is not UTF-8", path("latin.conf").display()),
        ]
    );
}

#[test]
fn environment_variables_are_checked_like_files() {
    let variables = [
        ("OS_TOKEN__EXPIRATION", "never"),
        ("OS_AUTH__METHODS", "password,totp"),
        ("OS_AUTH__TOTP", "default"),
        ("OS_OSLO_MESSAGING_NOTIFICATIONS__DRIVER", "log"),
    ];
    let mut variables: BTreeMap<_, _> = variables
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let load = |variables: &BTreeMap<String, String>| {
        Config::load(&Sources::new().environment(variables.clone()))
    };
    assert_eq!(
        load(&variables).unwrap_err().to_string(),
        "environment variable OS_TOKEN__EXPIRATION: [token] expiration: \
         expected a whole number, 0 or more, found \"never\""
    );
    variables.remove("OS_TOKEN__EXPIRATION");
    let (config, _) = load(&variables).unwrap();
    assert_eq!(config.plugin_option("auth", "totp"), Some("default"));
    assert_eq!(
        config.multi("oslo_messaging_notifications", "driver"),
        ["log"]
    );
}

#[test]
fn an_empty_number_keeps_the_default() {
    let (config, _) = load("[token]\nexpiration =\n[oslo_policy]\nremote_timeout =\n");
    assert_eq!(config.optional_int("token", "expiration"), None);
    assert_eq!(config.int("token", "expiration"), 3600);
    assert!((config.float("oslo_policy", "remote_timeout") - 60.0).abs() < f64::EPSILON);
}

#[test]
fn a_diagnostic_names_the_line_of_its_option() {
    let (config, _) = load("[token]\nprovider = uuid\n");
    let diagnostic = config.diagnostic("token", "provider", "not supported");
    assert_eq!(
        diagnostic.to_string(),
        "k.conf:2: [token] provider: not supported"
    );
    let diagnostic = Config::default().diagnostic("token", "provider", "not supported");
    assert_eq!(diagnostic.to_string(), "[token] provider: not supported");
}

#[test]
fn getters_return_every_option_of_their_type() {
    let config = Config::default();
    for definition in &table().definitions {
        let (group, name) = (definition.group.as_str(), definition.name.as_str());
        let has_default = definition.value.is_some();
        let shown = match definition.kind {
            Kind::String | Kind::Uri if has_default => format!("{:?}", config.string(group, name)),
            Kind::String | Kind::Uri => format!("{:?}", config.optional_string(group, name)),
            Kind::Bool if has_default => format!("{:?}", config.bool(group, name)),
            Kind::Bool => format!("{:?}", config.optional_bool(group, name)),
            Kind::Int if has_default => format!("{:?}", config.int(group, name)),
            Kind::Int => format!("{:?}", config.optional_int(group, name)),
            Kind::Float if has_default => format!("{:?}", config.float(group, name)),
            Kind::Float => format!("{:?}", config.optional_float(group, name)),
            Kind::List => format!("{:?}", config.list(group, name)),
            Kind::Multi => format!("{:?}", config.multi(group, name)),
            Kind::Dict => config.json(group, name).to_string(),
            Kind::Lists => format!("{:?}", config.lists(group, name)),
        };
        assert!(!has_default || shown != "None", "{name}");
        assert!(!config.is_set(group, name));
    }
}

#[test]
#[should_panic(expected = "there is no option [token] providers")]
fn getting_an_unknown_option_panics() {
    Config::default().string("token", "providers");
}
