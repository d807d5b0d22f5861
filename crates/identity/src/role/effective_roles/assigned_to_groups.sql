    SELECT a.type, a.target_id, a.inherited
      FROM assignment a JOIN useful ON useful.id = a.role_id
