//! The statement that reads facts.

use std::collections::BTreeSet;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use keystone_storage::{Query, sql};
use keystone_types::{Extra, Result};

use super::{Asked, Assignment, Event, Facts, Membership, ScopeFacts, Target, key};
use crate::group::end_of_membership;
use crate::identity::Identity;
use crate::options::Options;
use crate::project::reference::ProjectRow;
use crate::role::Role;
use crate::role::implied::RoleGraph;
use crate::user::UserRow;

/// The lengths of lists. A list is padded to the next one, so that there are few texts, which stay prepared.
const LENGTHS: [usize; 5] = [1, 4, 16, 64, 256];

/// A union, which needs no temporary table; each `SELECT` finds its rows by key. The columns have the names of the first
/// one; `kind` tells what a row is, and [`Reading::take`] what it holds.
const FACTS: &str = include_str!("statement.sql");

const ON_SYSTEM: &str = "\
    SELECT 4, a.actor_id, a.role_id, a.target_id, NULL, NULL, NULL, a.type, NULL, NULL, NULL, a.inherited, NULL, NULL, NULL, NULL \
      FROM system_assignment a \
     WHERE a.type IN ('UserSystem', 'GroupSystem') AND a.actor_id IN (?) AND a.target_id = 'system'";

const OF_GROUPS_ON_SYSTEM: [&str; 2] = [
    "\
    SELECT 4, a.actor_id, a.role_id, a.target_id, NULL, NULL, NULL, a.type, NULL, NULL, NULL, a.inherited, NULL, NULL, NULL, NULL \
      FROM user_group_membership m \
      JOIN system_assignment a ON a.type = 'GroupSystem' AND a.actor_id = m.group_id AND a.target_id = 'system' \
     WHERE m.user_id IN (?)",
    "\
    SELECT 4, a.actor_id, a.role_id, a.target_id, NULL, NULL, NULL, a.type, NULL, NULL, NULL, a.inherited, NULL, NULL, NULL, NULL \
      FROM expiring_user_group_membership m \
      JOIN system_assignment a ON a.type = 'GroupSystem' AND a.actor_id = m.group_id AND a.target_id = 'system' \
     WHERE m.user_id IN (?)",
];

/// Events that name neither user, project nor audit id. An index of this server's own finds them; a database that only
/// Python Keystone's `db_sync` has seen lacks it. `SQLite` would not use it for alternatives in one `SELECT`, nor with a
/// condition on the time where others are left open.
macro_rules! unnamed_events {
    ($more:literal) => {
        concat!(
            "\
            SELECT 7, e.user_id, e.audit_id, e.domain_id, e.project_id, e.trust_id, e.role_id, e.audit_chain_id, \
                   e.consumer_id, NULL, NULL, NULL, e.issued_before, NULL, e.expires_at, NULL \
              FROM revocation_event e \
             WHERE e.user_id IS NULL AND e.project_id IS NULL AND e.audit_id IS NULL AND ",
            $more
        )
    };
}

const EVENTS_OF_CHAINS: &str = unnamed_events!("e.audit_chain_id IN (?)");
const EVENTS_OF_NOTHING: &str =
    unnamed_events!("e.audit_chain_id IS NULL AND e.trust_id IS NULL AND e.consumer_id IS NULL");
const EVENTS_OF_TRUSTS: &str = unnamed_events!("e.audit_chain_id IS NULL AND e.trust_id IN (?)");
const EVENTS_OF_CONSUMERS: &str =
    unnamed_events!("e.audit_chain_id IS NULL AND e.trust_id IS NULL AND e.consumer_id IN (?)");

const WHOLE_ROLES: &str = "\
    SELECT 8, r.id, r.name, NULLIF(r.domain_id, '<<null>>'), r.description, r.extra, NULL, NULL, \
           (SELECT GROUP_CONCAT(o.option_id || HEX(o.option_value)) FROM role_option o WHERE o.role_id = r.id), \
           NULL, NULL, NULL, NULL, NULL, NULL, NULL \
      FROM role r";

/// Since when events are read where none is needed.
const NEVER: NaiveDateTime = NaiveDate::from_ymd_opt(9999, 12, 31)
    .expect("it is a day")
    .and_time(NaiveTime::MIN);

/// The ancestors of projects that are deeper in the tree than the union looks.
const ANCESTORS: &str = "\
    WITH RECURSIVE up (of_id, id) AS (\
        SELECT id, parent_id FROM project WHERE id IN (?) AND parent_id IS NOT NULL \
        UNION SELECT up.of_id, p.parent_id FROM project p JOIN up ON p.id = up.id WHERE p.parent_id IS NOT NULL) \
    SELECT of_id, id FROM up ORDER BY of_id, id";

#[derive(Debug, sqlx::FromRow)]
struct Row {
    kind: i64,
    id: Option<String>,
    name: Option<String>,
    domain_id: Option<String>,
    parent_id: Option<String>,
    extra: Option<String>,
    owner_name: Option<String>,
    other: Option<String>,
    more: Option<String>,
    enabled: Option<bool>,
    owner_enabled: Option<bool>,
    number: Option<i64>,
    time: Option<NaiveDateTime>,
    day: Option<NaiveDate>,
    ends_at: Option<NaiveDateTime>,
    ends_at_int: Option<i64>,
}

/// Facts while their rows are read.
struct Reading {
    facts: Facts,
    roles: Vec<(String, String, String, Option<String>)>,
    /// The projects that have more ancestors than the union reads.
    deep: BTreeSet<String>,
}

impl Identity {
    /// Reads the facts that are asked about.
    pub(super) async fn read_facts(&self, asked: &Asked) -> Result<Facts> {
        let rows: Vec<Row> = statement(asked).fetch_all(&self.db).await?;
        let now = self.clock.precise();
        let mut reading = Reading {
            facts: Facts::new(self.settings.clone(), now),
            roles: Vec::new(),
            deep: BTreeSet::new(),
        };
        for row in rows {
            reading.take(row)?;
        }
        let Reading {
            mut facts,
            roles,
            deep,
        } = reading;
        facts.graph = RoleGraph::of(roles);
        facts.whole_roles.sort_by_cached_key(|role| key(&role.id));
        if !deep.is_empty() {
            let rows = sql(ANCESTORS).bind_all(deep).fetch_all(&self.db).await?;
            facts.add_ancestors(rows);
        }
        Ok(facts)
    }
}

/// The statement that reads what is asked about.
fn statement(asked: &Asked) -> Query {
    let lists = [
        &asked.actors,
        &asked.scopes,
        &asked.audit_ids,
        &asked.chains,
        &asked.trusts,
        &asked.consumers,
    ];
    let longest = lists
        .iter()
        .map(|list| list.len())
        .max()
        .unwrap_or_default();
    let length = LENGTHS.into_iter().find(|length| *length >= longest);
    let length = length.unwrap_or(longest);
    // An id more than once is found once, and there is nothing whose id is an empty text.
    let [actors, scopes, audit_ids, chains, trusts, consumers] = lists.map(|list| {
        let fill = list.first().cloned().unwrap_or_default();
        let fill = std::iter::repeat_n(fill, length - list.len());
        list.iter().cloned().chain(fill).collect::<Vec<_>>()
    });
    let since = asked.events_since.unwrap_or(NEVER);
    let mut query = sql(FACTS);
    for list in [
        &actors, &actors, &scopes, &actors, &scopes, &scopes, &actors, &scopes, &actors,
    ] {
        query = query.bind_all(list);
    }
    for list in [&actors, &scopes, &audit_ids] {
        query = query.bind_all(list).bind(since);
    }
    if asked.on_system {
        query = query.union_all(ON_SYSTEM).bind_all(&actors);
        for text in OF_GROUPS_ON_SYSTEM {
            query = query.union_all(text).bind_all(&actors);
        }
    }
    if asked.unnamed_events {
        query = query.union_all(EVENTS_OF_CHAINS).bind_all(&chains);
        query = query.union_all(EVENTS_OF_NOTHING);
    }
    if !(asked.trusts.is_empty() && asked.consumers.is_empty()) {
        query = query.union_all(EVENTS_OF_TRUSTS).bind_all(&trusts);
        query = query.union_all(EVENTS_OF_CONSUMERS).bind_all(&consumers);
    }
    if asked.whole_roles {
        query = query.union_all(WHOLE_ROLES);
    }
    query
}

impl Reading {
    fn take(&mut self, row: Row) -> Result<()> {
        let facts = &mut self.facts;
        let id = row.id.clone().unwrap_or_default();
        match row.kind {
            1 => drop(facts.users.insert(key(&id), row.user())),
            2 => facts.options.entry(key(&id)).or_default().extend(row.extra),
            3 => {
                let is_deep = row.other.is_some();
                facts.scopes.insert(key(&id), row.scope());
                self.deep.extend(is_deep.then_some(id));
            }
            4 => facts.add_assignment(&id, row.assignment()),
            5 => {
                let group_id = row.more.clone().unwrap_or_default();
                let ttl = row.ends_at_int;
                let verified = row.time;
                let end = verified.map(|it| end_of_membership(&facts.settings, it, ttl));
                facts.add_membership(&id, &group_id, end);
                facts.add_assignment(&group_id, row.assignment());
            }
            6 => {
                let (name, domain_id) = (text(row.name), text(row.domain_id));
                self.roles.push((id, name, domain_id, row.other));
            }
            7 => facts.events.extend(row.event()),
            _ => facts.whole_roles.push(row.role()?),
        }
        Ok(())
    }
}

impl Facts {
    fn add_assignment(&mut self, actor_id: &str, assignment: Option<Assignment>) {
        if let Some(assignment) = assignment {
            let of_actor = self.assignments.entry(key(actor_id)).or_default();
            of_actor.insert(assignment);
        }
    }

    /// Adds a membership, of which there may be several in a group: of them the last one to end counts.
    pub(super) fn add_membership(
        &mut self,
        user_id: &str,
        group_id: &str,
        end: Option<NaiveDateTime>,
    ) {
        let of_user = self.memberships.entry(key(user_id)).or_default();
        let membership = of_user.entry(key(group_id)).or_insert_with(|| Membership {
            group_id: group_id.to_owned(),
            end,
        });
        membership.end = match (membership.end, end) {
            (Some(one), Some(other)) => Some(one.max(other)),
            _ => None,
        };
    }

    fn add_ancestors(&mut self, rows: Vec<(String, String)>) {
        for (id, ancestor) in rows {
            if let Some(scope) = self.scopes.get_mut(&key(&id))
                && !scope.ancestors.contains(&ancestor)
            {
                scope.ancestors.push(ancestor);
            }
        }
    }
}

impl Row {
    fn user(self) -> UserRow {
        UserRow {
            extra: Extra::from(self.extra),
            id: text(self.id),
            domain_id: text(self.domain_id),
            local_id: self.number,
            name: self.name,
            enabled: self.enabled,
            default_project_id: self.parent_id,
            created_at: self.time,
            last_active_at: self.day,
            expires_at: self.ends_at,
            expires_at_int: self.ends_at_int,
            options: Options::default(),
            owner_name: self.owner_name,
            owner_enabled: self.owner_enabled,
        }
    }

    fn scope(self) -> ScopeFacts {
        let row = ProjectRow {
            id: text(self.id),
            name: text(self.name),
            parent_id: self.parent_id,
            is_domain: self.number == Some(1),
            enabled: self.enabled,
            owner_id: text(self.domain_id),
            owner_name: text(self.owner_name),
            owner_enabled: self.owner_enabled,
        };
        let ancestors = self.extra.unwrap_or_default();
        let ancestors = ancestors.split(',').filter(|id| !id.is_empty());
        ScopeFacts {
            owner_id: row.owner_id.clone(),
            ancestors: ancestors.map(str::to_owned).collect(),
            project: row.into(),
        }
    }

    /// The assignment in a row that has one.
    fn assignment(self) -> Option<Assignment> {
        let (to_group, on) = match self.other.as_deref()? {
            "UserProject" => (false, Target::Project),
            "GroupProject" => (true, Target::Project),
            "UserDomain" => (false, Target::Domain),
            "GroupDomain" => (true, Target::Domain),
            "UserSystem" => (false, Target::System),
            "GroupSystem" => (true, Target::System),
            _ => return None,
        };
        Some(Assignment {
            role_id: self.name?,
            to_group,
            on,
            target: key(&self.domain_id?),
            inherited: self.number == Some(1),
        })
    }

    fn event(self) -> Option<Event> {
        Some(Event {
            user_id: self.id,
            project_id: self.parent_id,
            audit_id: self.name,
            audit_chain_id: self.other,
            domain_id: self.domain_id,
            role_id: self.owner_name,
            trust_id: self.extra,
            consumer_id: self.more,
            expires_at: self.ends_at,
            issued_before: self.time?,
        })
    }

    fn role(self) -> Result<Role> {
        let id = text(self.id);
        Ok(Role {
            options: Options::stored(self.more, "role", &id)?,
            extra: Extra::from(self.extra),
            name: text(self.name),
            domain_id: self.domain_id,
            description: self.parent_id,
            id,
        })
    }
}

/// A column that is not NULL in rows of this kind.
fn text(column: Option<String>) -> String {
    column.unwrap_or_default()
}
