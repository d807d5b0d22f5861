//! `/v3/role_assignments`

mod entity;

use std::sync::Arc;

use axum::response::Response;
use keystone_identity::{Actor, AssignmentQuery, AssignmentScope, Assignments, Bulk, Position};
use keystone_types::{Error, Result};
use serde_json::{Map, json};

use crate::context::{Context, JsonList, PIECE, Pieces, PolicyTarget, in_pieces};
use crate::error::ApiError;
use crate::routes::{Routes, get};
use entity::Entity;

pub(crate) fn routes() -> Routes {
    Routes::new().route("/v3/role_assignments", get(list))
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    let (app, within_domain) = if cx.flag("include_subtree") {
        (allow_tree(&cx).await?, None)
    } else {
        let domain = cx.domain_scope();
        let target = PolicyTarget::new().with_some("domain_id", domain)?;
        let app = cx
            .allow_on("identity:list_role_assignments", target)
            .await?;
        (app, domain.map(str::to_owned))
    };
    let query = AssignmentQuery {
        within_domain,
        ..query(&cx)?
    };
    let found = app.identity.role_assignments(&query).await?;
    let rows = Rows {
        bulk: app.identity.bulk().clone(),
        left: found.at_most(),
        found: found.into(),
        position: Position::default(),
        text: JsonList::begin("role_assignments"),
        base: cx.url(""),
        own_url: cx.self_url(),
    };
    in_pieces(&cx.method, rows).await
}

/// The rest of a list of assignments.
struct Rows {
    bulk: Bulk,
    found: Arc<Assignments>,
    position: Position,
    /// How many there are at most.
    left: usize,
    text: JsonList,
    base: String,
    own_url: String,
}

impl Pieces for Rows {
    async fn piece(&mut self) -> Result<(String, bool)> {
        let (found, mut position) = (Arc::clone(&self.found), self.position);
        let (mut text, base) = (std::mem::take(&mut self.text), self.base.clone());
        let links = json!({ "next": null, "self": self.own_url, "previous": null });
        let render = move || {
            let mut failed = None;
            let done = found.visit(&mut position, PIECE, |item| {
                let entity = Entity::of(&base, item, found.names.as_ref());
                if let Err(error) = text.push_item(&entity) {
                    failed = Some(error);
                }
            });
            if done {
                text.close(Map::from_iter([("links".to_owned(), links)]));
            }
            failed.map_or(Ok((text, position, done)), Err)
        };
        let count = self.left.min(PIECE);
        let (text, position, done) = self.bulk.run(count, render).await??;
        self.left -= count;
        (self.text, self.position) = (text, position);
        Ok((self.text.take(), done))
    }
}

/// The tree's top is what the rule is asked about.
async fn allow_tree(cx: &Context) -> Result<&crate::App> {
    cx.authenticated()?;
    let mut target = PolicyTarget::new();
    let project_id = given(cx, "scope.project.id");
    if let Some(id) = project_id {
        let project = cx.unchecked().project(id).await?;
        target = target
            .with("project", &project)?
            .with("domain_id", &project.domain_id)?;
    }
    let app = cx
        .allow_on("identity:list_role_assignments_for_tree", target)
        .await?;
    if project_id.is_none() {
        return Err(Error::Validation(
            "scope.project.id must be specified if include_subtree is also specified".to_owned(),
        ));
    }
    Ok(app)
}

fn given<'a>(cx: &'a Context, name: &str) -> Option<&'a str> {
    cx.query(name).filter(|value| !value.is_empty())
}

/// Reads the query, which must not ask for what can't be.
fn query(cx: &Context) -> Result<AssignmentQuery> {
    let (user, group) = (given(cx, "user.id"), given(cx, "group.id"));
    let (project, domain) = (given(cx, "scope.project.id"), given(cx, "scope.domain.id"));
    let system = given(cx, "scope.system");
    let inherited = cx
        .query("scope.OS-INHERIT:inherited_to")
        .map(|to| to == "projects");
    let effective = cx.flag("effective");
    let contradictions = [
        (
            domain.is_some() && project.is_some(),
            "Specify a domain or project, not both",
        ),
        (
            domain.is_some() && system.is_some(),
            "Specify system or domain, not both",
        ),
        (
            project.is_some() && system.is_some(),
            "Specify system or project, not both",
        ),
        (
            user.is_some() && group.is_some(),
            "Specify a user or group, not both",
        ),
    ];
    if let Some((_, message)) = contradictions.iter().find(|(holds, _)| *holds) {
        return Err(Error::Validation((*message).to_owned()));
    }
    let actor = match (user, group) {
        (Some(id), _) => Some(Actor::User(id.to_owned())),
        (None, Some(id)) => Some(Actor::Group(id.to_owned())),
        (None, None) => None,
    };
    let scope = match (project, domain) {
        (Some(id), _) if cx.flag("include_subtree") => Some(AssignmentScope::Tree(id.to_owned())),
        (Some(id), _) => Some(AssignmentScope::Project(id.to_owned())),
        (None, Some(id)) => Some(AssignmentScope::Domain(id.to_owned())),
        (None, None) => (system == Some("all")).then_some(AssignmentScope::System),
    };
    Ok(AssignmentQuery {
        actor,
        role_id: given(cx, "role.id").map(str::to_owned),
        scope,
        inherited,
        effective,
        within_domain: None,
        names: cx.flag("include_names"),
    })
}
