-- Revocation events that name neither user, project nor audit id are found by what else they name.

CREATE INDEX IF NOT EXISTS keystone_native_unnamed_event ON revocation_event
  (user_id, project_id, audit_id, audit_chain_id, trust_id, consumer_id, issued_before);

-- Passwords are found by their user, as they are on MariaDB by the index of the foreign key.

CREATE INDEX IF NOT EXISTS keystone_native_password ON password (local_user_id);

-- A login names an application credential by its id.

CREATE INDEX IF NOT EXISTS keystone_native_application_credential ON application_credential (id);

-- The messages of identity providers that were used, assertions and logout tokens: none counts twice.

CREATE TABLE IF NOT EXISTS keystone_native_message (
  hash CHAR(64) NOT NULL,
  expires_at DATETIME NOT NULL,
  PRIMARY KEY (hash)
);
CREATE INDEX IF NOT EXISTS keystone_native_message_expires_at ON keystone_native_message (expires_at);
