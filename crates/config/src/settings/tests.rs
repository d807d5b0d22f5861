//! Texts of `keystone.conf` and the resulting settings.

use chrono::Duration;
use keystone::Provider;
use keystone::identity::password::Algorithm;
use keystone::policy::RemoteFormat;
use keystone::token::{self, JwsKeys};

use crate::{Config, Diagnostic, Problems, Sources};

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
        problems("[identity]\ndriver = ldap\n[token]\nprovider = uuid\n"),
        "keystone.conf:2: [identity] driver: the only driver of this release is sql\n\
         keystone.conf:4: [token] provider: expected fernet or jws"
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
fn a_trusted_proxy_is_configured_in_full_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let secret = |text: &str| {
        let path = directory.path().join("secret");
        std::fs::write(&path, text).unwrap();
        format!("secret_file = {}\n", path.display())
    };
    let long = format!("{}\n", "s".repeat(32));
    let proxy = |rest: &str| format!("[trusted_proxy]\n{rest}");
    assert!(good("").api.trusted_proxy.is_none());
    let text = proxy(&format!(
        "addresses = 127.0.0.1,10.0.0.0/8\n{}",
        secret(&long)
    ));
    let found = good(&text).api.trusted_proxy.unwrap();
    assert_eq!(found.addresses.len(), 2);
    assert_eq!(found.secret.reveal(), "s".repeat(32));
    assert_eq!(found.variables, ["REMOTE_USER"]);
    assert!(found.header_prefixes.is_empty());
    for (text, expected) in [
        (proxy("addresses = ::1\n"), "secret_file: expected a file"),
        (
            proxy("addresses = ::1\nsecret_file = /nowhere\n"),
            "secret_file: /nowhere can't be read",
        ),
        (proxy(&secret(&long)), "addresses: expected addresses"),
        (
            proxy(&format!("addresses = localhost\n{}", secret(&long))),
            "addresses: expected addresses",
        ),
        (
            proxy(&format!(
                "addresses = ::1\nvariables = X/User\n{}",
                secret(&long)
            )),
            "variables: expected names",
        ),
        (
            proxy(&format!("addresses = ::1\n{}", secret("short"))),
            "secret_file: expected 32 characters",
        ),
    ] {
        let found = problems(&text);
        assert!(
            found.contains(&format!("[trusted_proxy] {expected}")),
            "{found}"
        );
    }
}

#[test]
fn the_headers_of_a_trusted_proxy_mean_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("secret");
    std::fs::write(&secret, "s".repeat(32)).unwrap();
    let proxy = |rest: &str| {
        let secret = secret.display();
        format!("[trusted_proxy]\naddresses = ::1\nsecret_file = {secret}\n{rest}\n")
    };
    let text = proxy("variables = Shib-Identity-Provider\nheader_prefixes = OIDC-,MELLON_");
    let found = good(&text).api.trusted_proxy.unwrap();
    assert_eq!(found.variables, ["Shib-Identity-Provider"]);
    assert_eq!(found.header_prefixes, ["OIDC-", "MELLON_"]);
    for wrong in [
        "OIDC-,X-",
        "Auth",
        "Cookie",
        "x_forwarded",
        "O DC",
        // As WSGI names headers.
        "HTTP_",
        "HTTP_X_",
        "HTTP_COOKIE",
    ] {
        let found = problems(&proxy(&format!("header_prefixes = {wrong}")));
        assert!(
            found.contains("header_prefixes: expected prefixes"),
            "{found}"
        );
    }
}

#[test]
fn federation_has_attributes_dashboards_and_a_page() {
    let settings = good("");
    assert_eq!(settings.auth.federation.remote_id_attribute, None);
    assert!(settings.api.websso.page.is_none());
    let directory = tempfile::tempdir().unwrap();
    let page = |text: &str| {
        let path = directory.path().join(format!("{}.html", text.len()));
        std::fs::write(&path, text).unwrap();
        format!("[federation]\nsso_callback_template = {}\n", path.display())
    };
    let text = format!(
        "{}trusted_dashboard = https://One.example/auth/\ntrusted_dashboard = http://two/\nassertion_prefix = OIDC-\n\
         remote_id_attribute = ID\n[OpenID]\nremote_id_attribute = HTTP_OIDC_ISS\n[own]\nremote_id_attribute = OWN\n",
        page("<a href=\"$host\">${token} for $$5</a>")
    );
    let settings = good(&text);
    let federation = settings.auth.federation;
    assert_eq!(federation.assertion_prefix, "OIDC-");
    assert_eq!(federation.remote_id_attribute.as_deref(), Some("ID"));
    assert_eq!(federation.remote_id_attributes["openid"], "HTTP_OIDC_ISS");
    assert_eq!(federation.remote_id_attributes["own"], "OWN");
    let websso = settings.api.websso;
    let dashboards = ["https://one.example/auth/", "http://two/"];
    assert_eq!(websso.dashboards, dashboards);
    assert!(websso.page.is_some());
    for (text, expected) in [
        (page("$user"), "it names $user"),
        (page("costs $"), "it names $,"),
        (
            "[federation]\nsso_callback_template = /nowhere\n".to_owned(),
            "/nowhere can't be read",
        ),
    ] {
        let found = problems(&text);
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
fn providers_of_openid_connect_have_a_group_each() {
    use keystone::oidc::{AccessTokens, Algorithm, ClaimsFrom};
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("secret");
    std::fs::write(&secret, "s3cret\n").unwrap();
    let text = format!(
        "[oidc:Corp]\nissuer = https://idp.example/realms/corp\nclient_id = keystone\n\
         client_secret_file = {}\nscopes = openid groups,email\nclaims_from = userinfo\n\
         access_token = introspection\naudience = cloud api\nalgorithms = ES256, EdDSA\n\
         max_clock_skew = 5\nredirect_path = /v3/redirect_uri\n\
         [OIDC:lab]\nissuer = http://127.0.0.1:3000\nclient_id = lab\n",
        secret.display()
    );
    let (config, warnings) = Config::load(&sources(&text)).unwrap();
    assert_eq!(warnings, []);
    let (settings, _) = config.settings(&sources(&text)).unwrap();
    let ids: Vec<_> = settings.oidc.keys().collect();
    assert_eq!(ids, ["Corp", "lab"]);
    let corp = &settings.oidc["Corp"];
    assert_eq!(corp.redirect_path, "/v3/redirect_uri");
    let corp = &corp.settings;
    assert_eq!(corp.issuer.as_str(), "https://idp.example/realms/corp");
    assert_eq!(corp.client_secret.as_ref().unwrap().reveal(), "s3cret");
    assert_eq!(corp.scopes, ["openid", "groups", "email"]);
    assert_eq!(corp.claims_from, [ClaimsFrom::Userinfo]);
    assert_eq!(corp.access_tokens, AccessTokens::Introspection);
    assert_eq!(corp.audience, ["cloud", "api"]);
    assert_eq!(corp.algorithms, [Algorithm::Es256, Algorithm::EdDsa]);
    assert_eq!(corp.max_clock_skew.as_secs(), 5);
    let lab = &settings.oidc["lab"];
    let path = "/v3/auth/OS-FEDERATION/oidc/redirect";
    assert_eq!(lab.redirect_path, path);
    assert_eq!(lab.settings.access_tokens, AccessTokens::Jwt);
    assert_eq!(lab.settings.algorithms, Algorithm::ALL);
    assert!(good("").oidc.is_empty());
}

/// The problems of a provider with this line.
fn with_provider(line: &str) -> String {
    problems(&format!(
        "[oidc:x]\n{line}\nissuer = https://idp.example\nclient_id = keystone\n"
    ))
}

/// Insists on one problem for each line, at that line, with a text.
fn each_is_one_problem(lines: &[(&str, &str)]) {
    for (line, expected) in lines {
        let found = with_provider(line);
        let (name, _) = line.split_once(' ').unwrap();
        let start = format!("keystone.conf:2: [oidc:x] {name}: ");
        assert!(
            found.starts_with(&start) && found.contains(expected),
            "{found}"
        );
        assert_eq!(found.lines().count(), 1, "{found}");
    }
}

#[test]
fn the_address_of_a_provider_s_answer_is_no_other_route() {
    each_is_one_problem(&[
        (
            "redirect_path = https://id.example/v3/x",
            "begins with /v3/",
        ),
        ("redirect_path = /v3/{x}", "begins with /v3/"),
        ("redirect_path = /v3/back/", "begins with /v3/"),
        ("redirect_path = /v3/users", "another route has this path"),
        (
            "redirect_path = /v3/OS-FEDERATION/identity_providers/y/protocols/openid/auth",
            "another route has this path",
        ),
    ]);
    for path in [
        "/v3/redirect_uri",
        "/v3/OS-FEDERATION/identity_providers/x/protocols/openid/auth",
        "/v3/auth/OS-FEDERATION/oidc/redirect",
    ] {
        let text = format!(
            "[oidc:x]\nredirect_path = {path}\nissuer = https://idp.example\nclient_id = keystone\n"
        );
        assert_eq!(good(&text).oidc["x"].redirect_path, path);
    }
}

#[test]
fn each_wrong_value_of_a_provider_is_one_problem() {
    let empty = "keystone.conf:1: [oidc:x] issuer: expected the https: URL of the provider\n\
                 keystone.conf:1: [oidc:x] client_id: expected the name of this server's registration at the provider";
    assert_eq!(problems("[oidc:x]\n"), empty);
    each_is_one_problem(&[
        (
            "algorithms = none",
            "found \"none\"; tokens without a signature",
        ),
        ("algorithms = HS256", "found \"HS256\""),
        (
            "claims_from = token",
            "expected id_token or userinfo, found \"token\"",
        ),
        (
            "access_token = JWT",
            "expected jwt or introspection, found \"JWT\"",
        ),
        (
            "max_clock_skew = 3600",
            "expected a number of seconds from 0 to 600",
        ),
        (
            "max_clock_skew = -1",
            "expected a number of seconds from 0 to 600",
        ),
        ("client_secret_file = /nowhere", "/nowhere can't be read"),
        ("client_secret_file = /dev/null", "/dev/null is empty"),
        ("ca_file = /dev/null", "/dev/null: no certificate is in it"),
        ("claims_from = ,", "expected one value or more"),
        ("audience = , ,", "expected one value or more"),
        ("scopes = ,", "expected one value or more"),
        ("algorithms = ,", "expected one value or more"),
        (
            "remote_id_attribute = HTTP_OIDC_ISS",
            "the name of the provider is its issuer",
        ),
    ]);
    let found = with_provider("access_token = introspection");
    assert!(found.contains("client_secret_file: needed for"), "{found}");
    let found = problems("[oidc:x]\nissuer = http://idp.example\nclient_id = keystone\n");
    assert!(
        found.contains("(http: for a loopback address only)"),
        "{found}"
    );
}

#[test]
fn a_mistyped_option_of_a_provider_is_a_warning() {
    let text = "[oidc:x]\nissuer = https://idp.example\nclient_id = k\nclient_secret = hidden\n\
                clock_skew = 1\nalgorithm = ES256\n[oidc:]\n[openidc:x]\n";
    let (config, warnings) = Config::load(&sources(text)).unwrap();
    let told: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    let told = told.join("\n");
    for expected in [
        "[oidc:x] client_secret: there is no such option",
        "[oidc:x] clock_skew: there is no such option",
        "[oidc:x] algorithm: there is no such option; did you mean algorithms?",
        "[oidc:]: there is no such group",
        "[openidc:x]: there is no such group",
    ] {
        assert!(told.contains(expected), "{told}");
    }
    assert!(!format!("{told}{config:?}").contains("hidden"));
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

/// Metadata, a certificate and its key, among the samples of `keystone-saml`.
fn saml_sample(name: &str) -> String {
    format!("{}/../saml/tests/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn identity_providers_have_a_group_each() {
    assert_eq!(good("").auth.saml_sp, None);
    let metadata = saml_sample("samples/idp_metadata.xml");
    let (certificate, key) = (saml_sample("keys/idp.pem"), saml_sample("keys/idp.key"));
    let text = format!(
        "[DEFAULT]\npublic_endpoint = https://keystone.example.org\n\
         [saml_sp]\nentity_id = https://sp.example.org\ncertfile = {certificate}\nkeyfile = {key}\n\
         [saml_idp:Acme]\nmetadata_file = {metadata}\nwant_response_signed = yes\nmax_clock_skew = 5\n\
         [saml_idp:beta]\nmetadata_file = {metadata}\nkeystone = true\nallow_sha1 = true\nprotocol = mapped\n"
    );
    let (config, warnings) = Config::load(&sources(&text)).unwrap();
    assert_eq!(warnings, []);
    let (settings, _) = config.settings(&sources(&text)).unwrap();
    let saml = settings.auth.saml_sp.unwrap();
    assert_eq!(saml.entity_id, "https://sp.example.org");
    assert_eq!(saml.key, Some((certificate.into(), key.into())));
    let ids: Vec<_> = saml.providers.keys().collect();
    // They are those of the API, in which case counts.
    assert_eq!(ids, ["Acme", "beta"]);
    let acme = &saml.providers["Acme"];
    assert_eq!(acme.metadata_file.to_str(), Some(metadata.as_str()));
    assert!(acme.want_response_signed && !acme.is_keystone && !acme.allow_sha1);
    assert_eq!(acme.max_clock_skew, Duration::seconds(5));
    assert_eq!(acme.protocol, "saml2");
    let beta = &saml.providers["beta"];
    assert!(beta.is_keystone && beta.allow_sha1 && !beta.allow_unsolicited);
    assert_eq!(beta.max_clock_skew, Duration::seconds(60));
    assert_eq!(beta.protocol, "mapped");
}

#[test]
fn a_service_provider_is_configured_in_full() {
    let text = "[saml_sp]\nkeyfile = /k.pem\n[saml_idp:acme]\nallow_sha1 = maybe\nmax_clock_skew = 86400\n";
    let endpoint = "[DEFAULT] public_endpoint: needed with [saml_sp]: the URL of this server that responses of identity \
                    providers have to name";
    let expected = [
        "[saml_sp] entity_id: expected the entity id by which identity providers know this server",
        "[saml_sp] certfile: requests are signed only with both, certfile and keyfile",
        endpoint,
        "keystone.conf:3: [saml_idp:acme] metadata_file: expected the file with the metadata of the identity provider",
        "keystone.conf:4: [saml_idp:acme] allow_sha1: expected true or false",
        "keystone.conf:5: [saml_idp:acme] max_clock_skew: expected a number of seconds from 0 to 600",
    ];
    assert_eq!(problems(text), expected.join("\n"));
    let metadata = saml_sample("samples/idp_metadata.xml");
    let twice = format!("[oidc:acme]\n[saml_idp:acme]\nmetadata_file = {metadata}\n");
    let found = problems(&twice);
    let one_way = "[saml_idp:acme] metadata_file: this server asks an identity provider in one way, and there is [oidc:acme] too";
    assert!(found.contains(one_way), "{found}");
    let keys = format!(
        "[saml_sp]\ncertfile = {}\nkeyfile = {}\n",
        saml_sample("keys/idp.pem"),
        saml_sample("keys/idp.key")
    );
    assert_eq!(problems(&keys), [expected[0], endpoint].join("\n"));
}

#[test]
fn the_files_of_a_service_provider_are_looked_into() {
    let certificate = saml_sample("keys/idp.pem");
    let text = format!(
        "[DEFAULT]\npublic_endpoint = https://keystone.example.org\n\
         [saml_sp]\nentity_id = https://sp.example.org\ncertfile = {certificate}\nkeyfile = {}\n\
         [saml_idp:acme]\nmetadata_file = {certificate}\n[saml_idp:beta]\nmetadata_file = /nowhere.xml\n",
        saml_sample("keys/other.key")
    );
    let told = problems(&text);
    let lines: Vec<_> = told.lines().collect();
    let unpaired =
        "keystone.conf:6: [saml_sp] keyfile: the certificate is not that of the private key";
    assert_eq!((lines.len(), lines[0]), (3, unpaired), "{told}");
    let start = format!(
        "keystone.conf:8: [saml_idp:acme] metadata_file: the metadata in {certificate} can't be used: "
    );
    assert!(lines[1].starts_with(&start), "{told}");
    let start = "keystone.conf:10: [saml_idp:beta] metadata_file: /nowhere.xml can't be read: ";
    assert!(lines[2].starts_with(start), "{told}");
}

#[test]
fn a_mistyped_option_of_an_identity_provider_is_a_warning() {
    let text = "[saml_idp:acme]\nmetadata_fil = /acme.xml\n";
    let (_, warnings) = Config::load(&sources(text)).unwrap();
    let told: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    let expected = "keystone.conf:2: [saml_idp:acme] metadata_fil: there is no such option; did you mean metadata_file?";
    assert_eq!(told, [expected]);
}
