"""The structure of a database as a sorted list of facts, which can be compared with that of another database.

Constraint and index names, column order, types, defaults, nullability, collations, foreign keys, and the
rows of `alembic_version` and of the root domain. Tables and indices of our own (`keystone_…`) are left out: they are additive.
"""
import sqlite3

MYSQL = {
    "database": "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata"
    " WHERE schema_name = DATABASE()",
    "table": "SELECT table_name, engine, table_collation FROM information_schema.tables WHERE table_schema = DATABASE()",
    "column": "SELECT table_name, ordinal_position, column_name, column_type, is_nullable, column_default, extra,"
    " character_set_name, collation_name FROM information_schema.columns WHERE table_schema = DATABASE()",
    "index": "SELECT table_name, index_name, non_unique, seq_in_index, column_name, sub_part, index_type"
    " FROM information_schema.statistics WHERE table_schema = DATABASE()",
    "foreign key": "SELECT k.table_name, k.constraint_name, k.ordinal_position, k.column_name, k.referenced_table_name,"
    " k.referenced_column_name, r.update_rule, r.delete_rule FROM information_schema.key_column_usage k"
    " JOIN information_schema.referential_constraints r ON r.constraint_schema = k.constraint_schema"
    " AND r.table_name = k.table_name AND r.constraint_name = k.constraint_name WHERE k.constraint_schema = DATABASE()",
    "constraint": "SELECT table_name, constraint_name, constraint_type FROM information_schema.table_constraints"
    " WHERE constraint_schema = DATABASE()",
    "trigger": "SELECT trigger_name, event_object_table FROM information_schema.triggers WHERE trigger_schema = DATABASE()",
    "version": "SELECT 'alembic_version', version_num FROM alembic_version",
    "root": "SELECT 'project', p.* FROM project p WHERE is_domain = 1",
}


def mysql(query):
    return sorted(
        (kind, *map(str, row))
        for kind, text in MYSQL.items()
        for row in query(text)
        if not (str(row[0]).startswith("keystone_") or kind == "index" and row[1].startswith("keystone_"))
    )


def sqlite(path):
    connection = sqlite3.connect(path)
    query = lambda text: connection.execute(text).fetchall()  # noqa: E731
    facts = []
    tables = [name for (name,) in query("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        if table.startswith(("keystone_", "sqlite_")):
            continue
        facts.append(("table", table))
        facts += [("column", table, *row) for row in query(f'PRAGMA table_info("{table}")')]
        for _, index, unique, origin, partial in query(f'PRAGMA index_list("{table}")'):
            if index.startswith("keystone_"):
                continue
            columns = [row[2] for row in query(f'PRAGMA index_info("{index}")')]
            name = "" if index.startswith("sqlite_autoindex") else index
            facts.append(("index", table, name, unique, origin, partial, *columns))
        for row in query(f'PRAGMA foreign_key_list("{table}")'):
            facts.append(("foreign key", table, *row[1:]))
        (text,) = query(f"SELECT sql FROM sqlite_master WHERE type = 'table' AND name = '{table}'")[0]
        words = text.replace("(", " ( ").split()
        facts += [("constraint", table, words[i + 1]) for i, word in enumerate(words) if word == "CONSTRAINT"]
    facts += [("version", *row) for row in query("SELECT version_num FROM alembic_version")]
    facts += [("root", *row) for row in query("SELECT * FROM project WHERE is_domain = 1")]
    return sorted(tuple(map(str, fact)) for fact in facts)
