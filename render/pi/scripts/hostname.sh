#!/bin/sh
# Gives the Pi its name: /etc/hostname, the kernel's, and its own line in /etc/hosts.
#
# Reads    NODE, ZONE
# Leaves   /etc/hostname; 127.0.1.1 <node>.<zone> <node> and localhost in /etc/hosts, whose other lines stay
# Refuses  a name that DNS would not take
set -eu

say() { printf 'ilmarin-hostname: %s\n' "$*"; }
die() { say "$(printf %s "$*" | tr -s '\n' ' ')" >&2 && exit 1; }

settings=/etc/ilmarin/node.env
[ -r "$settings" ] || die "$settings is missing, which cloud-init writes: see /var/log/cloud-init.log"
# shellcheck source=/dev/null
. "$settings"
for key in NODE ZONE; do
    eval "[ -n \"\${$key:-}\" ]" || die "$key is missing in $settings: render the seed again"
done

[ "${#NODE}" -le 63 ] || die "NODE in $settings has ${#NODE} characters, and DNS takes 63: give the node another name"
case $NODE in *[!a-z0-9-]* | -* | *-)
    die "NODE in $settings is '$NODE': a host name has a-z, 0-9 and - only, and - not at an end; give the node" \
        "another name" ;;
esac

# $1 becomes what is on stdin: whole or not at all, and untouched if it is that already
put() {
    cat >"$1.ilmarin"
    chmod 0644 "$1.ilmarin"
    if cmp -s "$1.ilmarin" "$1"; then
        rm "$1.ilmarin"
    else
        sync "$1.ilmarin" && mv "$1.ilmarin" "$1"
    fi
}

printf '%s\n' "$NODE" | put /etc/hostname
[ "$(hostname)" = "$NODE" ] || hostname "$NODE"
[ -e /etc/hosts ] || : >/etc/hosts
{
    grep -qE '^127\.0\.0\.1[[:space:]]' /etc/hosts || echo '127.0.0.1 localhost'
    grep -vE '^127\.0\.1\.1[[:space:]]' /etc/hosts || :
    printf '127.0.1.1 %s.%s %s\n' "$NODE" "$ZONE" "$NODE"
} | put /etc/hosts
say "this is $NODE.$ZONE"
