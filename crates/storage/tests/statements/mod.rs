//! The guarantees of statements, checked the same way on both databases.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::sync::{Arc, Mutex};

use chrono::{NaiveDate, NaiveDateTime};
use keystone_storage::{Db, Dialect, Error, OrConflict, schema, select, sql, transaction};
use keystone_types::{Clock, Error as KeystoneError, Extra, json};

#[derive(Debug, PartialEq, sqlx::FromRow)]
struct User {
    id: String,
    #[sqlx(try_from = "Option<String>")]
    extra: Extra,
    enabled: Option<bool>,
    default_project_id: Option<String>,
    created_at: Option<NaiveDateTime>,
    last_active_at: Option<NaiveDate>,
    domain_id: String,
}

/// A user without a project.
#[derive(Debug, sqlx::FromRow)]
struct Strict {
    id: String,
    #[sqlx(rename = "default_project_id", try_from = "Option<String>")]
    _project: Nothing,
}

#[derive(Debug)]
struct Nothing;

impl TryFrom<Option<String>> for Nothing {
    type Error = std::fmt::Error;

    fn try_from(value: Option<String>) -> Result<Self, std::fmt::Error> {
        value.map_or(Ok(Self), |_| Err(std::fmt::Error))
    }
}

const USERS: &str = "SELECT id, extra, enabled, default_project_id, created_at, last_active_at, domain_id FROM `user`";

pub(crate) async fn all(db: &Db) {
    values(db).await;
    filters(db).await;
    errors(db).await;
    unreadable(db).await;
    texts(db).await;
    times(db).await;
    transactions(db).await;
    violated_constraints(db).await;
    portable_text(db).await;
    observed(db).await;
    letter_case(db).await;
    clock(db).await;
    orphans(db).await;
}

fn user(id: &str) -> User {
    let day = NaiveDate::from_ymd_opt(2030, 2, 28).unwrap();
    User {
        id: id.to_owned(),
        extra: Extra(serde_json::from_str(r#"{"email":"zo\u00eb@example.org"}"#).unwrap()),
        enabled: Some(true),
        default_project_id: None,
        created_at: day.and_hms_opt(23, 59, 58),
        last_active_at: Some(day),
        domain_id: "default".to_owned(),
    }
}

async fn insert(db: &Db, user: &User) -> Result<u64, Error> {
    sql("INSERT INTO `user` (id, extra, enabled, default_project_id, created_at, last_active_at, domain_id) \
         VALUES (?, ?, ?, ?, ?, ?, ?)")
    .bind(&user.id)
    .bind(&user.extra)
    .bind(user.enabled)
    .bind(&user.default_project_id)
    .bind(user.created_at)
    .bind(user.last_active_at)
    .bind(user.domain_id.as_str())
    .execute(db)
    .await
}

async fn values(db: &Db) {
    for id in ["u1", "u2", "u3"] {
        assert_eq!(insert(db, &user(id)).await.unwrap(), 1);
    }
    let found = select(USERS).filter("id = ?", Some("u1")).then("");
    assert_eq!(found.fetch_one::<User>(db).await.unwrap(), user("u1"));
    let extra = sql("SELECT extra FROM `user` WHERE id = ?").bind("u1");
    let (text,) = extra.fetch_one::<(String,)>(db).await.unwrap();
    assert_eq!(text, r#"{"email": "zo\u00eb@example.org"}"#);
    let absent = sql("SELECT id FROM `user` WHERE id = ?").bind("nobody");
    assert!(
        absent
            .clone()
            .fetch_optional::<(String,)>(db)
            .await
            .unwrap()
            .is_none()
    );
    assert!(matches!(
        absent.fetch_one::<(String,)>(db).await,
        Err(Error::Other(_))
    ));
}

async fn filters(db: &Db) {
    let ids = |query: keystone_storage::Query| async {
        let rows = query.fetch_all::<(String,)>(db).await.unwrap();
        rows.into_iter().map(|(id,)| id).collect::<Vec<_>>()
    };
    let users = || select("SELECT id FROM `user`").and("id LIKE 'u_'");
    assert_eq!(ids(users().then(" ORDER BY id")).await, ["u1", "u2", "u3"]);
    assert_eq!(
        ids(users()
            .filter("id > ?", None::<&str>)
            .then(" ORDER BY id LIMIT ?")
            .bind(2))
        .await,
        ["u1", "u2"]
    );
    assert_eq!(
        ids(users()
            .filter_all("id = ? OR id = ?", ["u1", "u3"])
            .then(" ORDER BY id"))
        .await,
        ["u1", "u3"]
    );
    assert_eq!(
        ids(users().within("id", ["u3", "u2"]).then(" ORDER BY id")).await,
        ["u2", "u3"]
    );
    assert_eq!(
        ids(users().within("id", Vec::<String>::new()).then("")).await,
        [""; 0]
    );
}

async fn errors(db: &Db) {
    assert!(insert(db, &user("u1")).await.unwrap_err().is_duplicate());
    let conflict = insert(db, &user("u1"))
        .await
        .or_conflict(|| KeystoneError::Refused("twice".into()));
    assert_eq!(conflict.unwrap_err().to_string(), "twice");
    let orphan = sql("INSERT INTO user_option (user_id, option_id) VALUES ('nobody', '1000')")
        .execute(db)
        .await;
    assert!(matches!(orphan, Err(Error::ForeignKey(_))), "{orphan:?}");
    assert_eq!(KeystoneError::from(orphan.unwrap_err()).status(), 500);
}

/// The error names a row that can't be decoded; only lists that people look at skip it.
async fn unreadable(db: &Db) {
    let set = "UPDATE `user` SET default_project_id = ? WHERE id = 'u2'";
    sql(set).bind("wrong").execute(db).await.unwrap();
    let users = || sql("SELECT id, default_project_id FROM `user` ORDER BY id");
    let error = users().fetch_all::<Strict>(db).await.unwrap_err();
    let one = sql("SELECT id, default_project_id FROM `user` WHERE id = 'u2'");
    let same = one.fetch_one::<Strict>(db).await.unwrap_err();
    for error in [error, same] {
        let named = "corrupt row: table user, row u2, column default_project_id";
        assert_eq!(error.to_string(), named);
        assert_eq!(keystone_types::Error::from(error).status(), 500);
    }
    let readable = users().fetch_readable::<Strict>(db).await.unwrap();
    let readable: Vec<_> = readable.iter().map(|user| user.id.as_str()).collect();
    assert_eq!(readable, ["u1", "u3"]);
    let absent = sql("SELECT id FROM nothing").fetch_readable::<Strict>(db);
    absent.await.unwrap_err();
    sql(set).bind(None::<&str>).execute(db).await.unwrap();
}

/// An `extra` that is no object is kept; a text that no database can store is refused.
async fn texts(db: &Db) {
    let set = || sql("UPDATE `user` SET extra = ? WHERE id = 'u3'");
    let text = async || {
        let query = sql("SELECT extra FROM `user` WHERE id = 'u3'");
        query.fetch_one::<(Option<String>,)>(db).await.unwrap().0
    };
    let read = async || {
        let query = select(USERS).filter("id = ?", Some("u3")).then("");
        query.fetch_one::<User>(db).await.unwrap().extra
    };
    set().bind("[broken").execute(db).await.unwrap();
    let mut extra = read().await;
    set().bind(&extra).execute(db).await.unwrap();
    extra.0.insert("email".to_owned(), "e".into());
    let refused = set().bind(&extra).execute(db).await.unwrap_err();
    assert_eq!(keystone_types::Error::from(refused).status(), 500);
    assert_eq!(text().await.as_deref(), Some("[broken"));

    let python = r#"{"a": [NaN, -Infinity, 18446744073709551616, "\ud800", 1e+16]}"#;
    set().bind(python).execute(db).await.unwrap();
    set().bind(&read().await).execute(db).await.unwrap();
    assert_eq!(text().await.as_deref(), Some(python));

    let half = json::read(r#""\ud800""#).unwrap();
    let refused = set().bind(half.as_str()).execute(db).await.unwrap_err();
    assert_eq!(keystone_types::Error::from(refused).status(), 400);
    set().bind(None::<String>).execute(db).await.unwrap();
    assert_eq!(read().await, Extra::default());
}

/// Comparisons of times hold for each stored format: six decimals by `SQLAlchemy`, none by earlier versions.
async fn times(db: &Db) {
    let second = |second| NaiveDate::from_ymd_opt(2030, 1, 1)?.and_hms_opt(0, 0, second);
    let set = "UPDATE `user` SET created_at = ? WHERE id = ?";
    for (id, time) in [
        ("u1", "2030-01-01 00:00:10"),
        ("u2", "2030-01-01 00:00:10.000000"),
    ] {
        sql(set).bind(time).bind(id).execute(db).await.unwrap();
    }
    let ours = sql(set).bind(second(10)).bind("u3");
    ours.execute(db).await.unwrap();
    for (condition, before, same, after) in [
        ("created_at < ?", 0, 0, 3),
        ("created_at <= ?", 0, 3, 3),
        ("created_at > ?", 3, 0, 0),
        ("created_at >= ?", 3, 3, 0),
        ("created_at >= ? AND created_at <= ?", 0, 3, 0),
        ("created_at < ? OR created_at > ?", 3, 0, 3),
    ] {
        for (time, expected) in [(9, before), (10, same), (11, after)] {
            let times = vec![second(time); condition.matches('?').count()];
            let query = select("SELECT COUNT(*) FROM `user`").filter_all(condition, times);
            let (found,): (i64,) = query.then("").fetch_one(db).await.unwrap();
            assert_eq!(found, expected, "{condition} {time}");
        }
    }
    let read = sql("SELECT created_at FROM `user` ORDER BY id");
    let read: Vec<(Option<NaiveDateTime>,)> = read.fetch_all(db).await.unwrap();
    assert_eq!(read, vec![(second(10),); 3]);
}

async fn transactions(db: &Db) {
    let touch = "UPDATE `user` SET enabled = ? WHERE id = 'u2'";
    let enabled = "SELECT enabled FROM `user` WHERE id = 'u2'";
    // Matched rows count, whether they changed or not.
    let undone = transaction!(db, |tx| {
        assert_eq!(sql(touch).bind(true).execute(&mut *tx).await?, 1);
        assert_eq!(sql(touch).bind(false).execute(&mut *tx).await?, 1);
        assert_eq!(sql(enabled).fetch_one::<(bool,)>(&mut *tx).await?, (false,));
        Err::<(), _>(KeystoneError::Refused("changed my mind".to_owned()))
    });
    assert_eq!(
        sendable(undone).await.unwrap_err().to_string(),
        "changed my mind"
    );
    assert_eq!(
        sql(enabled).fetch_one::<(bool,)>(db).await.unwrap(),
        (true,)
    );
    let done = transaction!(db, |tx| Ok(sql(touch).bind(false).execute(tx).await?));
    assert_eq!(done.await.unwrap(), 1);
    assert_eq!(
        sql(enabled).fetch_one::<(bool,)>(db).await.unwrap(),
        (false,)
    );
}

/// Handlers' futures move between threads.
fn sendable<F: Future + Send>(future: F) -> F {
    future
}

/// A violated constraint is retried, so that the checks before it see the other writer's rows, and finally a conflict.
async fn violated_constraints(db: &Db) {
    let insert = "INSERT INTO user_option (user_id, option_id) VALUES (?, '1000')";
    let mut runs = 0;
    let refused = transaction!(db, |tx| {
        runs += 1;
        Ok(sql(insert).bind("nobody").execute(tx).await?)
    });
    assert_eq!(refused.await.unwrap_err().status(), 409);
    assert_eq!(runs, 3);
    let mut runs = 0;
    let mended = transaction!(db, |tx| {
        runs += 1;
        let user = if runs == 1 { "nobody" } else { "u1" };
        Ok(sql(insert).bind(user).execute(tx).await?)
    });
    assert_eq!(mended.await.unwrap(), 1);
}

async fn portable_text(db: &Db) {
    let text = "SELECT 'a' || ?, EXISTS(SELECT 1 FROM `user`), COUNT(*), 'a%b' LIKE ? ESCAPE '!' FROM `user` WHERE id LIKE 'u_'";
    let row = sql(text)
        .bind("b")
        .bind("a!%b")
        .fetch_one::<(String, bool, i64, bool)>(db)
        .await;
    assert_eq!(row.unwrap(), ("ab".to_owned(), true, 3, true));
    let long = sql("INSERT INTO config_register (type, domain_id) VALUES (?, ?)")
        .bind("x".repeat(65))
        .bind("d");
    // SQLite has no lengths; MariaDB in strict mode refuses instead of truncating.
    match (db.dialect(), long.execute(db).await) {
        (Dialect::Sqlite, Ok(1)) | (Dialect::MySql, Err(Error::Other(_))) => {}
        other => panic!("{other:?}"),
    }
}

async fn observed(db: &Db) {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let keep = Arc::clone(&seen);
    let db = db.clone().observed(Arc::new(move |text| {
        keep.lock().unwrap().push(text.to_owned());
    }));
    sql("SELECT id FROM role")
        .fetch_all::<(String,)>(&db)
        .await
        .unwrap();
    let read = transaction!(db, |tx| {
        let query = sql("SELECT id FROM region").locking();
        Ok(query.fetch_all::<(String,)>(tx).await?)
    });
    read.await.unwrap();
    assert_eq!(
        *seen.lock().unwrap(),
        ["SELECT id FROM role", "SELECT id FROM region"]
    );
}

/// Both ignore the case of ASCII letters; only `MariaDB` ignores spaces at the end.
async fn letter_case(db: &Db) {
    let count = |name: &'static str| async move {
        let query = sql("SELECT COUNT(*) FROM `user` WHERE id = ?").bind(name);
        query.fetch_one::<(i64,)>(db).await.unwrap().0
    };
    assert_eq!(count("U1").await, 1);
    assert_eq!(
        count("u1 ").await,
        i64::from(db.dialect() == Dialect::MySql)
    );
    assert!(insert(db, &user("U1")).await.unwrap_err().is_duplicate());
}

async fn clock(db: &Db) {
    let theirs = schema::server_time(db).await.unwrap();
    assert_eq!(theirs.is_some(), db.dialect() == Dialect::MySql);
    if let Some(theirs) = theirs {
        let ours = Clock::system().precise();
        assert!((ours - theirs).num_minutes() == 0, "{theirs} is not {ours}");
    }
}

/// Each reference is counted, and the statements that are shown find the same rows and delete them.
async fn orphans(db: &Db) {
    let before = schema::orphans(db, true, |_| {}).await.unwrap();
    sql("INSERT INTO role (id, name, domain_id) VALUES ('held', 'held', '<<null>>')")
        .execute(db)
        .await
        .unwrap();
    sql("INSERT INTO assignment (type, actor_id, target_id, role_id, inherited) \
         VALUES ('UserProject', 'gone', 'gone', 'held', ?), ('GroupDomain', 'gone', 'gone', 'held', ?)")
    .bind(false)
    .bind(false)
    .execute(db)
    .await
    .unwrap();
    let tables = Mutex::new(Vec::new());
    let note = |table: &str| tables.lock().unwrap().push(table.to_owned());
    let found = schema::orphans(db, true, note).await.unwrap();
    let mut of_assignments = Vec::new();
    for it in &found {
        let earlier = before.iter().find(|other| other.statement == it.statement);
        assert!(
            it.statement.starts_with("SELECT * FROM "),
            "{}",
            it.statement
        );
        let counted = it.statement.replacen("SELECT *", "SELECT COUNT(*)", 1);
        let (rows,): (i64,) = sql(counted.leak()).fetch_one(db).await.unwrap();
        assert_eq!(rows, it.rows, "{}", it.statement);
        if it.rows > earlier.map_or(0, |it| it.rows) {
            of_assignments.push((it.table, it.column, it.rows));
        }
    }
    assert_eq!(
        of_assignments,
        [
            ("assignment", "actor_id", 1),
            ("assignment", "actor_id", 1),
            ("assignment", "target_id", 2),
        ]
    );
    assert!(
        tables
            .into_inner()
            .unwrap()
            .contains(&"sensitive_config".to_owned())
    );
    let without_actors = schema::orphans(db, false, |_| {}).await.unwrap();
    assert!(without_actors.iter().all(|it| it.column != "actor_id"));
    let targets = found.iter().find(|it| it.column == "target_id");
    let delete = targets.unwrap().statement.replacen("SELECT *", "DELETE", 1);
    assert_eq!(sql(delete.leak()).execute(db).await.unwrap(), 2);
    let after = schema::orphans(db, true, |_| {}).await.unwrap();
    assert!(after.iter().all(|it| it.table != "assignment"));
}
