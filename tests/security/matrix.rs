//! Every route and method but HEAD with every kind of token, about one's own things, another project's and
//! another user's: the statuses are Keystone's, and so are the lengths of the lists.

use keystone_testkit::Answer;
use serde::Deserialize;

use crate::known_differences;
use crate::suites::{Holder, Question, Recording, Stage};

/// A request, and the answer that each holder of a token gets.
#[derive(Debug, Deserialize)]
struct Row {
    #[serde(flatten)]
    question: Question,
    answers: String,
}

fn recording() -> Recording<Row> {
    let text = include_str!("recorded/matrix.json");
    serde_json::from_str(text).expect("a recording is well-formed")
}

/// The status, and the length of a list.
fn outcome(question: &Question, answer: &Answer) -> String {
    let body = answer.body.as_object().filter(|_| question.method == "GET");
    let list = body
        .filter(|_| answer.status == 200)
        .and_then(|body| body.values().find_map(|value| value.as_array()));
    match list {
        Some(list) => format!("{}/{}", answer.status, list.len()),
        None => answer.status.to_string(),
    }
}

/// Sends every request as one holder; returns what differs.
async fn differences(stage: &mut Stage, recording: &Recording<Row>, place: usize) -> Vec<String> {
    let holder = &recording.holders[place];
    stage.take_part(holder);
    let mut different = Vec::new();
    for row in &recording.rows {
        let question = &row.question;
        let node = &stage.nodes[0];
        let answer = stage.ask(node, &holder.name, question).await;
        let reads = matches!(question.method.as_str(), "GET" | "HEAD");
        let issues = question.method == "POST" && question.path == "/v3/auth/tokens";
        if !reads && !issues && answer.status < 300 {
            stage.restore().await;
        }
        let found = outcome(question, &answer);
        let wanted = row
            .answers
            .split(' ')
            .nth(place)
            .expect("an answer for each holder");
        if found != wanted && !known_differences::allows(question, &holder.name, wanted, &found) {
            different.push(format!(
                "{} {} {:?} about {:?} as {}: {found} instead of {wanted}",
                question.method, question.path, question.body, question.subject, holder.name
            ));
        }
    }
    different
}

impl Stage {
    /// Lets `me`, `mine` and `token` name what belongs to the holder.
    fn take_part(&mut self, holder: &Holder) {
        let credential = self.ids[&format!("{}s", holder.user)].clone();
        let user = self.ids[&holder.user].clone();
        let token = self.tokens[&holder.name].clone();
        for (name, value) in [("me", user), ("mine", credential), ("token", token)] {
            self.ids.insert(name.to_owned(), value);
        }
    }
}

async fn play(names: &[&str]) {
    let recording = recording();
    let mut stage = Box::pin(Stage::set(&recording)).await;
    let mut different = Vec::new();
    for (place, holder) in recording.holders.iter().enumerate() {
        if names.contains(&holder.name.as_str()) {
            different.extend(differences(&mut stage, &recording, place).await);
        }
    }
    let count = different.len();
    assert!(
        different.is_empty(),
        "{count} differ\n{}",
        different.join("\n")
    );
}

macro_rules! holders {
    ($($test:ident: $($name:literal),*;)*) => {
        $(
            #[tokio::test]
            async fn $test() {
                play(&[$($name),*]).await;
            }
        )*

        #[test]
        fn every_recorded_holder_has_a_test() {
            let recording = recording();
            let asked = recording.rows[0].answers.split(' ').count();
            let names = recording.holders[..asked].iter().map(|holder| holder.name.as_str());
            assert_eq!(names.collect::<Vec<_>>(), [$($($name),*),*]);
        }
    };
}

holders! {
    members_on_projects: "a member on a project";
    admins_on_domains: "an admin on a domain";
    members_on_domains: "a member on a domain";
    admins_on_the_system: "an admin on the system";
    unscoped_members: "a member, unscoped";
    admins_on_projects: "an admin on a project";
    members_on_the_system: "a member on the system";
    rescoped_members_on_projects: "a member on a project, rescoped";
    members_with_passcodes: "a member with a passcode";
    application_credentials: "an application credential";
    unrestricted_application_credentials: "an unrestricted application credential";
    application_credentials_with_rules: "an application credential with rules";
    application_credentials_of_admins: "an application credential of an admin";
    trusts: "a trust";
    trusts_with_impersonation: "a trust with impersonation";
    redelegated_trusts: "a redelegated trust";
    trusts_of_admins: "a trust of an admin";
    access_tokens: "an access token";
    ec2_credentials: "an EC2 credential";
    certificates_of_members: "a member's certificate";
    certificates_of_admins: "an admin's certificate";
    certificates_of_admins_on_domains: "an admin's certificate on a domain";
    certificates_of_groups: "a certificate of a group";
    unscoped_federated_members: "a federated member, unscoped";
    federated_members_on_projects: "a federated member on a project";
    federated_members_on_domains: "a federated member on a domain";
    application_credentials_of_federated_members: "an application credential of a federated member";
    trusts_of_federated_members: "a trust of a federated member";
}
