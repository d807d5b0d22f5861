"""Brings databases to Alembic revisions with Python Keystone: at_revision.py URL=REVISION,… …

Many in one process, because loading Python Keystone takes longer than the upgrade.
"""
import sys
import warnings

warnings.filterwarnings("ignore")

import keystone.conf  # noqa: E402
import sqlalchemy  # noqa: E402
from alembic import command  # noqa: E402
from keystone.common import sql  # noqa: E402
from keystone.common.sql import upgrades  # noqa: E402

keystone.conf.configure()
sql.initialize()
keystone.conf.CONF([], project="keystone", default_config_files=[])
for argument in sys.argv[1:]:
    url, revisions = argument.rsplit("=", 1)
    keystone.conf.CONF.set_override("connection", url, "database")
    config = upgrades.get_alembic_config()
    engine = sqlalchemy.create_engine(url)
    for revision in revisions.split(","):
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
