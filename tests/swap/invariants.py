"""What must not change: the adopted schema, and the number of rows after a refused request."""

from harness.checks import equal

COLUMNS = (
    "SELECT table_name, column_name, column_type, is_nullable, column_default, collation_name "
    "FROM information_schema.columns WHERE table_schema = '{}' ORDER BY 1, 2"
)
INDICES = (
    "SELECT table_name, index_name, seq_in_index, column_name, non_unique "
    "FROM information_schema.statistics WHERE table_schema = '{}' ORDER BY 1, 2, 3"
)
KEYS = (
    "SELECT table_name, constraint_name, column_name, referenced_table_name, referenced_column_name "
    "FROM information_schema.key_column_usage WHERE table_schema = '{}' ORDER BY 1, 2, 3"
)


def schema(mariadb, database):
    """Columns, indices and keys by table. Indices of this server's own are left out."""
    tables = {}
    for query in (COLUMNS, INDICES, KEYS):
        for table, *rest in mariadb.sql(query.format(database)):
            if not rest[0].startswith("keystone_"):
                tables.setdefault(table, []).append(rest)
    return tables


def untouched(before, after):
    """Checks that every table is unchanged; this server may have added tables and indices."""
    for table, parts in before.items():
        equal(after.get(table), parts, f"table {table}")


def row_counts(mariadb, database):
    tables = [row[0] for row in mariadb.sql("SHOW TABLES", database)]
    counts = " UNION ALL ".join(f"SELECT '{table}', COUNT(*) FROM `{table}`" for table in tables)
    return dict(mariadb.sql(counts, database))
