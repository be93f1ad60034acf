#!/bin/sh
# Installs what the other scripts and Longhorn call, beside what Ubuntu's image has.
#
# Reads    NODE, PACKAGES (names with commas between); WAIT: seconds in which it tries, default 600
# Leaves   each of them installed. Where all are there already it asks nobody, and is done at once
# Refuses  to ask for packages by a clock that no time server has set, as long as it may wait: "Release file is not
#          valid yet" is all that apt would say. It upgrades nothing
#
# Not cloud-init's `packages`: cloud-init tries once, at a moment when a Pi, which has no battery, lives in the past;
# and what it failed at counts as failed for ever.
set -eu

say() { printf 'ilmarin-packages: %s\n' "$*"; }
die() { say "$(printf %s "$*" | tr -s '\n' ' ')" >&2 && exit 1; }

settings=/etc/ilmarin/node.env
[ -r "$settings" ] || die "$settings is missing, which cloud-init writes: see /var/log/cloud-init.log"
# shellcheck source=/dev/null
. "$settings"
for key in NODE PACKAGES; do
    eval "[ -n \"\${$key:-}\" ]" || die "$key is missing in $settings: render the seed again"
done

left=${WAIT:-600} pause=5
export DEBIAN_FRONTEND=noninteractive

is_installed() { [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# The names of those that are not there, a blank after each
missing() {
    for package in $(printf %s "$PACKAGES" | tr ',' ' '); do
        is_installed "$package" || printf '%s ' "$package"
    done
}

in_time() { [ "$(timedatectl show --property NTPSynchronized --value)" = yes ]; }

# Twice as long each time, a minute at most
pass() {
    sleep "$pause"
    left=$((left - pause)) pause=$((pause * 2))
    [ "$pause" -le 60 ] || pause=60
}

# What was cut in the middle of unpacking is finished first
install_them() {
    dpkg --configure -a &&
        apt-get --quiet update &&
        apt-get --quiet --yes --no-install-recommends --option DPkg::Lock::Timeout=120 install "$@"
}

wanted=$(missing)
if [ -z "$wanted" ]; then
    say "all is installed"
    exit 0
fi
until in_time; do
    [ "$left" -gt 0 ] || die "the clock says $(date -u '+%Y-%m-%d %H:%M') UTC, and no time server confirmed it in" \
        "${WAIT:-600} s: not installed on $NODE: ${wanted% }. Is a time server reachable (\`timedatectl" \
        "timesync-status\`)? Tried again by itself"
    pass
done
say "installs ${wanted% }"
pause=5
# shellcheck disable=SC2086  # several names
until words=$(install_them $wanted 2>&1); do
    [ "$left" -gt 0 ] || die "not installed on $NODE: ${wanted% }. apt said last:" \
        "$(printf '%s\n' "$words" | grep -E '^(E|W|dpkg):' | tail -n 3). Is the internet there? Tried again by itself"
    pass
done
wanted=$(missing)
[ -z "$wanted" ] || die "apt-get ended well, and yet is not installed on $NODE: ${wanted% }; see /var/log/apt/term.log"
say "all is installed"
