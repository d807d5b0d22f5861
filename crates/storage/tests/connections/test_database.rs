//! Databases that belong to one test.

use keystone_storage::{
    DatabaseUrl, Db, PoolOptions,
    schema::{self, Phase},
    sql,
};
use tempfile::TempDir;

/// A database with Keystone's schema, on the server that `KEYSTONE_TEST_DATABASE` names or in a file.
pub(crate) struct TestDatabase {
    pub(crate) url: String,
    server: Option<(Db, String)>,
    _folder: TempDir,
}

impl TestDatabase {
    /// `None` if no server is named.
    pub(crate) async fn on_server(name: &str) -> Option<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "tests are configured by the environment"
        )]
        let base = std::env::var("KEYSTONE_TEST_DATABASE").ok()?;
        let (base, _) = base.rsplit_once('/').unwrap();
        let server = open(&format!("{base}/mysql"), &PoolOptions::default()).await;
        let name = format!("test_connections_{name}");
        run(&server, format!("DROP DATABASE IF EXISTS {name}")).await;
        run(&server, format!("CREATE DATABASE {name}")).await;
        let database = Self {
            url: format!("{base}/{name}"),
            server: Some((server, name)),
            _folder: TempDir::new().unwrap(),
        };
        Some(database.filled().await)
    }

    pub(crate) async fn in_a_file() -> Self {
        let folder = TempDir::new().unwrap();
        let database = Self {
            url: format!("sqlite:///{}", folder.path().join("k.db").display()),
            server: None,
            _folder: folder,
        };
        database.filled().await
    }

    async fn filled(self) -> Self {
        let db = self.open(&PoolOptions::default()).await;
        schema::sync(&db, Phase::All, |_| {}).await.unwrap();
        db.close().await;
        self
    }

    pub(crate) async fn open(&self, options: &PoolOptions) -> Db {
        open(&self.url, options).await
    }

    /// The administrator's connections to the server.
    pub(crate) fn server(&self) -> &Db {
        &self.server.as_ref().unwrap().0
    }

    pub(crate) fn port(&self) -> u16 {
        let (_, address) = self.url.rsplit_once(':').unwrap();
        address.split('/').next().unwrap().parse().unwrap()
    }

    /// The URL of the same database through another port, with these parameters.
    pub(crate) fn through(&self, port: u16, parameters: &str) -> String {
        let own = format!(":{}/", self.port());
        self.url.replace(&own, &format!(":{port}/")) + parameters
    }

    pub(crate) async fn end(self) {
        if let Some((server, name)) = self.server {
            run(&server, format!("DROP DATABASE {name}")).await;
        }
    }
}

pub(crate) async fn open(url: &str, options: &PoolOptions) -> Db {
    let url = DatabaseUrl::parse(url).unwrap();
    Db::connect(&url, options).await.unwrap()
}

/// Runs a statement that is assembled at run time.
pub(crate) async fn run(db: &Db, text: String) {
    sql(text.leak()).execute(db).await.unwrap();
}
