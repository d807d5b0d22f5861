//! Texts of `keystone.conf` and the resulting settings.

use chrono::Duration;
use keystone::Provider;
use keystone::auth::HashFunction;
use keystone::identity::password::Algorithm;
use keystone::policy::RemoteFormat;
use keystone::token::{self, JwsKeys};

use crate::{Config, Diagnostic, Problems, Sources};

mod backends;
mod federation;

fn sources(text: &str) -> Sources {
    Sources::new().text("keystone.conf", text)
}

fn read(text: &str) -> Result<(keystone::Settings, Vec<Diagnostic>), Problems> {
    let sources = sources(text);
    let (config, _) = Config::load(&sources).expect("the text is well formed");
    config.settings(&sources)
}

fn good(text: &str) -> keystone::Settings {
    read(text).expect("the text is right").0
}

fn problems(text: &str) -> String {
    read(text).expect_err("the text is wrong").to_string()
}

#[test]
fn defaults_are_those_of_the_crates() {
    let (settings, warnings) = read("").unwrap();
    let standard = keystone::Settings::default();
    for (mine, theirs) in [
        (
            format!("{:?}", settings.auth),
            format!("{:?}", standard.auth),
        ),
        (format!("{:?}", settings.api), format!("{:?}", standard.api)),
        (
            format!("{:?}", settings.catalog),
            format!("{:?}", standard.catalog),
        ),
        (
            format!("{:?}", settings.keys.tokens),
            format!("{:?}", standard.keys.tokens),
        ),
    ] {
        assert_eq!(mine.replace("keys/\"", "keys\""), theirs);
    }
    assert_eq!(settings.identity.password_algorithm, None);
    assert_eq!(
        settings.identity.revocation_lifetime,
        Duration::seconds(5400 + 172_800)
    );
    assert_eq!(settings.identity.max_project_tree_depth, 5);
    assert_eq!(settings.database.pool.size, 5);
    assert_eq!(settings.database.pool.overflow, 50);
    assert_eq!(settings.database.url, "sqlite:///keystone.db");
    assert_eq!(
        warnings[0].to_string(),
        "[database] connection: not set; using the file keystone.db in the working directory"
    );
}

#[test]
fn options_reach_the_settings_of_their_crates() {
    let settings = good(
        "[DEFAULT]\npublic_endpoint = https://id.example\nlist_limit = 20\nadmin_token = s3cret\n\
         strict_password_check = true\n\
         [database]\nconnection = mysql+pymysql://k:p@db/keystone?charset=utf8\nmax_pool_size = 0\n\
         max_overflow = -1\nconnection_recycle_time = -1\n\
         [token]\nexpiration = 60\n[revoke]\nexpiration_buffer = 40\n\
         [identity]\npassword_hash_algorithm = scrypt\npassword_hash_rounds = 12\n\
         [security_compliance]\nlockout_failure_attempts = 3\nlockout_duration = 90\n\
         password_regex = ^(?=.*\\d)(?=.*[a-zA-Z]).{7,}$\npassword_regex_description = Letters and digits\n\
         [catalog]\nlist_limit = 7\ndriver = keystone.catalog.backends.sql.Catalog\n\
         [resource]\nadmin_project_name = admin\nadmin_project_domain_name = Default\n\
         [fernet_tokens]\nkey_repository = /keys\nmax_active_keys = 4\n\
         [fernet_receipts]\nkey_repository = /keys\n\
         [oslo_policy]\nremote_content_type = application/json\npolicy_dirs = /etc/a\npolicy_dirs = /etc/b\n",
    );
    assert_eq!(settings.database.pool.size, 1000);
    assert_eq!(settings.database.pool.overflow, 1000);
    assert_eq!(settings.auth.expiration, Duration::seconds(60));
    assert_eq!(
        settings.identity.revocation_lifetime,
        Duration::seconds(100 + 172_800)
    );
    assert_eq!(
        settings.identity.password_algorithm,
        Some(Algorithm::Scrypt)
    );
    assert_eq!(settings.identity.passwords.rounds, Some(12));
    let compliance = settings.identity.compliance;
    assert_eq!(compliance.lockout_failure_attempts, Some(3));
    assert_eq!(compliance.lockout_duration, Some(Duration::seconds(90)));
    let regex = compliance.password_regex.map(|it| it.pattern().to_owned());
    assert_eq!(regex.unwrap(), r"^(?=.*\d)(?=.*[a-zA-Z]).{7,}$");
    let description = compliance.password_regex_description;
    assert_eq!(description.unwrap(), "Letters and digits");
    assert!(settings.identity.passwords.strict);
    assert_eq!(settings.api.list_limits.catalog, Some(7));
    assert_eq!(settings.api.list_limit, Some(20));
    assert_eq!(settings.api.admin_token.unwrap().reveal(), "s3cret");
    assert_eq!(
        settings.auth.admin_project,
        Some(("admin".to_owned(), "Default".to_owned()))
    );
    let [tokens, receipts] = [settings.keys.tokens, settings.keys.receipts];
    assert_eq!(format!("{tokens:?}"), format!("{receipts:?}"));
    assert_eq!(settings.policy.remote.format, RemoteFormat::Json);
    assert_eq!(settings.policy.dirs.len(), 2);
}

#[test]
fn impossible_values_are_problems_with_their_lines() {
    assert_eq!(
        problems("[identity]\ndriver = hybrid\n[token]\nprovider = uuid\n"),
        "keystone.conf:4: [token] provider: expected fernet or jws\n\
         keystone.conf:2: [identity] driver: \"hybrid\" is no driver of this server, which has sql and ldap"
    );
    assert_eq!(
        problems("[token]\nexpiration = 9223372036854775807\n"),
        "keystone.conf:2: [token] expiration: expected a number of seconds from 0 to 3155760000"
    );
    assert_eq!(
        problems("[oslo_middleware]\nmax_request_body_size = -1\n"),
        "keystone.conf:2: [oslo_middleware] max_request_body_size: expected a whole number, 0 or more"
    );
    let regex = problems("[security_compliance]\npassword_regex = (?a)[a-z]+\n");
    assert_eq!(
        regex,
        "keystone.conf:2: [security_compliance] password_regex: the flag a is not supported here"
    );
    let secret = problems("[database]\nconnection = postgresql://k:hidden@db/keystone\n");
    assert!(
        secret.starts_with("keystone.conf:2: [database] connection: "),
        "{secret}"
    );
    assert!(!secret.contains("hidden"), "{secret}");
}

#[test]
fn a_policy_file_is_searched_beside_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let conf = dir.path().join("keystone.conf");
    std::fs::write(&conf, "[oslo_policy]\npolicy_file = rules.yaml\n").unwrap();
    let sources = Sources::new().file(&conf);
    let settings = || {
        let (config, _) = Config::load(&sources).unwrap();
        config.settings(&sources).unwrap()
    };
    let rules = dir.path().join("rules.yaml");
    let (missing, warnings) = settings();
    assert_eq!(missing.policy.file.as_ref(), Some(&rules));
    assert!(
        warnings
            .iter()
            .any(|it| it.text.starts_with("there is no such file"))
    );

    std::fs::write(&rules, "{}").unwrap();
    let (found, warnings) = settings();
    assert_eq!(found.policy.file, Some(rules));
    assert!(
        !warnings
            .iter()
            .any(|it| it.text.starts_with("there is no such file"))
    );
}

#[test]
fn the_provider_of_tokens_and_its_algorithms_are_chosen() {
    let standard = good("").keys;
    assert_eq!(standard.provider, Provider::Fernet);
    assert_eq!(standard.jws, JwsKeys::default());
    let text = "[token]\nprovider = jws\n[jwt_tokens]\njws_algorithm = ES512\n\
                jws_accepted_algorithms = ES256, ES512\njws_private_key_repository = /private\n\
                jws_public_key_repository = /public\n";
    let (settings, warnings) = read(text).unwrap();
    assert_eq!(settings.keys.provider, Provider::Jws);
    let expected = JwsKeys {
        private: "/private".into(),
        public: "/public".into(),
        algorithm: token::Algorithm::Es512,
        accepted: vec![token::Algorithm::Es256, token::Algorithm::Es512],
    };
    assert_eq!(settings.keys.jws, expected);
    assert_eq!(warnings.len(), 1, "of the database only: {warnings:?}");

    let text = "[token]\nprovider = jws\n[jwt_tokens]\njws_algorithm = EdDSA\n";
    let (_, warnings) = read(text).unwrap();
    assert!(
        warnings
            .iter()
            .any(|it| it.to_string().contains("EdDSA is not among them"))
    );
    for (text, expected) in [
        (
            "[token]\nprovider = uuid\n",
            "[token] provider: expected fernet or jws",
        ),
        (
            "[jwt_tokens]\njws_accepted_algorithms = ES256,none\n",
            "there is no algorithm \"none\"",
        ),
        (
            "[jwt_tokens]\njws_accepted_algorithms = HS256\n",
            "there is no algorithm \"HS256\"",
        ),
        ("[jwt_tokens]\njws_algorithm = RS256\n", "jws_algorithm"),
    ] {
        let found = match Config::load(&sources(text)) {
            Ok(_) => problems(text),
            Err(problems) => problems.to_string(),
        };
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn methods_keep_their_order_and_only_plugins_of_keystone_are_accepted() {
    let text = "[auth]\nmethods = totp,password,site\npassword = default\ntotp =\n\
                [totp]\nincluded_previous_windows = 3\n";
    let (settings, warnings) = read(text).unwrap();
    assert_eq!(settings.auth.methods, ["totp", "password", "site"]);
    assert_eq!(settings.auth.totp_previous_windows, 3);
    let expected = "[auth] methods: site is a method of a plugin, which this server can't run: \
                    nobody can log in with it";
    assert!(
        warnings.iter().any(|it| it.to_string().ends_with(expected)),
        "{warnings:?}"
    );
    for good_text in [
        "[auth]\nexternal = Domain\n",
        "[auth]\nmethods = token\npassword = site\n",
    ] {
        good(good_text);
    }
    for (text, expected) in [
        (
            "[auth]\npassword = site\n",
            "keystone.conf:2: [auth] password: the plugin site of password can't be run",
        ),
        (
            "[auth]\nmethods = totp\ntotp = site\n",
            "[auth] methods: the plugin site of totp can't be run",
        ),
    ] {
        assert!(problems(text).contains(expected), "{}", problems(text));
    }
}

#[test]
fn the_domain_of_external_users_is_one_of_two() {
    use keystone::auth::ExternalDomain;
    assert_eq!(
        good("[auth]\nexternal = Domain\n").auth.external,
        ExternalDomain::Remote
    );
    assert_eq!(
        good("[auth]\nexternal = DefaultDomain\n").auth.external,
        ExternalDomain::Default
    );
}

#[test]
fn wrong_passwords_are_announced_with_the_hash_that_is_configured() {
    const REPORT: &str = "[security_compliance]\nreport_invalid_password_hash = event\n";
    let key = format!("{REPORT}invalid_password_hash_secret_key = pepper\n");
    let hash = |text: &str| good(text).auth.partial_hash.unwrap();
    assert!(good("").auth.partial_hash.is_none());
    let standard = hash(&key);
    assert_eq!(standard.key.reveal(), "pepper");
    assert_eq!(
        (standard.function, standard.characters),
        (HashFunction::Sha256, None)
    );
    assert_eq!(standard.salt, "keystone.identity.backends.sql.Identity");
    let other = format!(
        "{key}invalid_password_hash_function = sha512\ninvalid_password_hash_max_chars = 5\n"
    );
    let other = hash(&format!("{other}[identity]\ndriver = ldap\n"));
    assert_eq!(
        (other.function, other.characters),
        (HashFunction::Sha512, Some(5))
    );
    assert_eq!(other.salt, "keystone.identity.backends.ldap.core.Identity");
    assert_eq!(
        problems(&format!("{REPORT}invalid_password_hash_function = md5\n")),
        "[security_compliance] invalid_password_hash_secret_key: report_invalid_password_hash needs a secret key, the same on all nodes\n\
         keystone.conf:3: [security_compliance] invalid_password_hash_function: expected sha1, sha224, sha256, sha384 or sha512"
    );
}

#[test]
fn the_driver_routing_is_refused() {
    assert_eq!(
        problems("[oslo_messaging_notifications]\ndriver = routing\n"),
        "keystone.conf:2: [oslo_messaging_notifications] driver: this server has no driver routing, nor its routing_config; \
         name a driver that sends all events, with topics and notification_opt_out"
    );
}
