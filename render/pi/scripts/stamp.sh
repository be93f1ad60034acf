#!/bin/sh
# Writes the OS image to the SD card of a Pi that came up from the network, with its seed, so that it boots by itself.
#
# Reads    NODE; IMAGE_URL (.xz or .zst), IMAGE_SHA256 (of that file), SEED_URL (a folder: user-data, meta-data,
#          network-config, vendor-data; config.txt and cmdline.txt in place of the image's own)
# Leaves   the image on /dev/mmcblk0; in its boot partition these, this system's host key (`ilmarin-host-key`, so
#          that the card is the machine that was pinned), the record `ilmarin.stamp`; /run/ilmarin-stamped: reboot
# Refuses  the disk that this system runs from; a card that is neither blank nor stamped by this; a card whose stamped
#          system has lived, if the image is another by now: it holds a host key, a cluster, maybe the root CA.
#          Blank: no signature that wipefs knows, and zeros in the first 16 MiB
#
# Order: the first sector becomes the mark "ilmarin stamping", which boots nothing and has no partitions; then all but
# the first MiB, the hashes, the first MiB without its first sector, the seed; the image's own first sector is last,
# one write. A card that was cut off is known by its mark, and stamped again.
set -eu
umask 077

say() { printf 'ilmarin-stamp: %s\n' "$*"; }
die() { say "$(printf %s "$*" | tr -s '\n' ' ')" >&2 && exit 1; }

settings=/etc/ilmarin/node.env
[ -r "$settings" ] || die "$settings is missing, which cloud-init writes: see /var/log/cloud-init.log"
# shellcheck source=/dev/null
. "$settings"
for key in NODE IMAGE_URL IMAGE_SHA256 SEED_URL; do
    eval "[ -n \"\${$key:-}\" ]" || die "$key is missing in $settings: render the seed again"
done

files='user-data meta-data network-config vendor-data config.txt cmdline.txt'
card=/dev/mmcblk0 record=ilmarin.stamp mark='ilmarin stamping' mib=1048576
done_mark=/run/ilmarin-stamped work=/run/ilmarin-stamp
case $IMAGE_URL in
    *.xz) unpack='xz -dc' ;;
    *.zst) unpack='zstd -dcq' ;;
    *) die "IMAGE_URL is $IMAGE_URL: .xz and .zst can be unpacked" ;;
esac
# mtools judges a disk's geometry, which a card has none of
export MTOOLS_SKIP_CHECK=1

[ -b "$card" ] || die "no card in $NODE ($card): put one in and reboot; if it is to have none, take sd out of the" \
    "node's \`boot\`"

head -c 512 "$card" >/dev/null 2>&1 || die "$card cannot be read: take another card; dmesg says what it answered"

# Byte at which the first partition of an MBR begins
first_partition() { echo $(($(od -An -tu4 -j454 -N4 "$1") * 512)); }

# A file of the card's boot partition
in_boot() { mtype -i "$card@@$(first_partition "$card")" "::$1" 2>/dev/null; }

recorded() { in_boot "$record" | sed -n "s/^$1=//p"; }

zeros() { cmp -s -n $((16 * mib)) "$card" /dev/zero; }

is_marked() { [ "$(head -c ${#mark} "$card" | tr -d '\0')" = "$mark" ]; }

is_recorded() { [ "$(first_partition "$card")" -ge "$mib" ] && [ -n "$(recorded image)" ]; }

# Its first boot takes the key from the boot partition (host-keys)
has_lived() { ! in_boot ilmarin-host-key | grep -q .; }

# Ends this when nothing is to be done, or nothing may be
judge() {
    used=$(lsblk -nro MOUNTPOINT "$card" | tr '\n' ' ')
    [ -z "$(printf %s "$used" | tr -d ' ')" ] ||
        die "$card is in use (mounted at $used): a disk that a system runs from is not stamped; a Pi with a good" \
            "card needs no stamping"
    give_up="\`dd if=/dev/zero of=$card bs=1M count=16\`, and start this again"
    if is_marked; then
        say "the card was being stamped and was cut off: once more"
    elif is_recorded; then
        if [ "$(recorded image)" = "$IMAGE_SHA256" ]; then
            say "the card has this image. It did not boot from it: is the EEPROM's BOOT_ORDER to ask the card first" \
                "(0xf21)?"
            exit 0
        fi
        ! has_lived || die "the card has a system that has lived (image $(recorded image)): its host key, its k3s," \
            "maybe the lab's root CA. To give it up: $give_up"
        say "the card has another image, and never came up with it"
    elif [ -n "$(wipefs --noheadings --output TYPE "$card")" ] || ! zeros; then
        die "$card is neither blank nor stamped by this, and nothing on it was touched. It carries:" \
            "$(wipefs --noheadings --output TYPE,LABEL "$card" | tr -s ' \n' ' ')To give up what is on it: $give_up"
    fi
}

fetch() { curl --fail --silent --show-error --location --connect-timeout 20 --speed-limit 1000 --speed-time 60 "$@"; }

collect_seed() {
    for file in $files; do
        words=$(fetch --output "$work/$file" "${SEED_URL%/}/$file" 2>&1) ||
            die "the card's seed does not come: ${SEED_URL%/}/$file: $words. Is the boot server up? Tried again by" \
                "itself"
    done
    head -n 1 "$work/user-data" | grep -qx '#cloud-config' ||
        die "${SEED_URL%/}/user-data does not begin with #cloud-config, so it is no seed: what serves it?"
    cp /etc/ssh/ssh_host_ed25519_key "$work/ilmarin-host-key" 2>/dev/null ||
        die "this system has no host key to give to the card: see \`journalctl -u ilmarin-host-keys\`"
    printf 'image=%s\nurl=%s\nnode=%s\n' "$IMAGE_SHA256" "$IMAGE_URL" "$NODE" >"$work/$record"
}

put_mark() {
    printf '%s %s\n' "$mark" "$IMAGE_SHA256" >"$work/sector"
    truncate -s 512 "$work/sector"
    dd if="$work/sector" of="$card" conv=notrunc,fsync status=none
}

hash_in() { cut -d' ' -f1 "$1"; }

# The image runs through once: hashed as it came, unpacked, hashed and counted; all but its first MiB is written
write_image() {
    say "$IMAGE_URL is written to $card"
    mkfifo "$work/packed" "$work/raw"
    sha256sum <"$work/packed" >"$work/packed.sum" &
    { tee /dev/fd/3 <"$work/raw" | sha256sum >"$work/raw.sum"; } 3>&1 | wc -c >"$work/raw.size" &
    fetch "$IMAGE_URL" 2>"$work/fetched" | tee "$work/packed" | $unpack 2>"$work/unpacked" | tee "$work/raw" | {
        dd of="$work/head" bs=$mib count=1 iflag=fullblock status=none
        dd of="$card" bs=$mib seek=1 iflag=fullblock conv=notrunc,fsync status=none 2>"$work/written"
    } || die "$card does not take the image: too small ($(($(blockdev --getsize64 "$card") / mib)) MiB), or worn" \
        "out? $(cat "$work/written")"
    wait
    [ "$(hash_in "$work/packed.sum")" = "$IMAGE_SHA256" ] ||
        die "$IMAGE_URL came with sha256 $(hash_in "$work/packed.sum"), and $IMAGE_SHA256 was asked for." \
            "$(cat "$work/fetched" "$work/unpacked") The card boots nothing until the right one came. Tried again by" \
            "itself"
}

read_back() {
    size=$(cat "$work/raw.size")
    blockdev --flushbufs "$card"
    has=$({
        cat "$work/head"
        dd if="$card" bs=$mib skip=1 count=$((size - mib)) iflag=fullblock,count_bytes status=none
    } | sha256sum | cut -d' ' -f1)
    [ "$has" = "$(hash_in "$work/raw.sum")" ] ||
        die "$card gives back sha256 $has where $(hash_in "$work/raw.sum") was written: the card is worn out, or a" \
            "fake; take another"
    printf 'raw=%s\n' "$has" >>"$work/$record"
}

write_boot() {
    at=$(first_partition "$work/head")
    kind=$(od -An -tx1 -j450 -N1 "$work/head")
    if [ "$at" -lt "$mib" ] || [ "$kind" = ' ee' ]; then
        die "$IMAGE_URL has no MBR whose first partition begins behind the first MiB, as Ubuntu's images for the Pi" \
            "have: another image?"
    fi
    dd if="$work/head" of="$card" bs=512 skip=1 seek=1 conv=notrunc,fsync status=none
    for file in $files ilmarin-host-key "$record"; do
        words=$(mcopy -o -i "$card@@$at" "$work/$file" "::$file" 2>&1) ||
            die "$file does not go into the first partition of the image: $words; is it the vfat that a Pi boots from?"
    done
    sync "$card"
    blockdev --flushbufs "$card"
    for file in $files ilmarin-host-key "$record"; do
        mtype -i "$card@@$at" "::$file" 2>/dev/null | cmp -s - "$work/$file" ||
            die "$file reads differently from $card than it was written: the card is worn out, or a fake; take another"
    done
}

judge
rm -rf "$work" "$done_mark"
mkdir "$work"
trap 'rm -rf "$work"' EXIT
collect_seed
put_mark
write_image
read_back
write_boot
dd if="$work/head" of="$card" bs=512 count=1 conv=notrunc,fsync status=none
: >"$done_mark"
say "$card is stamped (sha256 $(hash_in "$work/raw.sum") read back): it boots by itself"
