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
     WHERE e.user_id = ? AND INSTR(?, ',' || e.group_id || ',') > 0 AND a.type IN ('GroupProject', 'GroupDomain')
