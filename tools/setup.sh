#!/bin/sh
# Makes sure .venv is what requirements.txt says: run in the checkout by `make setup`, sourced by ./lab.
# Warm, this is one `cmp`. The stamp is a copy of the lock, written last, so a half-made .venv is never taken for whole.

# Prints the first Python that can build the environment: new enough and able to make a venv, else merely new enough.
find_python() {
    second_best=
    for python in python3 python3.14 python3.13 python3.12 python3.11 python; do
        status=0
        "$python" -c 'import sys
if sys.version_info < (3, 11): sys.exit(4)
try: import ensurepip, venv
except ImportError: sys.exit(3)' >/dev/null 2>&1 || status=$?
        case $status in
            0) echo "$python" && return ;;
            3) second_best=${second_best:-$python} ;;
        esac
    done
    echo "$second_best" # tools/bootstrap.py will say what this one lacks
}

if ! cmp -s requirements.txt .venv/requirements.stamp || ! [ -x .venv/bin/python ]; then
    python=$(find_python)
    if [ -z "$python" ]; then
        echo "Ilúvatar needs Python 3.11 or newer, and neither python3 nor python3.11 to python3.14 on PATH is that: install one and run this again." >&2
        exit 2
    fi
    "$python" -m tools.bootstrap || exit $?
fi
