//! A cloud for the tests of a service.

use std::future::IntoFuture as _;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::Duration;
use keystone_auth::{DomainChoice, Login, RequestedScope, TokenRequest, UserChoice};
use keystone_identity::password::Algorithm;
use keystone_identity::{Actor, Grant, GrantTarget, Inheritance, NewUser, Project, Role, User};
use keystone_types::{Clock, Error, Result};
use tokio::net::TcpListener;

use crate::bootstrap::unless_there;
use crate::builder::{BuildError, Builder};
use crate::{Bootstrap, Bootstrapped, Keystone};

/// The URL of Keystone in the catalog, unless it is served.
const URL: &str = "http://keystone.test:5000/v3";

/// The region of the endpoint of Keystone.
const REGION: &str = "RegionOne";

/// A bootstrapped cloud in memory, for the tests of a service: a real Keystone in place of a fake.
///
/// It is ready in less than a tenth of a second (`cargo bench -p keystone --bench ephemeral`), and shares nothing with others, so
/// that each test can have its own. Everything is named: what does not exist yet is created on its first use, in the default
/// domain. The password of a user is the name.
///
/// It has the user, the project and the role `admin`, the roles `manager`, `member`, `reader` and `service`, and an endpoint
/// of Keystone itself in the region `RegionOne`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use chrono::Duration;
/// use keystone::Keystone;
///
/// let cloud = Keystone::ephemeral().await?;
/// cloud.grant("alice", "laboratory", "member").await?;
/// let token = cloud.token("alice", "laboratory").await?;
///
/// let auth = cloud.keystone().auth();
/// let validated = auth.validate(&token, Duration::zero()).await?;
/// assert_eq!(validated.subject.user.name(), "alice");
///
/// cloud.advance(Duration::hours(2));
/// assert!(auth.validate(&token, Duration::zero()).await.is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Ephemeral {
    keystone: Keystone,
    bootstrapped: Bootstrapped,
    ahead: Arc<Mutex<Duration>>,
}

impl Builder {
    /// A cloud in memory for tests, with what was set here but for the database, and with passwords whose hashes cost
    /// nothing: see [`Ephemeral`]. The rules of `[security_compliance]`, where they are set, are to allow the name of a user
    /// as the password.
    pub async fn ephemeral(self) -> Result<Ephemeral, BuildError> {
        let ahead = Arc::default();
        let keystone = Box::pin(self.in_memory(&ahead).build()).await?;
        let wanted = Bootstrap::new("admin").region(REGION).url(URL);
        let bootstrapped = keystone.bootstrap(&wanted).await;
        Ok(Ephemeral {
            keystone,
            bootstrapped: bootstrapped.map_err(BuildError::Bootstrap)?,
            ahead,
        })
    }

    fn in_memory(mut self, ahead: &Arc<Mutex<Duration>>) -> Self {
        let (clock, ahead) = (self.clock, Arc::clone(ahead));
        self.clock = Clock::from_fn(move || clock.precise() + *locked(&ahead));
        self.db = None;
        let identity = &mut self.settings.identity;
        identity.password_algorithm = Some(Algorithm::Pbkdf2Sha512);
        identity.passwords.rounds = Some(1);
        self.database("sqlite://")
    }
}

fn locked(ahead: &Mutex<Duration>) -> MutexGuard<'_, Duration> {
    ahead.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ephemeral {
    /// The Keystone: its services and its router.
    pub fn keystone(&self) -> &Keystone {
        &self.keystone
    }

    /// The ids of the administrator, the project and the role `admin`, and the default domain.
    pub fn bootstrapped(&self) -> &Bootstrapped {
        &self.bootstrapped
    }

    /// A user of the default domain.
    pub async fn user(&self, name: &str) -> Result<User> {
        let identity = self.keystone.identity();
        let domain_id = &self.bootstrapped.domain_id;
        let new = NewUser::new(name, domain_id).password(name);
        if let Some(user) = unless_there(identity.create_user(new).await)? {
            return Ok(user);
        }
        let domain = keystone_identity::DomainChoice::Id(domain_id);
        Ok(identity.subject_by_name(name, domain).await?.user)
    }

    /// A project of the default domain.
    pub async fn project(&self, name: &str) -> Result<Project> {
        let identity = self.keystone.identity();
        let domain_id = &self.bootstrapped.domain_id;
        let created = identity.create_project(Project::new(name, domain_id));
        match unless_there(created.await)? {
            Some(project) => Ok(project),
            None => identity.project_by_name(name, domain_id).await,
        }
    }

    /// A role that belongs to no domain.
    pub async fn role(&self, name: &str) -> Result<Role> {
        let created = self.keystone.identity().create_role(Role::new(name)).await;
        match unless_there(created)? {
            Some(role) => Ok(role),
            None => self.keystone.global_role(name).await,
        }
    }

    /// Gives a user a role on a project.
    pub async fn grant(&self, user: &str, project: &str, role: &str) -> Result<()> {
        let project = self.project(project).await?;
        let target = GrantTarget::Project(project.id, Inheritance::Direct);
        self.grant_on(user, target, role).await
    }

    /// Gives a user a role on a project, a domain, by their ids, or on the system.
    pub async fn grant_on(&self, user: &str, target: GrantTarget, role: &str) -> Result<()> {
        let actor = Actor::User(self.user(user).await?.id);
        let role = self.role(role).await?;
        let grant = Grant { actor, target };
        self.keystone
            .identity()
            .create_grant(&grant, &role.id)
            .await
    }

    /// A new token of a user on a project, on which the user must have a role: 401 otherwise, as for any login.
    pub async fn token(&self, user: &str, project: &str) -> Result<String> {
        let domain = DomainChoice::Id(self.bootstrapped.domain_id.clone());
        let scope = RequestedScope::ProjectName(project.to_owned(), domain);
        self.token_on(user, scope).await
    }

    /// A new token of a user on any scope.
    pub async fn token_on(&self, user: &str, scope: RequestedScope) -> Result<String> {
        let choice = UserChoice::named(user, &self.bootstrapped.domain_id);
        let request = TokenRequest::password(choice, user).on(scope);
        let auth = self.keystone.auth();
        Ok(auth.log_in(request, &Login::default()).await?.id)
    }

    /// A new token of the administrator on the project `admin`.
    pub async fn admin_token(&self) -> Result<String> {
        self.token("admin", "admin").await
    }

    /// Serves it over HTTP on a free port of the loopback interface, until [`Keystone::shutdown`]. Returns the URL for
    /// clients, `http://127.0.0.1:PORT/v3`, which is in the catalog from then on.
    pub async fn serve(&self) -> Result<String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.map_err(Error::internal)?;
        let address = listener.local_addr().map_err(Error::internal)?;
        let url = format!("http://{address}/v3");
        let wanted = Bootstrap::new("").region(REGION).url(&url);
        self.keystone.bootstrap_endpoints(&wanted).await?;
        let stopped = self.keystone.background.stopped();
        let served = axum::serve(listener, self.keystone.router()).with_graceful_shutdown(stopped);
        tokio::spawn(served.into_future());
        Ok(url)
    }

    /// Lets time pass in the cloud: tokens age.
    pub fn advance(&self, by: Duration) {
        *locked(&self.ahead) += by;
    }
}
