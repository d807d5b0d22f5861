-- 99de3849d860 (contract): what the expand branch made redundant goes.

ALTER TABLE `access_rule` DROP INDEX IF EXISTS `access_rule_external_id_key`;

ALTER TABLE `trust` DROP INDEX IF EXISTS `duplicate_trust_constraint_expanded`;
