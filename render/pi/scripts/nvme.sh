#!/bin/sh
# Prepares the Pi's NVMe: one GPT partition, one XFS, mounted where Longhorn and a netbooted Pi's memory are.
#
# Reads    NVME, NODE, CARD; WAIT: seconds for the disk to appear, default 15
# Leaves   the partition `ilmarin-nvme1` with XFS, mounted by UUID at /var/lib/longhorn/disks/nvme1; one line in
#          /etc/fstab
# Refuses  a disk that is not blank and not ours. Blank: no signature that wipefs knows (partition tables,
#          filesystems, LVM, RAID, LUKS …), and zeros in the first 16 MiB and the last one. What has no signature and
#          lies in between only is not seen: that is the limit. Nothing else is ever partitioned or formatted.
#
# A partition is called `ilmarin-unfinished` until its filesystem is whole. It is never mounted under that name, so one
# that is found, after a cut, holds nothing of anybody's and is formatted again.
set -eu

say() { printf 'ilmarin-nvme: %s\n' "$*"; }
die() { say "$(printf %s "$*" | tr -s '\n' ' ')" >&2 && exit 1; }

settings=/etc/ilmarin/node.env
[ -r "$settings" ] || die "$settings is missing, which cloud-init writes: see /var/log/cloud-init.log"
# shellcheck source=/dev/null
. "$settings"
for key in NVME NODE CARD; do
    eval "[ -n \"\${$key:-}\" ]" || die "$key is missing in $settings: render the seed again"
done

point=/var/lib/longhorn/disks/nvme1
ours=ilmarin-nvme1 unfinished=ilmarin-unfinished

if [ "$NVME" = no ]; then
    say "the plan gives $NODE no NVMe: nothing to prepare"
    exit 0
fi

# Repeats a question, once a second, until the answer is yes
until_true() {
    left=$1
    shift
    until "$@"; do
        [ "$left" -gt 0 ] || return 1
        left=$((left - 1))
        sleep 1
    done
}

find_disk() {
    for disk in /dev/nvme[0-9]n1 /dev/nvme[0-9][0-9]n1; do
        [ ! -b "$disk" ] || return 0
    done
    return 1
}

signatures() { wipefs --noheadings --output TYPE "$1" | sort -u | tr '\n' ' '; }

# Only zeros where something would begin, or keep its second copy
zeros() {
    size=$(blockdev --getsize64 "$1") mib=1048576
    cmp -s -n $((16 * mib)) "$1" /dev/zero && cmp -s -n "$mib" -i $((size - mib)):0 "$1" /dev/zero
}

is_blank() { [ -z "$(signatures "$disk")" ] && zeros "$disk"; }

# "NUMBER-OF-PARTITIONS NAME-OF-THE-LAST"
partitions() {
    sfdisk --dump "$1" 2>/dev/null |
        awk -F'name="' '/start=/ { n++; name = $2 } END { sub(/".*/, "", name); print n + 0, name }'
}

is_there() { [ -b "$part" ]; }

# The kernel learns of the partition; udev, or the kernel itself, makes its node
show_partition() {
    is_there || partx --update "$disk" || :
    until_true 10 is_there || die "$disk has a partition, but $part did not appear in 10 s: see dmesg; then start" \
        "this again"
}

format() {
    show_partition
    case $(signatures "$part") in
        '' | 'xfs ') ;;
        *) die "$part is called $unfinished, and yet carries $(signatures "$part"): who did that? To give it up:" \
            "wipefs -a $part" ;;
    esac
    mkfs.xfs -q -f "$part" || die "mkfs.xfs failed on $part: is the disk sound? See dmesg, and smartctl -a $disk"
    sync
    sgdisk --change-name=1:$ours "$disk" >/dev/null
    sync
}

refuse() {
    what=$(signatures "$disk")
    for one in "$disk"p[0-9]*; do
        [ ! -b "$one" ] || what="$what, in $one: $(signatures "$one")"
    done
    die "$disk is neither blank nor ours, and nothing on it was touched. It carries: ${what:-unsigned data}. To give" \
        "up what is on it: \`blkdiscard -f $disk\` (or overwrite it with zeros), then start this again. To keep an" \
        "XFS in its only partition and use it: \`sgdisk -c 1:$ours $disk\`"
}

prepare() {
    case "$(partitions "$disk")" in
        "1 $ours") show_partition ;;
        "1 $unfinished")
            say "$part was not finished before: it holds nothing, and is formatted again"
            format ;;
        "0 ")
            is_blank || refuse
            say "$disk is blank: one partition, XFS"
            sgdisk --new=1:0:0 --typecode=1:8300 --change-name=1:$unfinished "$disk" >/dev/null ||
                die "sgdisk could not write to $disk: is the disk sound? See dmesg"
            sync
            format ;;
        *) refuse ;;
    esac
}

# One line in /etc/fstab, with nofail: a Pi whose NVMe died must still be reachable to say so
remember() {
    line="UUID=$uuid $point xfs noatime,discard,nofail,x-systemd.device-timeout=30s 0 0"
    touch /etc/fstab
    was=$(awk -v at="$point" '$2 == at { print $1 }' /etc/fstab)
    [ -z "$was" ] || [ "$was" = "UUID=$uuid" ] ||
        say "another disk than before: /etc/fstab had $was, this one is UUID=$uuid; Longhorn builds its replicas on" \
            "it anew"
    { awk -v at="$point" '$2 != at' /etc/fstab && printf '%s\n' "$line"; } >/etc/fstab.ilmarin
    if cmp -s /etc/fstab.ilmarin /etc/fstab; then
        rm /etc/fstab.ilmarin
    else
        chmod 0644 /etc/fstab.ilmarin
        sync /etc/fstab.ilmarin && mv /etc/fstab.ilmarin /etc/fstab
    fi
}

tell_of_room() {
    unused=$(($(blockdev --getsize64 "$disk") - $(blockdev --getsize64 "$part")))
    [ "$unused" -lt 1073741824 ] ||
        say "$((unused / 1073741824)) GiB of $disk lie unused: \`sgdisk -e $disk; growpart $disk 1; xfs_growfs" \
            "$point\` gives them to it"
}

if ! until_true "${WAIT:-15}" find_disk; then
    lost="it offers the cluster no storage"
    [ "$CARD" = yes ] || lost="$lost, and keeps neither its host key nor its join token over a reboot"
    die "no NVMe on $NODE (/dev/nvme*n1), and the plan gives it one: seat the HAT's ribbon, and set dtparam=pciex1" \
        "in config.txt. Without it $lost. If it has none, take nvme out of its \`boot\`"
fi
part=${disk}p1
prepare
type=$(blkid -p -s TYPE -o value "$part" || :)
[ "$type" = xfs ] ||
    die "$part is called $ours, and carries ${type:-nothing} instead of XFS: damaged? Look with \`xfs_repair -n" \
        "$part\`; to give it up: \`blkdiscard -f $disk\`"
uuid=$(blkid -p -s UUID -o value "$part")
remember
tell_of_room
if mountpoint -q "$point"; then
    [ "$(stat -c %d "$point")" = "$((0x$(stat -L -c %t "$part") << 8 | 0x$(stat -L -c %T "$part")))" ] ||
        die "$point is the mount of $(findmnt -nro SOURCE --mountpoint "$point"), not of $part: unmount it, then" \
            "start this again"
else
    mkdir -p "$point"
    [ -z "$(ls -A "$point")" ] ||
        say "$point was not empty: what a Longhorn without its disk wrote there lies beneath the mount, on the" \
            "system's own disk"
    mount -t xfs -o noatime,discard "$part" "$point" ||
        die "$part does not mount at $point: see dmesg, and look with \`xfs_repair -n $part\`"
fi
say "$part (UUID $uuid) is mounted at $point"
