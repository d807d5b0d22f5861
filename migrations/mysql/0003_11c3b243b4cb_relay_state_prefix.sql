-- 11c3b243b4cb (expand): the prefix comes from the configuration, not from the schema.

ALTER TABLE `service_provider` ALTER COLUMN `relay_state_prefix` DROP DEFAULT;
