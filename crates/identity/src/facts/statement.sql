SELECT 1 AS kind, u.id AS id, COALESCE(l.name, n.name, (SELECT f.display_name FROM federated_user f WHERE f.user_id = u.id
                                                         ORDER BY f.id LIMIT 1)) AS name,
       u.domain_id AS domain_id, u.default_project_id AS parent_id, u.extra AS extra, d.name AS owner_name, NULL AS other,
       NULL AS more, u.enabled AS enabled, d.enabled AS owner_enabled, l.id AS number, u.created_at AS time,
       u.last_active_at AS day, p.expires_at AS ends_at, p.expires_at_int AS ends_at_int
  FROM user u
  LEFT JOIN project d ON d.id = u.domain_id
  LEFT JOIN local_user l ON l.user_id = u.id
  LEFT JOIN nonlocal_user n ON n.user_id = u.id
  LEFT JOIN password p ON p.id = (SELECT q.id FROM password q WHERE q.local_user_id = l.id
                                   ORDER BY q.created_at_int DESC, q.id DESC LIMIT 1)
 WHERE u.id IN (?)

-- Their options: GROUP_CONCAT would take as long as all the rest of a user.
UNION ALL
SELECT 2, o.user_id, NULL, NULL, NULL, o.option_id || HEX(o.option_value), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM user_option o
 WHERE o.user_id IN (?)

-- Projects and domains, with their domain and their ancestors, nearest first; `other` tells that there are more.
UNION ALL
SELECT 3, p.id, p.name, d.id, p.parent_id,
       p1.id || COALESCE(',' || p2.id || COALESCE(',' || p3.id || COALESCE(',' || p4.id || COALESCE(',' || p5.id, ''), ''), ''), ''),
       d.name, p5.parent_id, NULL, p.enabled, d.enabled, p.is_domain, NULL, NULL, NULL, NULL
  FROM project p
  JOIN project d ON d.id = p.domain_id
  LEFT JOIN project p1 ON p1.id = p.parent_id
  LEFT JOIN project p2 ON p2.id = p1.parent_id
  LEFT JOIN project p3 ON p3.id = p2.parent_id
  LEFT JOIN project p4 ON p4.id = p3.parent_id
  LEFT JOIN project p5 ON p5.id = p4.parent_id
 WHERE p.id IN (?)

-- Assignments on the scopes and inherited ones. No condition names their type: with it, the optimizer of MariaDB weighs every
-- actor with every scope.
UNION ALL
SELECT 4, a.actor_id, a.role_id, a.target_id, NULL, NULL, NULL, a.type, NULL, NULL, NULL, a.inherited, NULL, NULL, NULL, NULL
  FROM assignment a
 WHERE a.actor_id IN (?) AND (a.inherited = 1 OR a.target_id IN (?))

-- Groups of users, each with its assignments.
UNION ALL
SELECT 5, m.user_id, a.role_id, a.target_id, NULL, NULL, NULL, a.type, m.group_id, NULL, NULL, a.inherited, NULL, NULL, NULL, NULL
  FROM user_group_membership m
  LEFT JOIN assignment a ON a.actor_id = m.group_id AND (a.inherited = 1 OR a.target_id IN (?))
 WHERE m.user_id IN (?)

-- The same of memberships that expire.
UNION ALL
SELECT 5, m.user_id, a.role_id, a.target_id, NULL, NULL, NULL, a.type, m.group_id, NULL, NULL, a.inherited, m.last_verified, NULL,
       NULL, i.authorization_ttl
  FROM expiring_user_group_membership m
  JOIN identity_provider i ON i.id = m.idp_id
  LEFT JOIN assignment a ON a.actor_id = m.group_id AND (a.inherited = 1 OR a.target_id IN (?))
 WHERE m.user_id IN (?)

-- All roles, each with the roles that it implies.
UNION ALL
SELECT 6, r.id, r.name, r.domain_id, NULL, NULL, NULL, i.implied_role_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM role r
  LEFT JOIN implied_role i ON i.prior_role_id = r.id

-- Revocation events, by what they name.
UNION ALL
SELECT 7, e.user_id, e.audit_id, e.domain_id, e.project_id, e.trust_id, e.role_id, e.audit_chain_id, e.consumer_id, NULL, NULL,
       NULL, e.issued_before, NULL, e.expires_at, NULL
  FROM revocation_event e
 WHERE e.user_id IN (?) AND e.issued_before >= ?
UNION ALL
SELECT 7, e.user_id, e.audit_id, e.domain_id, e.project_id, e.trust_id, e.role_id, e.audit_chain_id, e.consumer_id, NULL, NULL,
       NULL, e.issued_before, NULL, e.expires_at, NULL
  FROM revocation_event e
 WHERE e.user_id IS NULL AND e.project_id IN (?) AND e.issued_before >= ?
UNION ALL
SELECT 7, e.user_id, e.audit_id, e.domain_id, e.project_id, e.trust_id, e.role_id, e.audit_chain_id, e.consumer_id, NULL, NULL,
       NULL, e.issued_before, NULL, e.expires_at, NULL
  FROM revocation_event e
 WHERE e.audit_id IN (?) AND e.issued_before >= ?
