#!/bin/sh
# Puts the SSH host key in its place before sshd starts, the same at every boot.
#
# Reads    CARD, NVME, NODE
# Leaves   /etc/ssh/ssh_host_ed25519_key{,.pub}, and a second copy in /var/lib/ilmarin/ssh; `shown` beside it says that
#          sshd has answered with it. On a card the private half came on the boot partition, from where it is taken;
#          netbooted it is made once, and copied from what is kept at every boot
# Refuses  to change a key that may have been pinned. A private half that cannot be read is made anew only if it never
#          was shown; a public half is not kept apart from its private one, but derived from it
#
# A netbooted Pi whose NVMe is not there has no key to show. So that a person can look at it all the same, sshd answers
# with a key for the day, of another type (ECDSA): `up` pins and takes Ed25519 only, and so never this one.
set -eu
umask 077

say() { printf 'ilmarin-host-keys: %s\n' "$*"; }
die() { say "$(printf %s "$*" | tr -s '\n' ' ')" >&2 && exit 1; }

settings=/etc/ilmarin/node.env
[ -r "$settings" ] || die "$settings is missing, which cloud-init writes: see /var/log/cloud-init.log"
# shellcheck source=/dev/null
. "$settings"
for key in CARD NVME NODE; do
    eval "[ -n \"\${$key:-}\" ]" || die "$key is missing in $settings: render the seed again"
done

keep=/var/lib/ilmarin
place=/etc/ssh/ssh_host_ed25519_key
kept=$keep/ssh/ssh_host_ed25519_key shown=$keep/ssh/shown
brought=/boot/firmware/ilmarin-host-key
today=/run/ilmarin-ssh/ssh_host_ecdsa_key for_today=/etc/ssh/sshd_config.d/10-ilmarin-today.conf

# Prints the public half of a private key that is whole
public_of() { ssh-keygen -y -P '' -f "$1" 2>/dev/null </dev/null; }

sound() { [ -f "$1" ] && public_of "$1" >/dev/null; }

# A new pair's private half at $1, whole or not at all
make() {
    rm -f "$1.new" "$1.new.pub"
    ssh-keygen -q -t ed25519 -N '' -C "root@$NODE" -f "$1.new"
    rm "$1.new.pub"
    sync "$1.new" && mv "$1.new" "$1"
}

# The public half beside $1, derived, if it is not there already
derive_public() {
    public=$(public_of "$1")
    case "$(cat "$1.pub" 2>/dev/null)" in "$public"*) return 0 ;; esac
    printf '%s\n' "$public" >"$1.pub.new"
    chmod 0644 "$1.pub.new"
    sync "$1.pub.new" && mv "$1.pub.new" "$1.pub"
}

copy() {
    cmp -s "$1" "$2" && return 0
    install -m 0600 "$1" "$2.new"
    sync "$2.new" && mv "$2.new" "$2"
}

# ssh-keygen reads no key that others could read, and the boot partition knows no modes: judged as a copy
take_brought() {
    install -m 0600 "$brought" "$place.new"
    sound "$place.new" || die "$brought, which came with the card, is damaged: copy it from the card's rendering" \
        "again; a stamped card is stamped again when it is overwritten with zeros"
    sync "$place.new" && mv "$place.new" "$place"
}

on_a_card() {
    mkdir -p "$keep/ssh"
    for one in "$place" "$kept"; do [ ! -f "$one" ] || chmod 0600 "$one"; done
    if ! sound "$place"; then
        if sound "$kept"; then
            say "$place is damaged or gone: put back from $kept"
            copy "$kept" "$place"
        elif [ -f "$place" ] || [ -e "$shown" ]; then
            die "$place is damaged or gone, $kept too, and a new key would be refused by everyone who knows the old:" \
                "put it back from the card's rendering. If it is lost: remove both and $shown, start this again, and" \
                "put the new $place.pub into the node's host_key"
        elif [ -f "$brought" ]; then
            take_brought
        else
            say "no host key came with the card: one is made, and pinned by whoever asks first"
            make "$place"
        fi
    fi
    [ ! -f "$brought" ] || cmp -s "$brought" "$place" ||
        say "the boot partition brought another key: this system keeps its own, which others have pinned"
    derive_public "$place"
    copy "$place" "$kept"
    derive_public "$kept"
    touch "$shown"
    sync "$shown" "$keep/ssh"
    rm -f "$brought"
}

# Ends as failed, so that the unit comes again: the disk may only be late
answer_for_today() {
    if [ ! -f "$for_today" ]; then
        mkdir -p "${today%/*}" "${for_today%/*}"
        rm -f "$today" "$today.pub"
        ssh-keygen -q -t ecdsa -N '' -C "$NODE, for today only" -f "$today"
        printf 'HostKey %s\n' "$today" >"$for_today.new"
        mv "$for_today.new" "$for_today"
        systemctl reset-failed ssh.service ssh.socket 2>/dev/null || :
        systemctl --no-block restart ssh.service
    fi
    die "$keep does not outlive a reboot, and a key made now would be another one tomorrow: see \`journalctl -u" \
        "ilmarin-nvme -u ilmarin-keep\`. Until then SSH answers with a key for today: $(ssh-keygen -l -f "$today.pub")"
}

from_the_nvme() {
    [ "$NVME" = no ] || mountpoint -q "$keep" || answer_for_today
    mkdir -p "$keep/ssh"
    [ ! -f "$kept" ] || chmod 0600 "$kept"
    if ! sound "$kept"; then
        [ ! -e "$shown" ] || die "$kept is damaged or gone, and others have pinned it: put it back from a backup. If" \
            "it is lost: remove $keep/ssh, reboot, and have the program forget the old key (\`pulumi up --replace" \
            "'**::ainur-hostkey-$NODE'\`)"
        rm -f "$kept"
        say "no host key yet: one is made, and pinned by whoever asks first"
        make "$kept"
    fi
    derive_public "$kept"
    touch "$shown"
    sync "$shown" "$keep/ssh"
    copy "$kept" "$place"
    derive_public "$place"
    rm -f "$for_today"
}

mkdir -p /etc/ssh
if [ "$CARD" = yes ]; then on_a_card; else from_the_nvme; fi
say "$(ssh-keygen -l -f "$place.pub")"
