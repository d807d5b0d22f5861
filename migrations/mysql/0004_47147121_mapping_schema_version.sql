-- 47147121 (expand): mappings name the version of their rules.

ALTER TABLE `mapping` ADD COLUMN IF NOT EXISTS `schema_version` varchar(5) NOT NULL DEFAULT '1.0';
