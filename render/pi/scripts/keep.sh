#!/bin/sh
# Makes /var/lib/ilmarin outlive a reboot, and with it what k3s must not forget.
#
# Reads    CARD, NVME, NODE, KEEP
# Leaves   /var/lib/ilmarin (0700). Netbooted, bound to the NVMe: it, /etc/rancher/node (k3s refuses a node whose
#          password is new: "Node password rejected"), /var/lib/rancher (images, and containerd's snapshots, which an
#          overlay root cannot hold) and /var/lib/kubelet
# Refuses  a netbooted Pi whose NVMe is not mounted: it would forget, and nobody would know
set -eu

say() { printf 'ilmarin-keep: %s\n' "$*"; }
die() { say "$(printf %s "$*" | tr -s '\n' ' ')" >&2 && exit 1; }

settings=/etc/ilmarin/node.env
[ -r "$settings" ] || die "$settings is missing, which cloud-init writes: see /var/log/cloud-init.log"
# shellcheck source=/dev/null
. "$settings"
for key in CARD NVME NODE KEEP; do
    eval "[ -n \"\${$key:-}\" ]" || die "$key is missing in $settings: render the seed again"
done

here=/var/lib/ilmarin disk=/var/lib/longhorn/disks/nvme1

identity() { stat -c %d:%i "$1"; }

# Shows $2 at $1
bind() {
    mkdir -p "$2" "$1"
    [ "$(identity "$1")" != "$(identity "$2")" ] || return 0
    ! mountpoint -q "$1" || die "$1 is a mount of something else ($(findmnt -nro SOURCE --mountpoint "$1")): unmount" \
        "it, then start this again"
    mount --bind "$2" "$1" || die "$2 cannot be bound to $1: see dmesg"
}

if [ "$CARD" = yes ]; then
    mkdir -p "$here"
    chmod 0700 "$here"
    say "$NODE has a card: $here is on it"
    exit 0
fi
if [ "$NVME" = no ]; then
    mkdir -p "$here"
    chmod 0700 "$here"
    say "$NODE netboots and has no NVMe: it forgets its host key and its join token at every reboot"
    exit 0
fi
case $KEEP in
    "$disk"/?*) ;;
    *) die "KEEP in $settings is $KEEP: a netbooted Pi remembers beneath $disk only; render the seed again" ;;
esac
mountpoint -q "$disk" || die "$disk is not mounted, so $NODE would forget: see \`journalctl -u ilmarin-nvme\`"
mkdir -p "$KEEP"
chmod 0700 "$KEEP"
bind "$here" "$KEEP"
bind /etc/rancher/node "$KEEP/rancher-node"
bind /var/lib/rancher "$KEEP/rancher"
bind /var/lib/kubelet "$KEEP/kubelet"
say "$NODE netboots: $KEEP remembers"
