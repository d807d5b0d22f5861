"""Looks into the packages below `target/package`, and builds those that are named from what was packed."""

import json
import pathlib
import re
import subprocess
import sys
import tarfile
import tomllib

from harness import checks, processes
from harness.checks import contains, equal, expect

ROOT = pathlib.Path(__file__).parent.parent.parent
PACKED = ROOT / "target/package"
INCLUDED = re.compile(r'include_(?:str|bytes)!\(\s*"([^"]+)"')


def published():
    told = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps", "--offline"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return [it for it in json.loads(told.stdout)["packages"] if it["publish"] is None]


def unpacked(package, into):
    """The directory of what was packed."""
    name = f"{package['name']}-{package['version']}"
    with tarfile.open(PACKED / f"{name}.crate") as archive:
        links = [member.name for member in archive if not member.isfile()]
        equal(links, [], "what is no file")
        # Python before 3.11.4, as in Debian 12, has no filters.
        archive.extractall(into, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    return into / name


def package(run):
    into = processes.scratch("package")
    packages = published()
    run.section("Contents")
    for found in packages:
        with run.check(found["name"]):
            path = unpacked(found, into)
            for name in ("Cargo.toml", "README.md", "LICENSE"):
                expect((path / name).is_file(), f"there is no {name}")
            manifest = tomllib.loads((path / "Cargo.toml").read_text())
            for key in ("description", "license", "readme", "rust-version"):
                expect(manifest["package"].get(key), f"there is no {key}")
            for name, told in manifest.get("dependencies", {}).items():
                expect("version" in told and "path" not in told, f"{name} is not taken from the registry: {told}")
            included = [
                (source.parent / name).resolve()
                for source in path.glob("src/**/*.rs")
                for name in INCLUDED.findall(source.read_text())
            ]
            outside = [str(it) for it in included if not it.is_file() or path not in it.parents]
            equal(outside, [], "what is included and was not packed")
    with run.check("the schema is packed with what runs it"):
        files = [str(it.relative_to(into)) for it in into.glob("keystone-storage-*/migrations/*/*.sql")]
        contains("\n".join(files), "/migrations/mysql/0001_", "/migrations/sqlite/0001_")

    wanted = [f"keystone-{name}" for name in sys.argv[1:]]
    if not wanted:
        return
    run.section("Builds")
    patches = "\n".join(
        f'{it["name"]} = {{ path = "{into}/{it["name"]}-{it["version"]}" }}' for it in packages
    )
    members = ", ".join(f'"{it["name"]}-{it["version"]}"' for it in packages if it["name"] in wanted)
    (into / "Cargo.toml").write_text(f'[workspace]\nresolver = "3"\nmembers = [{members}]\n[patch.crates-io]\n{patches}\n')
    (into / "Cargo.lock").write_text((ROOT / "Cargo.lock").read_text())
    with run.check(", ".join(wanted)):
        build = ["cargo", "check", "--quiet", "--workspace", "--target-dir", ROOT / "target/packed"]
        done = processes.run(build, cwd=into, timeout=900)
        equal(done.returncode, 0, f"the exit status ({done.stderr})")


checks.run("package", package)
