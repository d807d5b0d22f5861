"""Checks Cargo.lock, the manifests and the sources against `rules.toml` and the rules of CONTRIBUTING.md."""

import collections
import json
import pathlib
import re
import subprocess
import sys
import tomllib

from harness import checks
from harness.checks import Failed

ROOT = pathlib.Path(sys.argv[1])
RULES = tomllib.loads((pathlib.Path(__file__).parent / "rules.toml").read_text())
TOP_LEVEL = re.compile(
    r"\..*|Cargo\.(toml|lock)|crates|migrations|policy|deploy|tests|README\.md|LICENSE|(CHANGELOG|CONTRIBUTING|SECURITY)\.md"
)
# Documents whose paths, written as `code`, must exist.
GUIDES = ("CONTRIBUTING.md", "crates/README.md")
PATH = re.compile(r"`((?:crates|migrations|policy|deploy|tests|\.cargo)/[\w./-]+)`")
FORBIDDEN = {
    "an #[allow]; say #[expect] with a reason": r"#!?\[allow\(",
    "a note for later": r"\b(TODO|FIXME|XXX)\b|\btodo!\(|\bunimplemented!\(",
    "an ignored test": r"#\[ignore",
    "a path of somebody's machine": r"[\"'` ](/work|/root|/home/\w+)/",
}


def none(found):
    """Fails if anything was found, listing it one a line."""
    found = sorted(set(found))
    if found:
        raise Failed("\n".join(found))


def output(*command):
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


class Workspace:
    """The metadata and the files of the workspace."""

    def __init__(self):
        told = output(
            *("cargo", "metadata", "--format-version", "1", "--locked"),
            *("--filter-platform", "x86_64-unknown-linux-gnu"),
        )
        metadata = json.loads(told)
        used = {node["id"] for node in metadata["resolve"]["nodes"]}
        self.packages = [package for package in metadata["packages"] if package["id"] in used]
        self.members = [package for package in self.packages if package["id"] in metadata["workspace_members"]]
        self.others = [package for package in self.packages if package["source"]]
        self.manifest_text = (ROOT / "Cargo.toml").read_text()
        self.dependencies = tomllib.loads(self.manifest_text)["workspace"]["dependencies"]
        self.lock = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
        names = output("git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
        self.files = [name for name in names if (ROOT / name).is_file()]
        self.sources = {name: (ROOT / name).read_text() for name in self.files if name.endswith(".rs")}

    def external(self):
        return [name for name, spec in self.dependencies.items() if not isinstance(spec, dict) or "path" not in spec]


def licence_terms(expression):
    """An SPDX expression as alternatives, each a set of licences that apply together."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))

    def alternatives():
        found = together()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            found = found + together()
        return found

    def together():
        found = single()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            right = single()
            found = [left | other for left in found for other in right]
        return found

    def single():
        token = tokens.pop(0)
        if token == "(":
            found = alternatives()
            tokens.pop(0)
            return found
        if tokens and tokens[0] == "WITH":
            tokens.pop(0)
            token = f"{token} WITH {tokens.pop(0)}"
        return [{token}]

    return alternatives()


def dependencies(run, workspace):
    run.section("Dependencies")
    with run.check("every licence is allowed"):
        allowed = set(RULES["licences"]["allowed"])
        none(
            f"{package['name']} {package['version']}: {package['license']}"
            for package in workspace.others
            if not package["license"] or not any(terms <= allowed for terms in licence_terms(package["license"]))
        )
    with run.check("nothing banned is in the tree"):
        banned = RULES["banned"]
        # The metadata also has packages that only a weak feature names, and that are never built.
        tree = output(*("cargo", "tree", "--workspace", "--locked", "--prefix", "none", "--format", "{p}"))
        built = {line.split()[0] for line in tree.splitlines() if line}
        none(f"{name}: {reason}" for name, reason in banned.items() if name in built)
    with run.check("one version of each, or a reason"):
        versions = collections.defaultdict(set)
        for package in workspace.others:
            versions[package["name"]].add(package["version"])
        twice = {name: found for name, found in versions.items() if len(found) > 1}
        excused = RULES["duplicates"]
        none(
            [f"{name}: {', '.join(sorted(found))}" for name, found in twice.items() if name not in excused]
            + [f"{name} is excused but no longer there twice" for name in excused if name not in twice]
        )
    with run.check("the ceilings of direct and of locked dependencies"):
        direct, locked = len(workspace.external()), len(workspace.lock) - len(workspace.members)
        print(f"        {direct} direct, {locked} locked")
        ceilings = RULES["ceilings"]
        none(
            f"{count} {kind} dependencies, of at most {ceilings[kind]}"
            for kind, count in (("direct", direct), ("locked", locked))
            if count > ceilings[kind]
        )
    with run.check("the fuzz targets have the product's versions"):
        versions = collections.defaultdict(set)
        for package in workspace.lock:
            versions[package["name"]].add(package["version"])
        fuzzed = tomllib.loads((ROOT / "tests/fuzz/Cargo.lock").read_text())["package"]
        none(
            f"{package['name']} {package['version']}"
            for package in fuzzed
            if package["name"] in versions and package["version"] not in versions[package["name"]]
        )
    with run.check("everything comes from crates.io"):
        registry = "registry+https://github.com/rust-lang/crates.io-index"
        none(f"{package['name']}: {package['source']}" for package in workspace.others if package["source"] != registry)


def manifests(run, workspace):
    run.section("Manifests")
    with run.check("each dependency of the workspace says why, in order"):
        lines = {match[1]: match[0] for match in re.finditer(r"^([\w-]+) = .*$", workspace.manifest_text, re.M)}
        external = workspace.external()
        none([f"no reason for {name}" for name in external if not re.search(r"\s# \S", lines[name])])
        if external != sorted(external):
            raise Failed(f"not sorted: {external}")
    with run.check("members take their dependencies from the workspace"):
        none(
            f"{member['name']}: {name}"
            for member, name, spec in member_dependencies(workspace)
            if not (isinstance(spec, dict) and spec.get("workspace"))
        )
    with run.check("no dependency goes unused"):
        used = {name for _, name, _ in member_dependencies(workspace)}
        unused = [f"the workspace: {name}" for name in workspace.dependencies if name not in used]
        for member, name, _ in member_dependencies(workspace):
            folder = str(pathlib.Path(member["manifest_path"]).parent.relative_to(ROOT)) + "/"
            word = re.compile(rf"\b{name.replace('-', '_')}\b")
            if name in RULES["features_only"]:
                continue
            if not any(word.search(text) for path, text in workspace.sources.items() if path.startswith(folder)):
                unused.append(f"{member['name']}: {name}")
        none(unused)
    with run.check("the arrows between our crates point one way"):
        ours = {member["name"] for member in workspace.members}
        found = []
        for member, name, _ in member_dependencies(workspace, kinds=("dependencies",)):
            if name in ours and name not in RULES["arrows"].get(member["name"], []):
                found.append(f"{member['name']} → {name}")
        none(found + [f"{name} has no line in [arrows]" for name in ours - RULES["arrows"].keys()])


def member_dependencies(workspace, kinds=("dependencies", "dev-dependencies", "build-dependencies")):
    for member in workspace.members:
        manifest = tomllib.loads(pathlib.Path(member["manifest_path"]).read_text())
        for kind in kinds:
            for name, spec in manifest.get(kind, {}).items():
                yield member, name, spec


def files(run, workspace):
    run.section("Files")
    with run.check("the top level is the layout's"):
        none(name for name in {name.split("/")[0] for name in workspace.files} if not TOP_LEVEL.fullmatch(name))
    with run.check(f"no Rust file over {RULES['ceilings']['lines']} lines"):
        counts = {name: text.count("\n") for name, text in workspace.sources.items()}
        none(f"{name}: {count}" for name, count in counts.items() if count > RULES["ceilings"]["lines"])
    for what, pattern in FORBIDDEN.items():
        with run.check(f"nowhere {what}"):
            none(
                f"{name}:{number}: {line.strip()}"
                for name, text in workspace.sources.items()
                for number, line in enumerate(text.splitlines(), 1)
                if re.search(pattern, line)
            )
    with run.check("the paths that the guides name exist"):
        none(
            f"{guide}: {path}"
            for guide in GUIDES
            for path in PATH.findall((ROOT / guide).read_text())
            if not (ROOT / path).exists()
        )
    with run.check("each crate and module says what it is"):
        none(
            name
            for name, text in workspace.sources.items()
            if "/src/" in name and not name.endswith("/tests.rs") and not text.startswith(("//!", "#!"))
        )


def lint(run):
    workspace = Workspace()
    dependencies(run, workspace)
    manifests(run, workspace)
    files(run, workspace)


checks.run("lint", lint)
