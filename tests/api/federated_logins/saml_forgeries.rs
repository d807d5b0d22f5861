//! Responses by SAML that nobody signed, or that are for another place, time or login: none makes a login.

use keystone_testkit::Log;

use super::saml::{
    assertion, begin, begin_enhanced, come_back, envelope, fitted, honest, nobody_came, response,
    signer, world,
};

/// Changes before the signature, each of which breaks one rule, and a word of what the operator reads.
const WRONG: [[&str; 3]; 5] = [
    [
        "Recipient=\"https://sp",
        "Recipient=\"https://other",
        "Recipient",
    ],
    [
        "<saml:Audience>https://sp",
        "<saml:Audience>https://other",
        "audience",
    ],
    [
        "<saml:Issuer>https://idp",
        "<saml:Issuer>https://other",
        "issued by",
    ],
    ["12:05:00", "11:05:00", "has passed"],
    ["12:00:00", "12:30:00", "has not come yet"],
];

/// Messages that are wrong in one way each, and a word of what the operator reads.
fn forgeries(request: &str) -> Vec<(String, &'static str)> {
    let good = assertion(request, |text| text);
    let bare = fitted(signer::ASSERTION, request);
    let signed = |key| signer::signed(&bare, "_a", &key);
    let honest = response(request, &good);
    let changed = WRONG.map(|[from, to, word]| {
        let changed = assertion(request, |text| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        (response(request, &changed), word)
    });
    let others = [
        (
            response(request, &bare.replace("{signature}", "")),
            "is not signed",
        ),
        (
            response(request, &signed(signer::other_key())),
            "no certificate in the metadata",
        ),
        (honest.replace("alice", "alicia"), "verifies the signature"),
        (
            response("_another", &assertion("_another", |text| text)),
            "another request",
        ),
        (format!("<!DOCTYPE a>{honest}"), "document type"),
        (
            honest.replace("status:Success", "status:Requester"),
            "refused the login",
        ),
        // A line of its own making.
        (
            honest.replace("status:Success", "status:Requester").replace(
                "</samlp:Status>",
                "<samlp:StatusMessage>no\n INFO the other was refused</samlp:StatusMessage></samlp:Status>",
            ),
            "INFO the other was refused",
        ),
        (
            response(
                request,
                "<saml:EncryptedAssertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"/>",
            ),
            "is encrypted",
        ),
        ("<a/>".to_owned(), "no response"),
        ("a".to_owned(), "can't be read"),
    ];
    let mut all = Vec::from(changed);
    all.extend(others);
    all.extend(wrapped(request).map(|message| (message, "one assertion")));
    all
}

/// XSW 1 to 8: what is signed stands elsewhere, and something evil in its place.
fn wrapped(request: &str) -> [String; 8] {
    let good = assertion(request, |text| text);
    let bare = fitted(signer::ASSERTION, request).replace("{signature}", "");
    let evil = bare
        .replace("alice", "admin")
        .replace("\"_a\"", "\"_evil\"");
    let start = good.find("<ds:Signature ").expect("it is signed");
    let end = "</ds:Signature>";
    let after = good.find(end).expect("it is signed") + end.len();
    let signature = &good[start..after];
    let unsigned = format!("{}{}", &good[..start], &good[after..]);
    let in_evil = |inner: &str| {
        let end = "</saml:Issuer>";
        evil.replacen(end, &format!("{end}{inner}"), 1)
    };
    let object = |inner: &str| format!("<ds:Object>{inner}</ds:Object>{end}");
    // A response that is signed itself, within or behind an evil one.
    let whole = signer::response(&good).replace("\"_r\"", "\"_whole\"");
    let whole = signer::signed(&fitted(&whole, request), "_whole", &signer::key());
    let around = response(request, &evil);
    let status = "<samlp:Status>";
    let last = "</samlp:Response>";
    [
        around.replace(status, &format!("{whole}{status}")),
        around.replace(last, &format!("{whole}{last}")),
        response(request, &format!("{evil}{good}")),
        response(request, &in_evil(&good)),
        response(request, &format!("{}{unsigned}", in_evil(signature))),
        response(
            request,
            &in_evil(&signature.replace(end, &object(&unsigned))),
        ),
        response(
            request,
            &format!("<samlp:Extensions>{evil}</samlp:Extensions>{good}"),
        ),
        response(
            request,
            &evil.replacen(
                "</saml:Issuer>",
                &format!("</saml:Issuer>{}", signature.replace(end, &object(&good))),
                1,
            ),
        ),
    ]
}

#[tokio::test]
async fn sec_39_and_sec_12_each_bad_response_is_a_401_a_line_and_no_user() {
    let world = world().await;
    let nobody = world.cloud.nobody();
    let (log, _guard) = Log::start("info,sqlx=warn");
    let begun = begin(&nobody).await;
    let (request, state) = begin_enhanced(&nobody).await;
    for (n, (message, word)) in forgeries(&begun.request).into_iter().enumerate() {
        log.take();
        let refused = come_back(&nobody, &message, &begun).await.refused(401);
        assert_eq!(
            refused,
            "The request you have made requires authentication."
        );
        let lines = log.take();
        let told: Vec<_> = lines
            .lines()
            .filter(|line| line.contains("was refused"))
            .collect();
        assert_eq!(told.len(), 1, "{n}: {lines}");
        assert!(
            told[0].contains(word) && told[0].contains("acme"),
            "{n}: {}",
            told[0]
        );
    }
    for (n, (message, _)) in forgeries(&request).into_iter().enumerate() {
        let answer = nobody.send(envelope(&message, &state)).await;
        assert_eq!(answer.status, 401, "{n}");
    }
    nobody_came(&world).await;
    // The login itself was right all the time.
    come_back(&nobody, &honest(&begun.request), &begun)
        .await
        .ok();
    let answer = nobody.send(envelope(&honest(&request), &state)).await;
    assert_eq!(answer.status, 303);
}
