//! Runs `db_sync` on a database: `db_sync URL [all|expand|contract|check|version|state]`.

use std::{env, process::ExitCode};

use keystone_storage::{
    DatabaseUrl, Db, Error, PoolOptions,
    schema::{self, Phase},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let (url, phase) = (args.next().unwrap_or_default(), args.next());
    match run(&url, phase.as_deref().unwrap_or("all")).await {
        Ok(answer) => show(&answer),
        Err(error) => {
            show(&format!("error: {error}"));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

async fn run(url: &str, phase: &str) -> Result<String, Error> {
    let db = Db::connect(&DatabaseUrl::parse(url)?, &PoolOptions::default()).await?;
    let phase = match phase {
        "all" => Phase::All,
        "expand" => Phase::Expand,
        "contract" => Phase::Contract,
        "check" => return Ok(schema::state(&db).await?.check().to_string()),
        "version" => {
            return Ok(schema::state(&db)
                .await?
                .expand()
                .unwrap_or("None")
                .to_owned());
        }
        _ => return Ok(schema::state(&db).await?.to_string()),
    };
    let ran = schema::sync(&db, phase, |_| {}).await?;
    Ok(ran.join(" "))
}

#[expect(clippy::print_stdout, reason = "an example answers on the terminal")]
fn show(line: &str) {
    println!("{line}");
}
