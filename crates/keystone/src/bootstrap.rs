//! The least that a cloud needs: a domain, a project, an administrator, roles, and the URLs of
//! Keystone itself.
//!
//! Every step leaves what is there already, so that it can be repeated, and so that it lets an
//! administrator in again who was disabled or whose password was lost. What is made or changed is announced as by Keystone,
//! without an initiator.

use keystone_catalog::{Endpoint, Region, Service};
use keystone_identity::password::Claimant;
use keystone_identity::{
    Actor, DomainChoice, Grant, GrantTarget, Inheritance, NewUser, Options, Project, Role,
};
use keystone_notify::{Assignment, Event, Operation, Outcome};
use keystone_storage::sql;
use keystone_types::{Error, Listing, Result, Secret, check_length};
use serde_json::{Map, Value};
use tracing::{info, warn};

use crate::Keystone;

/// The resources to create unless they exist; the names are those of `keystone-manage bootstrap`.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    /// The administrator.
    pub username: String,
    /// The administrator's password.
    pub password: Secret,
    /// The project that the administrator has the role on.
    pub project_name: String,
    /// The administrator's role.
    pub role_name: String,
    /// The name of a new service of the type `identity`.
    pub service_name: String,
    /// The region of the endpoints.
    pub region_id: Option<String>,
    /// The URL of the public endpoint.
    pub public_url: Option<String>,
    /// The URL of the internal endpoint.
    pub internal_url: Option<String>,
    /// The URL of the admin endpoint.
    pub admin_url: Option<String>,
    /// Whether new roles can't be changed or deleted.
    pub immutable_roles: bool,
}

/// The resources that exist afterwards.
#[derive(Clone, Debug)]
pub struct Bootstrapped {
    /// The domain.
    pub domain_id: String,
    /// The project.
    pub project_id: String,
    /// The administrator.
    pub user_id: String,
    /// The administrator's role.
    pub role_id: String,
}

impl Bootstrap {
    /// Keystone's defaults, without a region and URLs.
    pub fn new(password: impl Into<Secret>) -> Self {
        Self {
            username: "admin".to_owned(),
            password: password.into(),
            project_name: "admin".to_owned(),
            role_name: "admin".to_owned(),
            service_name: "keystone".to_owned(),
            region_id: None,
            public_url: None,
            internal_url: None,
            admin_url: None,
            immutable_roles: true,
        }
    }

    /// The same URL for all three endpoints.
    #[must_use]
    pub fn url(mut self, url: &str) -> Self {
        for place in [
            &mut self.public_url,
            &mut self.internal_url,
            &mut self.admin_url,
        ] {
            *place = Some(url.to_owned());
        }
        self
    }

    /// The region of the endpoints.
    #[must_use]
    pub fn region(mut self, id: &str) -> Self {
        self.region_id = Some(id.to_owned());
        self
    }
}

impl Keystone {
    /// Makes sure of all of it.
    pub async fn bootstrap(&self, wanted: &Bootstrap) -> Result<Bootstrapped> {
        let domain_id = self.default_domain().await?;
        let project_id = self.ensure_project(&wanted.project_name, None).await?.id;
        let user_id = self
            .ensure_user(&wanted.username, &wanted.password, None)
            .await?;
        let role_id = self.named_roles(wanted).await?;
        for target in [
            GrantTarget::Project(project_id.clone(), Inheritance::Direct),
            GrantTarget::System,
        ] {
            let actor = Actor::User(user_id.clone());
            let grant = Grant { actor, target };
            self.ensure_grant(&grant, &role_id).await?;
        }
        info!(
            user.id = user_id,
            project.id = project_id,
            role = wanted.role_name,
            "the administrator has the role on the project and on the system"
        );
        self.bootstrap_endpoints(wanted).await?;
        Ok(Bootstrapped {
            domain_id,
            project_id,
            user_id,
            role_id,
        })
    }

    /// Makes sure of the region, the service and the endpoints alone.
    pub async fn bootstrap_endpoints(&self, wanted: &Bootstrap) -> Result<()> {
        if let Some(id) = &wanted.region_id {
            let created = self.catalog().create_region(Region::new(id)).await;
            if unless_there(created)?.is_some() {
                self.announce(Operation::Created, "region", id);
                info!(region.id = id, "created the region");
            }
        }
        let urls = [
            ("public", &wanted.public_url),
            ("internal", &wanted.internal_url),
            ("admin", &wanted.admin_url),
        ];
        let urls = urls
            .into_iter()
            .filter_map(|(interface, url)| Some((interface, url.as_deref()?)));
        let urls: Vec<_> = urls.collect();
        if urls.is_empty() {
            return Ok(());
        }
        let services = Listing::default().with("type", "identity");
        let before = self.catalog().services(&services).await?.items;
        let service = Service::new("identity", &wanted.service_name);
        let service = self.catalog().ensure_service(service).await?;
        if !before.iter().any(|it| it.id == service.id) {
            self.announce(Operation::Created, "service", &service.id);
        }
        let endpoints = Listing::default().with("service_id", &service.id);
        let before = self.catalog().endpoints(&endpoints).await?.items;
        for (interface, url) in urls {
            let region = wanted.region_id.clone();
            let endpoint = Endpoint::new(&service.id, interface, region, url);
            let endpoint = self.catalog().ensure_endpoint(endpoint).await?;
            let operation = if before.iter().any(|it| it.id == endpoint.id) {
                Operation::Updated
            } else {
                Operation::Created
            };
            self.announce(operation, "endpoint", &endpoint.id);
            info!(service.id, interface, url, "made sure of the endpoint");
        }
        Ok(())
    }

    /// Grants a role to a user; announces it as Keystone does, which is not for the system.
    async fn ensure_grant(&self, grant: &Grant, role_id: &str) -> Result<()> {
        let before = self.identity().grants(grant).await?;
        self.identity().create_grant(grant, role_id).await?;
        if before.iter().any(|role| role.id == role_id) {
            return Ok(());
        }
        if let (Actor::User(user), GrantTarget::Project(project, _), Some(notifier)) =
            (&grant.actor, &grant.target, self.notifier())
        {
            let assignment = Assignment {
                actor: ("user", user.clone()),
                target: ("project", project.clone()),
                inherited: false,
                role: role_id.to_owned(),
            };
            let event = Event::assignment(Operation::Created, assignment, Outcome::Success);
            notifier.send(&event);
        }
        Ok(())
    }

    fn announce(&self, operation: Operation, kind: &'static str, id: &str) {
        if let Some(notifier) = self.notifier() {
            notifier.send(&Event::resource(operation, kind, id));
        }
    }

    async fn default_domain(&self) -> Result<String> {
        let id = self.identity().settings().default_domain_id.clone();
        let domain = Project {
            id: id.clone(),
            description: Some("The default domain".to_owned()),
            ..Project::domain("Default")
        };
        if unless_there(self.identity().create_domain(domain).await)?.is_some() {
            self.announce(Operation::Created, "domain", &id);
            info!(domain.id = id, "created the default domain");
        }
        Ok(id)
    }

    /// Makes sure of a project in the default domain; a new one has `id`, if one is given.
    pub async fn ensure_project(&self, name: &str, id: Option<&str>) -> Result<Project> {
        let identity = self.identity();
        let domain_id = &identity.settings().default_domain_id;
        let text = "Bootstrap project for initializing the cloud.";
        let mut new = Project {
            description: Some(text.to_owned()),
            ..Project::new(name, domain_id)
        };
        if let Some(id) = id {
            check_length("id", id, 64)?;
            id.clone_into(&mut new.id);
        }
        match unless_there(identity.create_project(new).await)? {
            Some(project) => {
                self.announce(Operation::Created, "project", &project.id);
                info!(project.id = project.id, name, "created the project");
                Ok(project)
            }
            None => identity.project_by_name(name, domain_id).await,
        }
    }

    /// Makes sure of a user in the default domain, and returns the id. A new user has `id`, if one is given; an existing one
    /// with another id is a conflict. An existing one is enabled, and gets the password if another one is in force.
    pub async fn ensure_user(
        &self,
        name: &str,
        password: &Secret,
        id: Option<&str>,
    ) -> Result<String> {
        let identity = self.identity();
        let domain_id = &identity.settings().default_domain_id;
        let found = identity.subject_by_name(name, DomainChoice::Id(domain_id));
        let user = match found.await {
            Err(Error::NotFound { .. }) => {
                let new = NewUser::new(name, domain_id).password(password.clone());
                let created = match id {
                    Some(id) => identity.create_user_with_id(id, new).await,
                    None => identity.create_user(new).await,
                };
                match created {
                    Ok(user) => {
                        self.announce(Operation::Created, "user", &user.id);
                        info!(user.id = user.id, name, "created the user");
                        return Ok(user.id);
                    }
                    Err(conflict @ Error::Conflict { .. }) => {
                        // Another one has been created meanwhile, or another user has the id.
                        let found = identity.subject_by_name(name, DomainChoice::Id(domain_id));
                        found.await.map_err(|_| conflict)?.user
                    }
                    Err(error) => return Err(error),
                }
            }
            found => found?.user,
        };
        if id.is_some_and(|id| id != user.id) {
            // Keystone's text (`keystone.cmd.idutils`), which names the wanted id in place of the existing one.
            return Err(Error::Conflict {
                kind: "user_id",
                detail: format!("user `{name}` already exists with `{}`", user.id),
            });
        }
        if !user.enabled {
            let patch = Map::from_iter([("enabled".to_owned(), Value::from(true))]);
            identity.update_user(&user.id, patch).await?;
            self.announce(Operation::Updated, "user", &user.id);
            info!(user.id = user.id, "enabled the user");
        }
        let candidate = identity.candidate(&user.id).await?;
        let accepted = identity
            .authenticate(candidate, password.clone(), &Claimant::default())
            .await;
        match accepted.map_err(Error::from) {
            Err(error) if error.status() == 401 => {
                let password = Value::from(password.reveal());
                let patch = Map::from_iter([("password".to_owned(), password)]);
                identity.update_user(&user.id, patch).await?;
                self.announce(Operation::Updated, "user", &user.id);
                info!(user.id = user.id, "set the password of the user");
            }
            other => other.map(drop)?,
        }
        Ok(user.id)
    }

    /// The roles and what they imply; the id of the administrator's.
    async fn named_roles(&self, wanted: &Bootstrap) -> Result<String> {
        let immutable = wanted.immutable_roles;
        let reader = self.named_role("reader", immutable).await?;
        let member = self.named_role("member", immutable).await?;
        let manager = self.named_role("manager", immutable).await?;
        let admin = self.named_role(&wanted.role_name, immutable).await?;
        self.named_role("service", immutable).await?;
        for (prior, implied) in [(&member, &reader), (&manager, &member), (&admin, &manager)] {
            let created = self.identity().create_implied_role(prior, implied).await;
            if unless_there(created)?.is_some() {
                info!(prior, implied, "created the implied role");
            }
        }
        // Before Keystone had the role `manager`, `admin` implied `member` directly.
        sql("DELETE FROM implied_role WHERE prior_role_id = ? AND implied_role_id = ?")
            .bind(&admin)
            .bind(&member)
            .execute(self.db())
            .await?;
        Ok(admin)
    }

    async fn named_role(&self, name: &str, immutable: bool) -> Result<String> {
        let option = immutable.then(|| ("immutable".to_owned(), Value::from(true)));
        let role = Role {
            options: Options(option.into_iter().collect()),
            ..Role::new(name)
        };
        if let Some(role) = unless_there(self.identity().create_role(role).await)? {
            self.announce(Operation::Created, "role", &role.id);
            info!(role.id = role.id, name, "created the role");
            if !immutable {
                warn!(
                    name,
                    "the role is not immutable: it can be changed and deleted"
                );
            }
            return Ok(role.id);
        }
        Ok(self.global_role(name).await?.id)
    }

    /// The role with a name that belongs to no domain.
    pub(crate) async fn global_role(&self, name: &str) -> Result<Role> {
        let listing = Listing::default().with("name", name);
        let found = self.identity().global_roles(&listing).await?;
        let role = found.items.into_iter().next();
        role.ok_or_else(|| Error::not_found::<Role>(name))
    }
}

/// Turns the conflict with something that exists into nothing.
pub(crate) fn unless_there<T>(created: Result<T>) -> Result<Option<T>> {
    match created {
        Ok(it) => Ok(Some(it)),
        Err(Error::Conflict { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
