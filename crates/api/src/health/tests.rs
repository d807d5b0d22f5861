use std::net::IpAddr;
use std::path::PathBuf;

use axum::http::{HeaderMap, HeaderValue};
use serde_json::json;

use super::{Check, CheckResult, Health, Network, page, pretty, report};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn found(check: &Check, port: u16) -> (bool, &'static str, String) {
    let CheckResult {
        available,
        reason,
        details,
    } = check.look(Some(port));
    (available, reason, details)
}

#[test]
fn file_checks_disable_and_enable_the_server() {
    let (here, nowhere) = (PathBuf::from("/"), PathBuf::from("/nowhere/at/all"));
    let check = Check::DisableByFilesPorts(vec![(5000, here.clone()), (35357, nowhere.clone())]);
    assert_eq!(
        found(&check, 5000),
        (false, "DISABLED BY FILE", String::new())
    );
    for port in [35357, 80] {
        assert_eq!(found(&check, port), (true, "OK", String::new()));
    }
    let details = |details: &str| details.to_owned();
    for (check, expected) in [
        (
            Check::DisableByFile(Some(here.clone())),
            (false, "DISABLED BY FILE", details("Path '/' was found")),
        ),
        (
            Check::DisableByFile(Some(nowhere.clone())),
            (true, "OK", details("Path '/nowhere/at/all' was not found")),
        ),
        (
            Check::DisableByFile(None),
            (
                true,
                "OK",
                details("No 'disable_by_file_path' configuration value specified"),
            ),
        ),
        (
            Check::EnableByFiles(vec![here.clone(), nowhere]),
            (
                false,
                "FILE PATH MISSING",
                details("File path /nowhere/at/all is missing"),
            ),
        ),
        (
            Check::EnableByFiles(vec![here]),
            (true, "OK", details("Specified file paths are available")),
        ),
    ] {
        assert_eq!(found(&check, 5000), expected);
    }
}

#[test]
fn clients_outside_the_allowed_ranges_are_not_answered() {
    let health = Health {
        allowed_source_ranges: ["10.0.0.0/8", "::1", "192.168.7.0/24"]
            .map(|range| Network::parse(range).unwrap())
            .to_vec(),
        ..Health::default()
    };
    let headers = HeaderMap::new();
    for inside in ["10.1.2.3", "::1", "192.168.7.255", "::ffff:10.0.0.1"] {
        assert!(health.answers(Some(address(inside)), &headers), "{inside}");
    }
    for outside in ["11.0.0.1", "::2", "192.168.8.0"] {
        assert!(
            !health.answers(Some(address(outside)), &headers),
            "{outside}"
        );
    }
    // Nobody knows where from.
    assert!(!health.answers(None, &headers));
    assert!(Health::default().answers(None, &headers));
    for wrong in ["10.0.0.1/8", "10.0.0.0/33", "::/129", "x", "10.0.0.0/x", ""] {
        assert_eq!(Network::parse(wrong), None, "{wrong}");
    }
    let everywhere = Network::parse("0.0.0.0/0").unwrap();
    let health = Health {
        allowed_source_ranges: vec![everywhere, Network::parse("::/0").unwrap()],
        ..Health::default()
    };
    assert!(health.answers(Some(address("8.8.8.8")), &headers));
    assert!(health.answers(Some(address("fe80::1")), &headers));
}

#[test]
fn proxied_requests_can_be_ignored() {
    let mut headers = HeaderMap::new();
    headers.insert("x-forwarded-for", HeaderValue::from_static("10.0.0.1"));
    assert!(Health::default().answers(None, &headers));
    let health = Health {
        ignore_proxied_requests: true,
        ..Health::default()
    };
    assert!(!health.answers(None, &headers));
    assert!(health.answers(None, &HeaderMap::new()));
}

#[test]
fn details_have_the_keys_of_keystone() {
    let found = [Check::DisableByFile(Some("/nowhere/<'x'>".into())).look(None)];
    let mut report = report(&found, true);
    for varying in ["now", "platform", "python_version"] {
        assert!(
            report
                .as_object_mut()
                .unwrap()
                .shift_remove(varying)
                .is_some()
        );
    }
    assert_eq!(
        report,
        json!({
            "detailed": true,
            "gc": { "counts": [0, 0, 0], "threshold": [0, 0, 0] },
            "greenthreads": [],
            "reasons": [{
                "class": "HealthcheckResult",
                "details": "Path '/nowhere/<'x'>' was not found",
                "reason": "OK",
            }],
            "threads": [],
        })
    );
    let short = super::report(&found, false);
    assert_eq!(
        pretty(&short).unwrap(),
        "{\n    \"detailed\": false,\n    \"reasons\": [\n        \"OK\"\n    ]\n}"
    );
    let page = page::render(&found, true);
    assert!(page.contains(
        "<TR>\n<TD>HealthcheckResult</TD>\n    <TD>OK</TD>\n\
         <TD>Path &#39;/nowhere/&lt;&#39;x&#39;&gt;&#39; was not found</TD>\n</TR>\n</TBODY>"
    ));
    assert!(page.ends_with("<HR></HR>\n\n\n</BODY>\n</HTML>"), "{page}");
}

#[test]
fn the_page_has_the_lines_of_keystone() {
    let found = [
        Check::DisableByFile(None).look(None),
        Check::EnableByFiles(vec![]).look(None),
    ];
    let row = "<TR>\n\n    <TD>OK</TD>\n\n</TR>";
    let page = |count: usize, rows: &str| {
        format!(
            "<HTML>\n<HEAD><TITLE>Healthcheck Status</TITLE></HEAD>\n<BODY>\n\n\
             <H2>Result of {count} checks:</H2>\n<TABLE bgcolor=\"#ffffff\" border=\"1\">\n\
             <TBODY>\n<TR>\n\n<TH>\nReason\n</TH>\n</TR>\n{rows}\n</TBODY>\n</TABLE>\n\
             <HR></HR>\n\n</BODY>\n</HTML>"
        )
    };
    assert_eq!(page::render(&[], false), page(0, ""));
    assert_eq!(page::render(&found[..1], false), page(1, row));
    assert_eq!(page::render(&found, false), page(2, &row.repeat(2)));
    assert_eq!(super::plain(&found), "OK\nOK");
}
