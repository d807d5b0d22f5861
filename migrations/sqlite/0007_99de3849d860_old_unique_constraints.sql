-- 99de3849d860 (contract): what the expand branch made redundant goes.

CREATE TABLE keystone_rebuilt (
  id INTEGER NOT NULL,
  service VARCHAR(64) COLLATE NOCASE,
  path VARCHAR(128) COLLATE NOCASE,
  method VARCHAR(16) COLLATE NOCASE,
  external_id VARCHAR(64) COLLATE NOCASE,
  user_id VARCHAR(64) COLLATE NOCASE,
  PRIMARY KEY (id),
  CONSTRAINT duplicate_access_rule_for_user_constraint UNIQUE (user_id, service, path, method)
);

INSERT INTO keystone_rebuilt (id, service, path, method, external_id, user_id)
SELECT id, service, path, method, external_id, user_id FROM access_rule;

DROP TABLE access_rule;

ALTER TABLE keystone_rebuilt RENAME TO access_rule;

CREATE INDEX external_id ON access_rule (external_id);

CREATE INDEX user_id ON access_rule (user_id);

CREATE TABLE keystone_rebuilt (
  id VARCHAR(64) COLLATE NOCASE NOT NULL,
  trustor_user_id VARCHAR(64) COLLATE NOCASE NOT NULL,
  trustee_user_id VARCHAR(64) COLLATE NOCASE NOT NULL,
  project_id VARCHAR(64) COLLATE NOCASE,
  impersonation BOOLEAN NOT NULL,
  deleted_at DATETIME,
  expires_at DATETIME,
  remaining_uses INTEGER,
  extra TEXT,
  expires_at_int BIGINT,
  redelegated_trust_id VARCHAR(64) COLLATE NOCASE,
  redelegation_count INTEGER,
  PRIMARY KEY (id),
  CONSTRAINT duplicate_trust_constraint UNIQUE
    (trustor_user_id, trustee_user_id, project_id, impersonation, expires_at)
);

INSERT INTO keystone_rebuilt (id, trustor_user_id, trustee_user_id, project_id, impersonation, deleted_at, expires_at,
  remaining_uses, extra, expires_at_int, redelegated_trust_id, redelegation_count)
SELECT id, trustor_user_id, trustee_user_id, project_id, impersonation, deleted_at, expires_at,
  remaining_uses, extra, expires_at_int, redelegated_trust_id, redelegation_count FROM trust;

DROP TABLE trust;

ALTER TABLE keystone_rebuilt RENAME TO trust;
