#!/bin/sh
# Runs a command of the tests as an ordinary user, for whoever is root.
#   tests/as_user.sh .venv/bin/python -m pytest tests/escape
set -eu
uid=12345
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
chown "$uid:$uid" "$home"
user() {
    # A PATH without folders that this user cannot look into, and everything that is written under $home.
    setpriv --reuid "$uid" --regid "$uid" --clear-groups env PATH=/usr/local/bin:/usr/bin:/bin \
        HOME="$home" TMPDIR="$home" HYPOTHESIS_STORAGE_DIRECTORY="$home/hypothesis" \
        PYTEST_ADDOPTS="-o cache_dir=$home/pytest" "$@"
}
if ! user "$1" -c pass 2>/dev/null; then
    echo "not tested as an ordinary user, who cannot reach $1"
    exit 0
fi
user "$@"
