//! A relying party on the command line: `relying_party ISSUER CLIENT_ID [--secret S] [--audience A] [--introspection]`.
//!
//! It reads a command a line, and writes a line of JSON for each: `bearer TOKEN` verifies an access token, `start REDIRECT_URI`
//! begins a login, `finish QUERY` ends it with the query that the browser came back with.

use std::error::Error as StdError;
use std::io::{self, BufRead, Write};

use keystone_oidc::{AccessTokens, Claims, Error, Login, Provider, Settings};
use keystone_types::Clock;
use serde_json::{Map, Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn StdError>> {
    let provider = Provider::new(settings()?, Clock::system())?;
    let mut login = None;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (command, argument) = line.split_once(' ').unwrap_or((&line, ""));
        let told = match command {
            "bearer" => claims(provider.bearer(argument).await),
            "start" => match provider.start(argument).await {
                Ok(start) => {
                    let url = start.url;
                    login = Some(start.login);
                    json!({ "url": url })
                }
                Err(error) => trouble(&error),
            },
            "finish" => claims(finish(&provider, login.as_ref(), argument).await?),
            _ => json!({"error": "no such command"}),
        };
        writeln!(io::stdout(), "{told}")?;
    }
    Ok(())
}

fn settings() -> Result<Settings, Box<dyn StdError>> {
    let mut arguments = std::env::args().skip(1);
    let issuer = arguments.next().ok_or("an issuer is needed")?;
    let client_id = arguments.next().ok_or("a client id is needed")?;
    let mut settings = Settings::new(issuer.parse()?, client_id);
    settings.scopes = vec!["email".into(), "groups".into()];
    while let Some(option) = arguments.next() {
        let mut value = || arguments.next().ok_or("a value is needed");
        match option.as_str() {
            "--secret" => settings.client_secret = Some(value()?.into()),
            "--audience" => settings.audience.push(value()?),
            "--introspection" => settings.access_tokens = AccessTokens::Introspection,
            _ => return Err(format!("there is no option {option}").into()),
        }
    }
    Ok(settings)
}

async fn finish(
    provider: &Provider,
    login: Option<&Login>,
    query: &str,
) -> Result<Result<Claims, Error>, &'static str> {
    let login = login.ok_or("no login has begun")?;
    Ok(provider.finish(login, query).await)
}

fn claims(outcome: Result<Claims, Error>) -> Value {
    match outcome {
        Ok(claims) => {
            let attributes = claims.attributes().into_iter();
            let attributes: Map<_, _> = attributes.map(|(k, v)| (k, v.into())).collect();
            json!({"issuer": claims.issuer(), "attributes": attributes})
        }
        Err(error) => trouble(&error),
    }
}

fn trouble(error: &Error) -> Value {
    json!({"status": error.status(), "error": error.to_string()})
}
