//! Settings of proxies and identity providers.

use chrono::Duration;

use super::{good, problems, sources};
use crate::Config;

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
fn providers_of_openid_connect_have_a_group_each() {
    use keystone::oidc::{AccessTokens, Algorithm, ClaimsFrom};
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("secret");
    std::fs::write(&secret, "s3cret\n").unwrap();
    let text = format!(
        "[oidc:Corp]\nissuer = https://idp.example/realms/corp\nclient_id = keystone\n\
         client_secret_file = {}\nscopes = openid groups,email\nclaims_from = userinfo\n\
         access_token = introspection\naudience = cloud api\nalgorithms = ES256, EdDSA\n\
         max_clock_skew = 5\nprotocol = mapped\nredirect_path = /v3/redirect_uri\n\
         [OIDC:lab]\nissuer = http://127.0.0.1:3000\nclient_id = lab\n",
        secret.display()
    );
    let (config, warnings) = Config::load(&sources(&text)).unwrap();
    assert_eq!(warnings, []);
    let (settings, _) = config.settings(&sources(&text)).unwrap();
    let ids: Vec<_> = settings.oidc.keys().collect();
    assert_eq!(ids, ["Corp", "lab"]);
    let corp = &settings.oidc["Corp"];
    let path = corp.redirect_path.as_ref().unwrap();
    assert_eq!(path.as_str(), "/v3/redirect_uri");
    assert_eq!(corp.protocol, "mapped");
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
    assert_eq!(lab.redirect_path, None);
    assert_eq!(lab.protocol, "openid");
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
        (
            "redirect_path = /v3/auth/OS-FEDERATION/identity_providers/y/oidc/redirect",
            "another route has this path",
        ),
    ]);
    for path in [
        "/v3/redirect_uri",
        "/v3/OS-FEDERATION/identity_providers/x/protocols/openid/auth",
        "/v3/auth/OS-FEDERATION/identity_providers/x/oidc/redirect",
    ] {
        let text = format!(
            "[oidc:x]\nredirect_path = {path}\nissuer = https://idp.example\nclient_id = keystone\n"
        );
        let found = good(&text).oidc["x"].redirect_path.clone().unwrap();
        assert_eq!(found.as_str(), path);
    }
    let one = |id: &str| {
        format!(
            "[oidc:{id}]\nredirect_path = /v3/back\nissuer = https://idp.example\nclient_id = keystone\n"
        )
    };
    let found = problems(&(one("x") + &one("y")));
    let expected = "keystone.conf:6: [oidc:y] redirect_path: [oidc:x] has this path too";
    assert!(found.starts_with(expected), "{found}");
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
fn commands_do_without_the_files_of_a_service_provider() {
    let settings = good(
        "[DEFAULT]\npublic_endpoint = https://keystone.example.org\n\
         [saml_sp]\nentity_id = https://sp.example.org\ncertfile = /nowhere.pem\nkeyfile = /nowhere.key\n\
         [saml_idp:acme]\nmetadata_file = /nowhere.xml\n",
    );
    assert!(settings.auth.saml_sp.is_some());
}

#[test]
fn a_mistyped_option_of_an_identity_provider_is_a_warning() {
    let text = "[saml_idp:acme]\nmetadata_fil = /acme.xml\n";
    let (_, warnings) = Config::load(&sources(text)).unwrap();
    let told: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    let expected = "keystone.conf:2: [saml_idp:acme] metadata_fil: there is no such option; did you mean metadata_file?";
    assert_eq!(told, [expected]);
}
