#!/bin/sh
# Installs the programs that the tests of deploy/ and of the console need, where this machine can have them: a Debian, as root. What is
# missing afterwards is named by the tests that are skipped for it.
set -eu

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "not a Debian, or not root: promtool, prometheus, buildah, debootstrap and chromium are not installed" >&2
    exit 0
fi

missing=
for each in prometheus:prometheus promtool:prometheus buildah:buildah debootstrap:debootstrap chromium:chromium; do
    command -v "${each%%:*}" >/dev/null || missing="$missing ${each##*:}"
done
if [ -n "$missing" ]; then
    echo "installing$missing"
    # Nothing that is installed for its program is started as a service.
    export RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -qq -y --no-install-recommends $missing >/dev/null
fi
