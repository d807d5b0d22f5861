WITH RECURSIVE
-- Roles that are global or imply a global one: others have no effect.
useful (id) AS (
    SELECT id FROM role WHERE domain_id = '<<null>>'
    UNION
    SELECT i.prior_role_id FROM implied_role i JOIN useful ON useful.id = i.implied_role_id),
assigned (kind, target_id, inherited) AS (
    SELECT a.type, a.target_id, a.inherited
      FROM assignment a JOIN useful ON useful.id = a.role_id
     WHERE a.actor_id = ? AND a.type IN ('UserProject', 'UserDomain')
    UNION
    SELECT a.type, a.target_id, a.inherited
      FROM user_group_membership m
      JOIN assignment a ON a.actor_id = m.group_id
      JOIN useful ON useful.id = a.role_id
     WHERE m.user_id = ? AND a.type IN ('GroupProject', 'GroupDomain')
    UNION
    SELECT a.type, a.target_id, a.inherited
      FROM expiring_user_group_membership e
      JOIN assignment a ON a.actor_id = e.group_id
      JOIN useful ON useful.id = a.role_id
     WHERE e.user_id = ? AND INSTR(?, ',' || e.group_id || ',') > 0 AND a.type IN ('GroupProject', 'GroupDomain')),
below (id) AS (
    SELECT p.id FROM project p JOIN assigned ON assigned.target_id = p.parent_id WHERE assigned.inherited = 1
    UNION
    SELECT p.id FROM project p JOIN below ON below.id = p.parent_id),
reached (id) AS (
    SELECT target_id FROM assigned WHERE inherited = 0 AND kind IN ('UserProject', 'GroupProject')
    UNION
    SELECT id FROM below)
