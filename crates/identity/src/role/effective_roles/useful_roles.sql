WITH RECURSIVE
-- Roles that are global or imply a global one: others have no effect.
useful (id) AS (
    SELECT id FROM role WHERE domain_id = '<<null>>'
    UNION
    SELECT i.prior_role_id FROM implied_role i JOIN useful ON useful.id = i.implied_role_id),
assigned (kind, target_id, inherited) AS (
