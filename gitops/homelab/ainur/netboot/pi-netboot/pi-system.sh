#!/bin/sh
# Makes what the netbooted Pis boot: out of Ubuntu's image their firmware and kernel for TFTP and the root that they all
# mount, and for each Pi a folder with its own texts.
#
#   pi-system.sh TEXTS FOLDER
#
# TEXTS is what `pulumi up` published: `image` (which one, by its short id), `content.sha256`, and for each Pi
# `<folder>_config.txt` and `<folder>_cmdline.txt`. In FOLDER:
#   pi/<id>.img.xz     the image, judged by fetch.sh, which puts it there once it is whole
#   nfs/<id>           its root. Never changed once it is there: a Pi that runs has it mounted
#   tftp/pi/<id>       its firmware, kernel, initrd and device trees
#   tftp/pi/<set>      the texts, and links to those files, a folder for each Pi; <set> is the texts' own hash
#   tftp/<folder>      a link to the Pi's folder in the set: with it a Pi changes over, all at once
# All is made beside and put in its place by one renaming, so that half of it is never served. It may be killed at any
# moment and started again; it ends with 0 when every Pi's folder is whole.
# It mounts nothing and opens no device: sfdisk, mcopy and debugfs read the image as the file that it is.
set -eu

texts=$1 folder=$2
nfs=$folder/nfs tftp=$folder/tftp
id=$(cat "$texts/image")
set_of_texts=$(cut -c1-12 "$texts/content.sha256")
image=$folder/pi/$id.img.xz
boot=$tftp/pi/$id

say() { printf '%s\n' "$*"; }
stop() { printf '%s\n' "$*" >&2 && exit 1; }

# Bytes → what a person reads
size() { awk -v bytes="$1" 'BEGIN { printf "%.1f GB", bytes / 1e9 }'; }

# The image's size as it will lie on the disk, in bytes
unpacked() { xz --robot --list "$image" | awk '$1 == "totals" { print $5 }'; }

# Where the partition begins whose type is one of a list, in bytes
partition() {
    sfdisk --dump "$1" | awk -v types="$2" '
        BEGIN { n = split(types, known, " "); for (i = 1; i <= n; i++) wanted[known[i]] = 1 }
        match($0, /start= *[0-9]+/) {
            start = substr($0, RSTART + 6, RLENGTH - 6)
            type = toupper($0); sub(/.*TYPE= */, "", type); sub(/,.*/, "", type)
            if (type in wanted) { printf "%.0f\n", start * 512; exit }
        }'
}

# Files and folders with setuid, setgid or the sticky bit: debugfs loses those when it gives a file to its owner, and
# without them nobody may so much as `sudo`. One line each: mode, path
special() {
    find "$work/root" -type d | awk -v root="$work/root" '{ print "ls -p \"" substr($0, length(root) + 1) "/\"" }' >"$work/asked"
    debugfs -f "$work/asked" "$1" 2>&1 | awk '
        sub(/^debugfs: ls -p "/, "") { sub(/"$/, ""); at = $0; next }
        match($0, /^\/[0-9]+\/(10|04)[1-7][0-7][0-7][0-7]\//) {
            split($0, entry, "/"); name = entry[6]
            if (name == "..") next
            print substr(entry[3], 3), at (name == "." ? "" : name)
        }'
}

# Everything of the image's two partitions, to $work and $bootwork
take_apart() {
    say "$id: unpacking $image"
    xz --decompress --stdout "$image" >"$work/image" || stop "$image: does not unpack; is the disk full?"
    fat=$(partition "$work/image" "B C E EBD0A0A2-B9E5-4433-87C0-68B6B72699C7")
    ext=$(partition "$work/image" "83 0FC63DAF-8483-4772-8E79-3D69D8477DE4")
    if [ -z "$fat" ] || [ -z "$ext" ]; then
        stop "$image: has no partition of FAT with one of Linux: it is no image of Ubuntu for the Pi"
    fi
    MTOOLS_SKIP_CHECK=1 mcopy -n -s -Q -i "$work/image@@$fat" '::*' "$bootwork/" ||
        stop "$image: its boot partition cannot be read, or the disk is full"
    mkdir "$work/root"
    # debugfs tells of what went wrong, and ends well all the same
    wrong=$(debugfs -R "rdump / $work/root" "$work/image?offset=$ext" 2>&1 | grep -v '^debugfs [0-9]' | head -n 1)
    [ -z "$wrong" ] || stop "$image: its root does not unpack: $wrong"
    special "$work/image?offset=$ext" >"$work/special"
    while read -r mode path; do chmod "$mode" "$work/root$path"; done <"$work/special"
    rm -rf "$work/image" "$work/asked" "$work/special" "$work/root/lost+found"
}

# What a Pi that boots from the network needs of the image, and what Ubuntu has put into its initrd
judge() {
    for file in start4.elf fixup4.dat vmlinuz initrd.img overlays bcm2712-rpi-5-b.dtb bcm2711-rpi-4-b.dtb; do
        [ -e "$bootwork/$file" ] || stop "$image: its boot partition has no $file"
    done
    root=$work/root
    [ -e "$root/usr/lib/systemd/systemd" ] || stop "$image: its root has no systemd"
    for part in hooks/overlayroot scripts/init-bottom/overlayroot; do
        [ -e "$root/usr/share/initramfs-tools/$part" ] ||
            stop "$image: its initrd has no overlayroot, so the Pis could not write anywhere; the package is missing"
    done
    grep -q '^MODULES=most' "$root/etc/initramfs-tools/initramfs.conf" ||
        stop "$image: its initrd has not all modules (MODULES=most), so NFS may be missing"
    for module in nfsv3 overlay; do
        find "$root/usr/lib/modules" -name "$module.ko*" | grep -q . ||
            grep -rqs "/$module.ko" "$root"/usr/lib/modules/*/modules.builtin ||
            stop "$image: its kernel has no $module"
    done
    packed=$(find "$root/boot" -maxdepth 1 -name 'initrd.img-*' | sort | tail -n 1)
    if [ -n "$packed" ] && ! cmp -s "$packed" "$bootwork/initrd.img"; then
        stop "$image: the initrd of its boot partition is not its root's, so nobody knows what is in it"
    fi
}

# What the image does on a card, and must not on the network
adapt() {
    root=$work/root
    # Its partitions are on no Pi: each would be waited for
    printf '# Netbooted: the root is NFS, with an overlay in memory. Written by Ilúvatar.\n' >"$root/etc/fstab"
    : >"$root/etc/machine-id"
    rm -f "$root"/etc/ssh/ssh_host_*
    mkdir -p "$root/etc/cloud/cloud.cfg.d" "$root/etc/systemd/system"
    # Last of its kind, so that it is believed: the seed is the one that the kernel's command line names
    printf '%s\n' '# Written by Ilúvatar.' 'datasource_list: [NoCloud, None]' 'datasource: {NoCloud: {fs_label: null}}' \
        "growpart: {mode: 'off'}" 'resize_rootfs: false' >"$root/etc/cloud/cloud.cfg.d/99-zz-ilmarin.cfg"
    # What they bring lies in memory, and is gone at the next boot
    for unit in apt-daily.timer apt-daily-upgrade.timer snapd.service snapd.socket snapd.seeded.service; do
        ln -sf /dev/null "$root/etc/systemd/system/$unit"
    done
}

# Root first: a Pi that is told of it must find it
make_system() {
    [ -f "$image" ] || stop "$image: not there yet; the builder (boot-files) brings it, and says in its log what keeps it"
    work=$nfs/.work bootwork=$tftp/pi/.work
    rm -rf "$work" "$bootwork" "$boot"
    mkdir -p "$work" "$bootwork"
    # The image, its root beside it, and its boot partition
    need=$(unpacked | awk '{ printf "%.0f", $1 * 2.2 }')
    free=$(df -Pk "$nfs" | awk 'END { printf "%.0f", $4 * 1024 }')
    awk -v need="$need" -v free="$free" 'BEGIN { exit !(need <= free) }' ||
        stop "$nfs: $(size "$need") are needed to unpack $id, and $(size "$free") are free; make room on the Vala's disk"
    take_apart
    judge
    adapt
    chmod -R a+rX "$bootwork"
    sync
    [ -d "$nfs/$id" ] || mv "$work/root" "$nfs/$id"
    mv "$bootwork" "$boot"
    rm -rf "$work"
    say "$id: made"
}

# Every Pi's folder, whole, and only then its link
place_texts() {
    new=$tftp/pi/.texts
    rm -rf "$new"
    mkdir -p "$new"
    for config in "$texts"/*_config.txt; do
        [ -e "$config" ] || continue
        pi=${config##*/} pi=${pi%_config.txt}
        mkdir "$new/$pi"
        for file in "$boot"/*; do ln -s "../../$id/${file##*/}" "$new/$pi/"; done
        for text in config.txt cmdline.txt; do
            rm -f "$new/$pi/$text"
            cp "$texts/${pi}_$text" "$new/$pi/$text"
        done
    done
    chmod -R a+rX "$new"
    sync
    # The same texts lead to the same set: links of the one before lead into it while it is put in place
    [ -d "$tftp/pi/$set_of_texts" ] || mv "$new" "$tftp/pi/$set_of_texts"
    rm -rf "$new"
    for at in "$tftp/pi/$set_of_texts"/*/; do
        pi=${at%/} pi=${pi##*/}
        [ -e "$at" ] || continue
        ln -sfn "pi/$set_of_texts/$pi" "$tftp/.link"
        [ -L "$tftp/$pi" ] || rm -rf "${tftp:?}/$pi"
        mv -T "$tftp/.link" "$tftp/$pi"
        say "$pi: boots $id"
    done
}

# What no Pi boots any more. The root before this one stays: a Pi that has not booted since has it mounted
tidy() {
    for link in "$tftp"/*; do
        case $(readlink "$link" || true) in
            pi/"$set_of_texts"/*) ;;
            pi/*) rm -f "$link" && say "${link##*/}: no longer netbooted, removed" ;;
        esac
    done
    for old in "$tftp"/pi/*; do
        case ${old##*/} in "$id" | "$set_of_texts") ;; *) rm -rf "$old" ;; esac
    done
    printf '%s\n' "$id" >"$nfs/.now.new"
    if [ -f "$nfs/.now" ] && ! cmp -s "$nfs/.now" "$nfs/.now.new"; then mv -f "$nfs/.now" "$nfs/.before"; fi
    mv -f "$nfs/.now.new" "$nfs/.now"
    before=$(cat "$nfs/.before" 2>&1 || true)
    for old in "$nfs"/*; do
        case ${old##*/} in
            "$id" | "$before" | '*') ;;
            *) rm -rf "$old" && say "${old##*/}: no Pi's root any more, removed" ;;
        esac
    done
}

mkdir -p "$nfs" "$tftp/pi"
if [ ! -d "$nfs/$id" ] || [ ! -d "$boot" ]; then make_system; fi
place_texts
tidy
say "all is there"
