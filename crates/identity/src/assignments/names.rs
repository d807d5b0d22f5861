//! The names of what assignments are about.

use std::collections::{BTreeSet, HashMap};

use keystone_storage::select;
use keystone_types::Result;

use super::{Assignment, LONG};
use crate::project::ROOT;
use crate::{Actor, Identity, Target};

/// Names by id; what is mentioned but gone has none.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Of users.
    pub users: HashMap<String, Named>,
    /// Of groups.
    pub groups: HashMap<String, Named>,
    /// Of projects, and of domains.
    pub projects: HashMap<String, Named>,
    /// Of roles.
    pub roles: HashMap<String, Named>,
}

/// A name, and the domain in which it is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The domain's id; a global role has none.
    pub domain_id: Option<String>,
    /// The domain's name.
    pub domain_name: Option<String>,
}

type Row = (String, Option<String>, Option<String>, Option<String>);

const USERS: &str = "\
    SELECT u.id, COALESCE(l.name, n.name, (SELECT f.display_name FROM federated_user f WHERE f.user_id = u.id \
                                            ORDER BY f.id LIMIT 1)), \
           u.domain_id, d.name \
      FROM `user` u \
      LEFT JOIN project d ON d.id = u.domain_id \
      LEFT JOIN local_user l ON l.user_id = u.id \
      LEFT JOIN nonlocal_user n ON n.user_id = u.id";

const GROUPS: &str = "\
    SELECT g.id, g.name, g.domain_id, d.name FROM `group` g LEFT JOIN project d ON d.id = g.domain_id";

const PROJECTS: &str = "\
    SELECT p.id, p.name, p.domain_id, d.name FROM project p LEFT JOIN project d ON d.id = p.domain_id";

const ROLES: &str = "\
    SELECT r.id, r.name, NULLIF(r.domain_id, '<<null>>'), d.name \
      FROM role r LEFT JOIN project d ON d.id = r.domain_id";

impl Identity {
    /// The names of everything that assignments mention.
    pub(super) async fn names(&self, items: &[Assignment]) -> Result<Names> {
        let (mut users, mut groups) = (BTreeSet::new(), BTreeSet::new());
        let (mut projects, mut roles) = (BTreeSet::new(), BTreeSet::new());
        for item in items {
            match &item.actor {
                Actor::User(id) => users.insert(id.as_str()),
                Actor::Group(id) => groups.insert(id.as_str()),
            };
            if let Target::Project(id, _) | Target::Domain(id, _) = &item.target {
                projects.insert(id.as_str());
            }
            roles.insert(item.role_id.as_str());
        }
        let mut names = Names {
            users: self.named(USERS, "u.id", users).await?,
            groups: self.named(GROUPS, "g.id", groups).await?,
            projects: self.named(PROJECTS, "p.id", projects).await?,
            roles: self.named(ROLES, "r.id", roles).await?,
        };
        // What acts as a domain is in no other.
        for (id, project) in &mut names.projects {
            if project.domain_id.as_deref() == Some(ROOT) {
                project.domain_id = Some(id.clone());
                project.domain_name = Some(project.name.clone());
            }
        }
        Ok(names)
    }

    async fn named(
        &self,
        text: &'static str,
        column: &'static str,
        ids: BTreeSet<&str>,
    ) -> Result<HashMap<String, Named>> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let mut select = select(text);
        if ids.len() <= LONG {
            select = select.within(column, ids);
        }
        let rows: Vec<Row> = select.then("").fetch_all(&self.db).await?;
        let named = rows.into_iter().map(|(id, name, domain_id, domain_name)| {
            let name = name.unwrap_or_default();
            let named = Named {
                name,
                domain_id,
                domain_name,
            };
            (id, named)
        });
        Ok(named.collect())
    }
}
