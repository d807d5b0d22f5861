//! The basis of what is said about a token.

use chrono::NaiveDateTime;
use keystone_cache::{Dependency, Kind};
use keystone_identity::{Facts, Subject};
use keystone_token::Token;

use crate::delegation::Record;
use crate::scope::Scope;

/// What an answer about a token was read from, by id: it holds as long as nothing of that changes.
///
/// What a token depends on beside it are the roles and what they imply, and the identity providers.
#[derive(Debug, Default)]
pub(crate) struct Basis {
    /// The bearer, and everybody between whom the trusts are.
    pub(crate) users: Vec<String>,
    /// The groups of these users; memberships that have ended are among them.
    pub(crate) groups: Vec<String>,
    /// The project or domain in scope with its domain and all its ancestors, and the domains of the users.
    pub(crate) projects: Vec<String>,
    /// The audit id of the token.
    pub(crate) audit_ids: Vec<String>,
    /// The audit id of the root of its chain.
    pub(crate) chains: Vec<String>,
    /// The trust, and those before it.
    pub(crate) trusts: Vec<String>,
    /// The application credential.
    pub(crate) application_credentials: Vec<String>,
    /// The access token of `OAuth1`.
    pub(crate) access_tokens: Vec<String>,
    /// When time alone changes the answer, the life of the token apart.
    pub(crate) until: Option<NaiveDateTime>,
}

impl Basis {
    pub(crate) fn new(
        token: &Token,
        record: &Record,
        bearer: &Subject,
        scope: &Scope,
        facts: &Facts,
    ) -> Self {
        let mut basis = Self {
            users: vec![bearer.user.id.clone()],
            audit_ids: token.audit_ids.first().cloned().into_iter().collect(),
            chains: token.audit_ids.get(1).cloned().into_iter().collect(),
            ..Self::default()
        };
        record.add_to(&mut basis);
        basis.with(scope, facts)
    }

    /// Of the roles that a user has on a scope.
    pub(crate) fn of_roles(user_id: &str, scope: &Scope, facts: &Facts) -> Self {
        let basis = Self {
            users: vec![user_id.to_owned()],
            ..Self::default()
        };
        basis.with(scope, facts)
    }

    /// Adds what belongs to its users and to the scope.
    fn with(self, scope: &Scope, facts: &Facts) -> Self {
        let mut basis = self;
        let mut ends = vec![basis.until];
        for id in &basis.users {
            basis.groups.extend(facts.groups(id).map(str::to_owned));
            let subject = facts.subject(id).ok();
            basis
                .projects
                .extend(subject.map(|subject| subject.domain.id));
            ends.push(facts.until(id));
        }
        match scope {
            Scope::Project(project) => {
                basis
                    .projects
                    .extend([project.id.clone(), project.domain.id.clone()]);
                basis
                    .projects
                    .extend_from_slice(facts.ancestors(&project.id));
            }
            Scope::Domain(domain) => basis.projects.push(domain.id.clone()),
            Scope::Unscoped | Scope::System => {}
        }
        for list in [&mut basis.users, &mut basis.groups, &mut basis.projects] {
            list.sort_unstable();
            list.dedup();
        }
        basis.until = ends.into_iter().flatten().min();
        basis
    }

    pub(crate) fn dependencies(self) -> Vec<Dependency> {
        let lists = [
            (Kind::User, self.users),
            (Kind::Group, self.groups),
            (Kind::Project, self.projects),
            (Kind::Audit, self.audit_ids),
            (Kind::Chain, self.chains),
            (Kind::Trust, self.trusts),
            (Kind::ApplicationCredential, self.application_credentials),
            (Kind::AccessToken, self.access_tokens),
        ];
        let on = lists.into_iter();
        on.flat_map(|(kind, ids)| ids.into_iter().map(move |id| (kind, id)))
            .collect()
    }
}
