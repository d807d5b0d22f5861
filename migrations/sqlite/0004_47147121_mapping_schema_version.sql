-- 47147121 (expand): mappings name the version of their rules.

ALTER TABLE mapping ADD COLUMN schema_version VARCHAR(5) COLLATE NOCASE DEFAULT '1.0' NOT NULL;
