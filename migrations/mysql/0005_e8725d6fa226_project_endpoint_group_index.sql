-- e8725d6fa226 (expand): endpoint groups are found by project.

CREATE INDEX IF NOT EXISTS `idx_project_id` ON `project_endpoint_group` (`project_id`);
