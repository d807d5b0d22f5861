# Sourced by every entry point: sets the paths, and unsets the caller's cloud and proxy variables.

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
root=$(dirname "$tests")
venvs=$root/target/venv
export PATH=$PATH:/usr/sbin:/sbin
export PYTHONPATH=$tests/lib PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

for name in $(compgen -v OS_ || true) http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY; do
    unset "$name"
done

# The server that the scripts test: `native` (this workspace) or `reference` (Python Keystone in
# its place, which tests the scripts themselves).
export KEYSTONE_UNDER_TEST=${KEYSTONE_UNDER_TEST:-native}
export KEYSTONE_VENVS=$venvs
export KEYSTONE_BIN=${KEYSTONE_BIN:-$root/target/release}
