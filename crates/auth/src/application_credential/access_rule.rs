//! Access rules: the requests that an application credential may make.
//!
//! Every service checks the rules about itself; `keystonemiddleware` defines which paths match.

use chrono::Duration;
use keystone_cache::Pass;
use keystone_storage::{Column, select, sql, transaction};
use keystone_types::{Error, Listing, Page, Resource, Result};
use serde::Serialize;
use serde_json::Value;

use crate::auth::Auth;
use crate::token::AuthToken;

/// An access rule, which several credentials of its user may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct AccessRule {
    /// The id.
    pub id: String,
    /// The type of the service.
    pub service: String,
    /// The path, in which `*` and `{name}` stand for one segment, and `**` for any number of them.
    pub path: String,
    /// The HTTP method.
    pub method: String,
}

impl Resource for AccessRule {
    const MEMBER: &'static str = "access_rule";
    const COLLECTION: &'static str = "access_rules";

    fn id(&self) -> &str {
        &self.id
    }
}

impl AccessRule {
    /// Whether the rule is about a request to this service.
    pub(crate) fn allows(&self, service: &str, method: &str, path: &str) -> bool {
        self.service == service && self.method == method && path_matches(&self.path, path)
    }
}

/// A part of the pattern of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Literal(char),
    /// One or more characters of a segment.
    Segment,
    /// Any characters.
    Anything,
}

/// Whether a path matches a pattern, as `_path_matches` of `keystonemiddleware/auth_token/__init__.py` tells, except
/// that a literal character stands for itself there only where it has no meaning in a regular expression.
fn path_matches(pattern: &str, path: &str) -> bool {
    let parts = parts(pattern);
    // Which beginnings of the pattern match what was read of the path.
    let mut reached = vec![false; parts.len() + 1];
    reached[0] = true;
    skip_anything(&parts, &mut reached);
    for next in path.chars() {
        let mut then = vec![false; parts.len() + 1];
        for (at, part) in parts.iter().enumerate() {
            match part {
                Part::Literal(literal) => then[at + 1] |= reached[at] && *literal == next,
                // The place behind a segment is reached again with each further character of it.
                Part::Segment => then[at + 1] |= next != '/' && (reached[at] || reached[at + 1]),
                Part::Anything => then[at] |= reached[at],
            }
        }
        skip_anything(&parts, &mut then);
        reached = then;
    }
    reached[parts.len()]
}

/// What can be anything can also be nothing.
fn skip_anything(parts: &[Part], reached: &mut [bool]) {
    for (at, part) in parts.iter().enumerate() {
        if *part == Part::Anything && reached[at] {
            reached[at + 1] = true;
        }
    }
}

fn parts(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = pattern;
    while let Some(next) = rest.chars().next() {
        let after = &rest[next.len_utf8()..];
        rest = match next {
            '{' => match after.find('}') {
                Some(end) => {
                    parts.push(Part::Segment);
                    &after[end + 1..]
                }
                None => after,
            },
            '}' => after,
            '*' => {
                if let Some(after) = after.strip_prefix('*') {
                    parts.push(Part::Anything);
                    after
                } else {
                    parts.push(Part::Segment);
                    after
                }
            }
            literal => {
                parts.push(Part::Literal(literal));
                after
            }
        };
    }
    parts
}

/// The service that this server is, in access rules.
const SERVICE: &str = "identity";

/// The role of services, whose requests for a user are not the user's own.
const SERVICE_ROLE: &str = "service";

impl Auth {
    /// 401 for a request to this server that the access rules behind a token do not allow, as
    /// `validate_allowed_request` of `keystonemiddleware/auth_token/__init__.py` decides.
    pub async fn check_request(
        &self,
        token: &AuthToken,
        method: &str,
        path: &str,
        service_token: Option<&str>,
        pass: Pass,
    ) -> Result<()> {
        let Some(rules) = token.backing.access_rules() else {
            return Ok(());
        };
        // Any token may be validated.
        if method == "GET" && path.ends_with("/v3/auth/tokens") {
            return Ok(());
        }
        let allowed = rules.iter().any(|rule| rule.allows(SERVICE, method, path));
        if self.is_offered(token, pass).await?
            && (allowed || self.is_of_service(service_token, pass).await?)
        {
            return Ok(());
        }
        Err(Error::unauthorized(
            "the access rules of the application credential do not allow the request",
        ))
    }

    /// Whether this service is in the catalog of a token.
    async fn is_offered(&self, token: &AuthToken, pass: Pass) -> Result<bool> {
        let catalog = self.catalog_of(pass, token).await?;
        let services = catalog.as_ref().and_then(Value::as_array);
        let mut services = services.into_iter().flatten();
        Ok(services.any(|service| service["type"] == SERVICE))
    }

    /// Whether a token in `X-Service-Token` is valid and of a service. Python Keystone takes any text for one.
    async fn is_of_service(&self, token: Option<&str>, pass: Pass) -> Result<bool> {
        let Some(token) = token else {
            return Ok(false);
        };
        match self.validate_with(pass, token, Duration::zero()).await {
            Ok(token) => Ok(token.roles.iter().any(|role| role.name == SERVICE_ROLE)),
            Err(error) if error.is_ours() => Err(error.into_error()),
            Err(_) => Ok(false),
        }
    }
}

const RULES: &str = "SELECT external_id AS id, service, path, method FROM access_rule";

const COLUMNS: [Column; 3] = [
    Column::text("service", "service", 64),
    Column::text("path", "path", 128),
    Column::text("method", "method", 16),
];

impl Auth {
    /// The access rules of a user; filters: `service`, `path`, `method`.
    pub async fn access_rules(&self, user_id: &str, listing: &Listing) -> Result<Page<AccessRule>> {
        let rules = select(RULES).filter("user_id = ?", Some(user_id));
        // Keystone compares them in Python once more, and so by case (`keystone/api/users.py`).
        let exact = |name| listing.exact(name).map(str::to_owned);
        let rules = rules
            .narrow(listing, &COLUMNS)
            .filter("LENGTH(REPLACE(service, ?, '')) = 0", exact("service"))
            .filter("LENGTH(REPLACE(path, ?, '')) = 0", exact("path"))
            .filter("LENGTH(REPLACE(method, ?, '')) = 0", exact("method"));
        let query = rules.page(listing, "external_id");
        Ok(query.fetch_page(listing, &self.db).await?)
    }

    /// One access rule of a user.
    pub async fn access_rule(&self, user_id: &str, id: &str) -> Result<AccessRule> {
        let rule = select(RULES).filter_all("external_id = ? AND user_id = ?", [id, user_id]);
        let found = rule.then("").fetch_optional(&self.db).await?;
        found.ok_or_else(|| not_found(id))
    }

    /// Deletes an access rule of a user that no application credential has.
    pub async fn delete_access_rule(&self, user_id: &str, id: &str) -> Result<()> {
        transaction!(self.db, |tx| {
            let rule = sql("SELECT id FROM access_rule WHERE external_id = ? AND user_id = ?")
                .bind(id)
                .bind(user_id)
                .locking();
            let rule: Option<(i64,)> = rule.fetch_optional(&mut *tx).await?;
            let (number,) = rule.ok_or_else(|| not_found(id))?;
            let (uses,): (i64,) = sql(
                "SELECT COUNT(*) FROM application_credential_access_rule WHERE access_rule_id = ?",
            )
            .bind(number)
            .fetch_one(&mut *tx)
            .await?;
            if uses > 0 {
                return Err(Error::Refused(
                    "May not delete access rule in use".to_owned(),
                ));
            }
            let deleted = sql("DELETE FROM access_rule WHERE id = ?").bind(number);
            deleted.execute(tx).await?;
            Ok(())
        })
        .await
    }
}

pub(super) fn not_found(id: &str) -> Error {
    Error::NotFound {
        kind: "Access Rule",
        id: id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::path_matches;

    #[test]
    fn patterns_match_as_in_the_middleware_of_services() {
        for (pattern, matched, others) in [
            (
                "/v3/users",
                ["/v3/users"].as_slice(),
                ["/v3/user", "/v3/users/", "/v3/usersx", "/V3/users", ""].as_slice(),
            ),
            (
                "/v3/users/*",
                &["/v3/users/a", "/v3/users/%2F"],
                &["/v3/users/", "/v3/users", "/v3/users/a/b", "/v3/users/a/"],
            ),
            (
                "/v3/users/{id}/groups",
                &["/v3/users/a/groups"],
                &[
                    "/v3/users//groups",
                    "/v3/users/a/b/groups",
                    "/v3/users/groups",
                ],
            ),
            ("/v3/{a}{b}", &["/v3/xy", "/v3/xyz"], &["/v3/x", "/v3/x/y"]),
            ("/v3/**", &["/v3/", "/v3/a", "/v3/a/b/c"], &["/v3", "/v4/a"]),
            (
                "/v3/**/tags",
                &["/v3/a/tags", "/v3/a/b/tags", "/v3//tags"],
                &["/v3/tags", "/v3/a/tags/x"],
            ),
            ("**", &["", "/", "/a/b"], &[]),
            ("/a***", &["/ab", "/a/b", "/abc"], &["/a", "/a/"]),
            (
                "/a*b*c",
                &["/axbyc", "/abbbcc"],
                &["/abc", "/axbc", "/a/b/c"],
            ),
            ("/v2.1/x", &["/v2.1/x"], &["/v211/x"]),
            ("/open{", &["/open"], &["/open{"]),
            ("/close}d", &["/closed"], &["/close}d"]),
            ("", &[""], &["/"]),
        ] {
            for path in matched {
                assert!(path_matches(pattern, path), "{pattern} {path}");
            }
            for path in others {
                assert!(!path_matches(pattern, path), "{pattern} {path}");
            }
        }
    }
}
