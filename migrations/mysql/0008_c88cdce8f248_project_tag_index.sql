-- c88cdce8f248 (contract): an index that repeats the primary key goes.
-- Its name depends on which tool created the table, so that it is found by its columns.

SET @keystone_drop = (
  SELECT CONCAT('ALTER TABLE `project_tag` DROP INDEX `', MIN(`duplicate`.`index_name`), '`')
  FROM (
    SELECT `index_name`
    FROM `information_schema`.`statistics`
    WHERE `table_schema` = DATABASE() AND `table_name` = 'project_tag' AND `index_name` <> 'PRIMARY'
    GROUP BY `index_name`
    HAVING GROUP_CONCAT(`column_name` ORDER BY `seq_in_index`) = 'project_id,name'
  ) AS `duplicate`
);

SET @keystone_drop = COALESCE(@keystone_drop, 'DO 0');

EXECUTE IMMEDIATE @keystone_drop;
