-- Revocation events that name neither user, project nor audit id are found by what else they name.

CREATE INDEX IF NOT EXISTS `keystone_native_unnamed_event` ON `revocation_event`
  (`user_id`,`project_id`,`audit_id`,`audit_chain_id`,`trust_id`,`consumer_id`,`issued_before`);

-- A login names an application credential by its id.

CREATE INDEX IF NOT EXISTS `keystone_native_application_credential` ON `application_credential` (`id`);

-- The assertions of identity providers that somebody has logged in with: none is taken twice.

CREATE TABLE IF NOT EXISTS `keystone_native_assertion` (
  `hash` char(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `expires_at` datetime NOT NULL,
  PRIMARY KEY (`hash`),
  KEY `keystone_native_assertion_expires_at` (`expires_at`)
) ENGINE=InnoDB;
