"""Checks that every SQL text of the sources ran on SQLite and on MariaDB.

A text is a string literal that begins with an SQL verb, outside of tests. What stands in `sql("…")` has to be a whole
statement that ran; any other, such as a constant or the beginning of a `select("…")`, part of one.
"""

import collections
import json
import pathlib
import re
import sys

from harness import checks
from harness.checks import Failed

ROOT, LIST = map(pathlib.Path, sys.argv[1:])
DATABASES = ("sqlite", "mariadb")
VERB = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH)\s")
PLACES = re.compile(r"\(\?(?:, \?)*\)|\(NULL\)")
TOKEN = re.compile(
    r'(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<char>\'(?:\\.[^\']*|[^\\\'])\')'
    r'|r(?P<hashes>#*)"(?P<raw>.*?)"(?P=hashes)|"(?P<text>(?:\\.|[^"\\])*)"',
    re.S,
)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\", '"': '"', "'": "'"}
# `testkit` is for tests. `storage` makes the schema before a test can listen, and its own tests run all of its statements
# on both databases.
ELSEWHERE = ("storage", "testkit")


def normal(text):
    """A text without the number of values in its lists and without its line ends."""
    return PLACES.sub("(?)", " ".join(text.split()))


def unescaped(text):
    text = re.sub(r"\\\n\s*", "", text)
    return re.sub(r"\\(.)", lambda found: ESCAPES.get(found[1], found[0]), text)


def literals(path, source):
    """The SQL texts of a source, each with whether it stands in `sql(…)`. A file of SQL is one text."""
    if path.suffix == ".sql":
        yield source, False
        return
    source = source.partition("#[cfg(test)]\nmod tests {")[0]
    for found in TOKEN.finditer(source):
        text = found["raw"] if found["raw"] is not None else found["text"]
        if text is None:
            continue
        text = unescaped(text) if found["raw"] is None else text
        if VERB.match(text):
            yield text, bool(re.search(r"\bsql\(\s*$", source[: found.start()]))


def sources():
    """The files of the crates that are compiled outside of tests."""
    crates = [crate for crate in (ROOT / "crates").iterdir() if crate.name not in ELSEWHERE]
    paths = [path for crate in crates for path in (crate / "src").rglob("*") if path.suffix in (".rs", ".sql")]
    texts = {path: path.read_text() for path in paths}
    tests = set()
    for path, text in texts.items():
        folder = path.parent if path.stem in ("lib", "main", "mod") else path.with_suffix("")
        for name in re.findall(r"#\[cfg\(test\)\]\s*(?:pub(?:\(\w+\))? )?mod (\w+);", text):
            tests |= {folder / f"{name}.rs", *folder.glob(f"{name}/**/*.rs")}
    return {path: text for path, text in texts.items() if path not in tests}


def ran():
    """The normal texts that ran on each database."""
    if not LIST.exists():
        raise Failed(f"no list of statements at {LIST}: run the stages sqlite and mariadb first")
    found = collections.defaultdict(set)
    for line in LIST.read_text().splitlines():
        database, text = json.loads(line)
        found[database].add(normal(text))
    return found


def statements(run):
    run.section("Statements")
    lists = ran()
    texts = [(path.relative_to(ROOT), *found) for path, text in sources().items() for found in literals(path, text)]
    with run.check("there are texts to look for"):
        if len(texts) < 150:
            raise Failed(f"only {len(texts)} SQL texts were found in the sources")
    for database in DATABASES:
        with run.check(f"every SQL text of the tree ran on {database}"):
            whole, together = lists[database], "\n".join(lists[database])
            missing = [
                f"{path}: {normal(text)}"
                for path, text, alone in texts
                if normal(text) not in (whole if alone else together)
            ]
            if missing:
                raise Failed("\n".join(sorted(missing)))


checks.run("statements", statements)
