-- 11c3b243b4cb (expand): the prefix comes from the configuration, not from the schema.

CREATE TABLE keystone_rebuilt (
  auth_url VARCHAR(256) COLLATE NOCASE NOT NULL,
  id VARCHAR(64) COLLATE NOCASE NOT NULL,
  enabled BOOLEAN NOT NULL,
  description TEXT,
  sp_url VARCHAR(256) COLLATE NOCASE NOT NULL,
  relay_state_prefix VARCHAR(256) COLLATE NOCASE NOT NULL,
  PRIMARY KEY (id)
);

INSERT INTO keystone_rebuilt (auth_url, id, enabled, description, sp_url, relay_state_prefix)
SELECT auth_url, id, enabled, description, sp_url, relay_state_prefix FROM service_provider;

DROP TABLE service_provider;

ALTER TABLE keystone_rebuilt RENAME TO service_provider;
