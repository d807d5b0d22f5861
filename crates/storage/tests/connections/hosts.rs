//! A URL that names several servers, of which some are away.

use std::time::Duration;

use keystone_storage::{DatabaseUrl, Db, PoolOptions, sql, transaction};
use keystone_types::Result;
use tokio::time::timeout;

use crate::{
    read,
    relay::Relay,
    soon,
    test_database::{TestDatabase, open},
    together, write,
};

/// The URL of the database through each of the ports.
fn through(database: &TestDatabase, ports: &[u16]) -> String {
    let hosts: Vec<_> = ports
        .iter()
        .map(|port| format!("127.0.0.1:{port}"))
        .collect();
    let (login, rest) = database.url.split_once('@').unwrap();
    let (_, name) = rest.split_once('/').unwrap();
    format!("{login}@{}/{name}", hosts.join(","))
}

/// A port on which nobody listens.
async fn closed_port(server: u16) -> u16 {
    Relay::to(server).await.port
}

#[tokio::test]
async fn the_first_server_that_takes_connections_is_used() {
    let Some(database) = TestDatabase::on_server("first_host").await else {
        return;
    };
    let away = closed_port(database.port()).await;
    let ports = [away, database.port(), away];
    let db = open(&through(&database, &ports), &PoolOptions::default()).await;
    soon(write(&db)).await.unwrap();
    soon(read(&db)).await.unwrap();
    let nobody = DatabaseUrl::parse(&through(&database, &[away, away])).unwrap();
    let refused = Box::pin(soon(Db::connect(&nobody, &PoolOptions::default()))).await;
    let message = refused.unwrap_err().to_string();
    assert!(
        message.contains(&format!("@127.0.0.1:{away},127.0.0.1:{away}/")),
        "{message}"
    );
    database.end().await;
}

#[tokio::test]
async fn statements_and_transactions_go_on_at_the_next_server() {
    let Some(database) = TestDatabase::on_server("next_host").await else {
        return;
    };
    let one = Relay::to(database.port()).await;
    let other = Relay::to(database.port()).await;
    let third = Relay::to(database.port()).await;
    let url = through(&database, &[one.port, other.port, third.port]);
    let db = open(&url, &PoolOptions::default()).await;
    soon(read(&db)).await.unwrap();
    assert_eq!((other.accepted(), third.accepted()), (0, 0));
    drop(one);
    soon(read(&db)).await.unwrap();
    soon(write(&db)).await.unwrap();
    let pool = db.clone();
    let several = together(8, move |_| {
        let db = pool.clone();
        async move { write(&db).await }
    });
    for done in soon(several).await {
        done.unwrap();
    }
    assert!(other.accepted() > 0);
    assert_eq!(third.accepted(), 0);
    database.end().await;
}

#[tokio::test]
async fn a_transaction_whose_connection_is_lost_begins_again() {
    let Some(database) = TestDatabase::on_server("lost_host").await else {
        return;
    };
    let mut one = Some(Relay::to(database.port()).await);
    let other = Relay::to(database.port()).await;
    let ports = [one.as_ref().unwrap().port, other.port];
    let db = open(&through(&database, &ports), &PoolOptions::default()).await;
    let mut runs = 0;
    let insert = "INSERT INTO region (id, description) VALUES (?, 'x')";
    let stored = transaction!(db, |tx| {
        runs += 1;
        sql(insert).bind("first").execute(&mut *tx).await?;
        drop(one.take());
        sql(insert).bind("second").execute(&mut *tx).await?;
        Ok(())
    });
    soon(stored).await.unwrap();
    assert_eq!(runs, 2);
    let kept = sql("SELECT id FROM region ORDER BY id").fetch_texts(&db);
    assert_eq!(kept.await.unwrap(), ["first", "second"]);
    // Not for ever, where every server is away.
    drop(other);
    let mut runs = 0;
    let refused: Result<()> = soon(transaction!(db, |tx| {
        runs += 1;
        sql(insert).bind("third").execute(tx).await?;
        Ok(())
    }))
    .await;
    assert_eq!(refused.unwrap_err().status(), 503);
    assert_eq!(runs, 0);
    database.end().await;
}

#[tokio::test]
async fn a_silent_server_is_left_even_if_nobody_waits_until_its_time_is_over() {
    let Some(database) = TestDatabase::on_server("silent_host").await else {
        return;
    };
    let one = Relay::to(database.port()).await;
    let url = through(&database, &[one.port, database.port()]) + "?connect_timeout=60";
    let db = open(&url, &PoolOptions::default()).await;
    one.freeze(true);
    let impatient = timeout(Duration::from_millis(1100), db.causal()).await;
    assert!(impatient.is_err(), "it answered");
    soon(db.causal()).await.unwrap();
    database.end().await;
}
