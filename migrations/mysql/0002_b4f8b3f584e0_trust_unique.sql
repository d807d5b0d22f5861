-- b4f8b3f584e0 (expand): a trust is unique without its `expires_at_int`.

ALTER TABLE `trust` ADD UNIQUE KEY IF NOT EXISTS `duplicate_trust_constraint`
  (`trustor_user_id`,`trustee_user_id`,`project_id`,`impersonation`,`expires_at`);
