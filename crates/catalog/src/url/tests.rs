use super::*;

const TOKEN: Substitutions<'_> = Substitutions {
    user_id: "u",
    project_id: Some("abcd"),
    public_endpoint: None,
};

#[test]
fn templates_are_filled_as_python_does() {
    for (url, filled) in [
        ("http://x:9292", "http://x:9292"),
        ("http://x/%(project_id)s", "http://x/abcd"),
        ("http://x/$(project_id)s", "http://x/abcd"),
        ("http://x/%(tenant_id)s/$(user_id)s", "http://x/abcd/u"),
        (
            "http://x/AUTH_%(tenant_id)s%%%(user_id)s",
            "http://x/AUTH_abcd%u",
        ),
        ("$$(user_id)s", "$u"),
        ("%(public_endpoint)s/v3", "None/v3"),
        ("%(project_id)10s|", "      abcd|"),
        ("%(project_id)-10s|", "abcd      |"),
        ("%(project_id)+05s|", " abcd|"),
        ("%(project_id).3s|", "abc|"),
        ("%(project_id).s|", "|"),
        ("%(project_id)-.2s|", "ab|"),
        ("%(project_id)ls", "abcd"),
        ("%(project_id)r", "'abcd'"),
        ("%(project_id)8.5a|", "   'abcd|"),
    ] {
        assert_eq!(render(url, &TOKEN).as_deref(), Ok(filled), "{url}");
        assert!(check(url).is_ok(), "{url}");
    }
}

#[test]
fn a_template_that_python_refuses_is_refused() {
    for url in [
        "http://x/%(nope)s",
        "$(nonexistent)s",
        "$(tenant_id)",
        "$(tenant_id)t",
        "$(tenant_id",
        "%(project_id)5",
        "%(project_id).",
        "%(project_id)d",
        "%(project_id)c",
        "%(project_id)*s",
        "%(project_id)lls",
        "%(project_id)%",
        "%(project_id)s%s",
        "%((user_id))s",
        "%()s",
        "%5%",
        "%-%",
        "%s%s",
        "100%",
        "a%20b",
        "a%2Fb",
        "%(project_id)999999999999999999999999s",
    ] {
        assert_eq!(render(url, &TOKEN), Err(FillError::Malformed), "{url}");
        let message = check(url).unwrap_err().to_string();
        let expected = format!("Cannot create an endpoint with an invalid URL: {url}.");
        assert_eq!(message, expected);
    }
}

#[test]
fn valid_templates_that_cannot_be_rendered_are_malformed() {
    for url in [
        "%s",
        "% s|",
        "%s%(project_id)s",
        "http://%(compute_host)s:8774",
    ] {
        assert!(check(url).is_ok(), "{url}");
        assert_eq!(render(url, &TOKEN), Err(FillError::Malformed), "{url}");
    }
}

#[test]
fn only_a_url_that_names_the_project_needs_one() {
    let unscoped = Substitutions {
        project_id: None,
        ..TOKEN
    };
    assert_eq!(
        render("http://x/%(user_id)s", &unscoped).as_deref(),
        Ok("http://x/u")
    );
    for url in ["http://x/%(project_id)s", "http://x/$(tenant_id)s"] {
        assert_eq!(render(url, &unscoped), Err(FillError::Project), "{url}");
    }
}

#[test]
fn the_public_endpoint_comes_from_the_configuration() {
    let configured = Substitutions {
        public_endpoint: Some("http://keystone:5000"),
        ..TOKEN
    };
    let filled = render("$(public_endpoint)s/v3", &configured);
    assert_eq!(filled.as_deref(), Ok("http://keystone:5000/v3"));
}
