-- Marks a database that this server created, as opposed to one it adopted.

CREATE TABLE IF NOT EXISTS keystone_native (
  created_by VARCHAR(64) NOT NULL,
  PRIMARY KEY (created_by)
);
