),
below (id) AS (
    SELECT p.id FROM project p JOIN assigned ON assigned.target_id = p.parent_id WHERE assigned.inherited = 1
    UNION
    SELECT p.id FROM project p JOIN below ON below.id = p.parent_id),
reached (id) AS (
    SELECT target_id FROM assigned WHERE inherited = 0 AND kind IN ('UserProject', 'GroupProject')
    UNION
    SELECT id FROM below)
