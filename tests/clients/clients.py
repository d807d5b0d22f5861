"""Runs the clients beside this file, or the named ones, against one server: see README.md."""

import importlib
import pathlib
import sys

from keystoneauth1 import adapter, session
from keystoneauth1.identity import v3

from harness import checks, clouds, keystones, processes
from harness.shell import Shell

# `totp` is the one built-in method that is off by default.
METHODS = "external,password,token,oauth1,mapped,application_credential,ec2credential,totp"


class Cloud(clouds.Cloud):
    def session(self, plugin):
        """keystoneauth1's client of the identity service, which logs in with its first request."""
        return adapter.Adapter(session.Session(auth=plugin), service_type="identity", interface="public")

    def login(self, person, **options):
        """A session with the person's password and project."""
        return self.session(v3.Password(**person.credentials(), **options))

    def shell(self, credentials, **more):
        """The command-line client with keystoneauth1's options."""
        return Shell(self.directory, clouds.variables(credentials, **more))


def modules(names):
    here = pathlib.Path(__file__)
    found = sorted(path.stem for path in here.parent.glob("*.py") if path != here)
    unknown = set(names) - set(found)
    if unknown:
        raise SystemExit(f"no such client: {', '.join(sorted(unknown))}; there are {', '.join(found)}")
    return [importlib.import_module(name) for name in found if not names or name in names]


def can_run(module):
    reason = getattr(module, "NATIVE_ONLY", None)
    if reason is None or keystones.is_native():
        return True
    print(f"{module.__name__} is left out: {reason}", flush=True)
    return False


def merged(configs):
    """All options together; two values for one are an error."""
    together = {"auth": {"methods": METHODS}}
    for config in configs:
        for section, options in config.items():
            for option, value in options.items():
                known = together.setdefault(section, {}).setdefault(option, value)
                if known != value:
                    raise SystemExit(f"[{section}] {option} is {known!r} for one client and {value!r} for another")
    return together


def clients(run):
    chosen = [module for module in modules(sys.argv[1:]) if can_run(module)]
    config = merged(getattr(module, "CONFIG", {}) for module in chosen)
    cloud = Cloud(processes.scratch("clients"), config)
    for module in chosen:
        run.section(module.__doc__.strip().rstrip("."))
        for name, function in vars(module).items():
            if name.startswith("test_"):
                with run.check(function.__doc__ or name.removeprefix("test_").replace("_", " ")):
                    function(cloud)


checks.run("clients", clients)
