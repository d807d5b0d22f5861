"""The table."""

from contestants import CEILING, MEBIBYTE, OURS, REFERENCE

COLUMNS = (
    *("", OURS, f"{REFERENCE} 30.0.0, uWSGI 2 × 4, memcached", CEILING),
    *("against the ceiling", "against Python Keystone", "goal"),
)


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}" if value < 10 else f"{value:.0f}"


def duration(seconds):
    return f"{number(seconds)} s" if seconds >= 1 else f"{number(seconds * 1000)} ms"


def size(count):
    return f"{count / MEBIBYTE:.0f} MiB"


def times(ratio):
    return f"{ratio:.2f}" if ratio < 2 else f"{number(ratio)} ×"


def result(found, has_database=True):
    parts = [f"{number(found.rate)}/s", f"p50 {duration(found.p50)}", f"p99 {duration(found.p99)}"]
    if has_database:
        parts.append(f"{number(found.statements)} statements")
    return ", ".join(parts)


def compared(title, found, goal=""):
    """A row of results by contestant."""
    cells = [result(found[name], name != CEILING) if name in found else "" for name in (OURS, REFERENCE, CEILING)]
    ratios = [times(found[OURS].rate / found[other].rate) if other in found else "" for other in (CEILING, REFERENCE)]
    return row(title, *cells, *ratios, goal)


def less(title, found, show, goal=""):
    """A row of values by contestant, of which the smaller is better."""
    ratio = times(found[REFERENCE] / found[OURS]) if REFERENCE in found else ""
    return row(title, show(found[OURS]), show(found[REFERENCE]) if REFERENCE in found else "", "", "", ratio, goal)


def alone(title, text, goal=""):
    """A row about this server."""
    return row(title, text, "", "", "", "", goal)


def row(*cells):
    return f"| {' | '.join(cells)} |"


def table(rows):
    return "\n".join([row(*COLUMNS), "|---" * len(COLUMNS) + "|", *rows])

