//! Writers that conflict: each is retried until it succeeds, and a log line counts the attempts of one that does not.

use std::{
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

use keystone_storage::{Db, PoolOptions, sql, transaction};
use keystone_types::Error as KeystoneError;

use crate::{test_database::TestDatabase, together};

const WRITERS: usize = 16;
const ROUNDS: usize = 10;

/// Increments one row, increments two rows that other writers increment in the opposite order, and replaces a set of rows.
async fn write_at_once(nodes: [Db; 2]) {
    for id in ["1", "2", "all"] {
        let insert = sql("INSERT INTO region (id, description, extra) VALUES (?, '', '0')");
        insert.bind(id).execute(&nodes[0]).await.unwrap();
    }
    let done = together(WRITERS, |writer| {
        let db = nodes[writer % 2].clone();
        async move {
            for _ in 0..ROUNDS {
                let rows = if writer < 8 { ["1", "2"] } else { ["2", "1"] };
                count(&db, &rows).await?;
            }
            for round in 0..ROUNDS {
                count(&db, &["all"]).await?;
                replace(&db, writer, round).await?;
            }
            Ok::<_, KeystoneError>(())
        }
    });
    for done in done.await {
        done.unwrap();
    }
    let counts = sql("SELECT extra FROM region ORDER BY id");
    let counts: Vec<(String,)> = counts.fetch_all(&nodes[1]).await.unwrap();
    assert_eq!(counts, vec![((WRITERS * ROUNDS).to_string(),); 3]);
    let tags = sql("SELECT COUNT(*) FROM project_tag");
    assert_eq!(tags.fetch_one::<(i64,)>(&nodes[1]).await.unwrap(), (5,));
}

async fn count(db: &Db, rows: &[&str]) -> Result<(), KeystoneError> {
    let counted = transaction!(db, |tx| {
        for row in rows {
            let query = sql("SELECT extra FROM region WHERE id = ?").bind(*row);
            let (count,): (String,) = query.locking().fetch_one(&mut *tx).await?;
            let next = count.parse::<usize>().unwrap() + 1;
            let query = sql("UPDATE region SET extra = ? WHERE id = ?");
            let query = query.bind(next.to_string()).bind(*row);
            query.execute(&mut *tx).await?;
        }
        Ok(())
    });
    counted.await
}

async fn replace(db: &Db, writer: usize, round: usize) -> Result<(), KeystoneError> {
    let replaced = transaction!(db, |tx| {
        let all = sql("DELETE FROM project_tag");
        all.execute(&mut *tx).await?;
        for i in 0..5 {
            // In an order that differs between the writers.
            let name = (i * (writer % 4 + 1) + round) % 5;
            let query = sql("INSERT INTO project_tag (project_id, name) SELECT id, ? FROM project");
            query.bind(name.to_string()).execute(&mut *tx).await?;
        }
        Ok(())
    });
    replaced.await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conflicting_writers_on_a_server_all_succeed() {
    let Some(database) = TestDatabase::on_server("contention").await else {
        return;
    };
    let options = PoolOptions::default();
    write_at_once([database.open(&options).await, database.open(&options).await]).await;
    database.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conflicting_writers_in_a_file_all_succeed() {
    let database = TestDatabase::in_a_file().await;
    let options = PoolOptions::default();
    write_at_once([database.open(&options).await, database.open(&options).await]).await;
}

/// The captured log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn one_log_line_counts_the_runs_of_a_transaction() {
    let Some(database) = TestDatabase::on_server("given_up").await else {
        return;
    };
    let lines = Lines::default();
    let log = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer({
            let lines = lines.clone();
            move || lines.clone()
        })
        .finish();
    let logging = tracing::subscriber::set_default(log);
    let db = database.open(&PoolOptions::default()).await;
    let mut runs = 0;
    let given_up = transaction!(db, |tx| {
        runs += 1;
        let deadlock = "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'Deadlock'";
        Ok(sql(deadlock).execute(tx).await?)
    });
    assert_eq!(given_up.await.unwrap_err().status(), 503);
    drop(logging);
    let lines = std::mem::take(&mut *lines.0.lock().unwrap_or_else(PoisonError::into_inner));
    let lines = String::from_utf8(lines).unwrap();
    assert_eq!(lines.lines().count(), 1, "{lines}");
    assert!(
        runs > 5 && lines.contains(&format!("runs={runs}")),
        "{lines}"
    );
    assert!(lines.contains("Deadlock"), "{lines}");
    database.end().await;
}
