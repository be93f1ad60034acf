#!/bin/sh
# Judges the project's shell scripts. A laptop may lack shellcheck; CI may not.
set -eu
if command -v shellcheck >/dev/null; then
    shellcheck -x lab tools/*.sh .ci/run gitops/*/*/*/*/*.sh render/pi/scripts/*.sh
elif [ "${CI:-}" = true ]; then
    echo "shellcheck is missing, and in CI a missing judge is a failure." >&2
    exit 1
else
    echo "shellcheck is not installed: shell scripts were not judged."
fi
