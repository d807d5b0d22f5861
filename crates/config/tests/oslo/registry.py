"""The options of Keystone's keystone.conf, as the installed packages declare them."""

import importlib.metadata
import warnings

warnings.simplefilter("ignore")

NAMESPACES = [
    "keystone",
    "oslo.cache",
    "oslo.db",
    "oslo.log",
    "oslo.messaging",
    "oslo.middleware",
    "oslo.policy",
    "osprofiler",
]


def options():
    """Yields (group, option) once for each option."""
    import keystone.conf
    import pycadf.identifier

    keystone.conf.configure()
    keystone.conf.set_config_defaults()
    seen = set()
    for namespace in NAMESPACES:
        for entry in importlib.metadata.entry_points(group="oslo.config.opts"):
            if entry.name != namespace:
                continue
            for group, declared in entry.load()():
                group = str(getattr(group, "name", group) or "DEFAULT")
                for option in declared:
                    if (group, option.dest) not in seen:
                        seen.add((group, option.dest))
                        yield group, option
    # It declares its option to nobody.
    for option in pycadf.identifier.opts:
        yield "audit", option
