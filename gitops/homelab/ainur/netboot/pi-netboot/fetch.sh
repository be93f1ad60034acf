#!/bin/sh
# Brings every file of a list to where the boot servers look, and lets nothing pass that is not what it should be.
#
#   fetch.sh LIST FOLDER
#
# A line of LIST is `path check url [member]`: what is to lie at FOLDER/path, where it comes from, and which file of the
# archive at the url it is (.deb, .tar.gz). `check` says what judges the download:
#   sha256:HEX   the hash is known
#   sums:URL     the publisher's own SHA256SUMS, asked once; then as `first`
#   first        nobody publishes one: what came first, over TLS, is written down, and must never be another afterwards
# FOLDER/fetched/record holds what was judged: `sha256 path sha256-of-the-download url#member`.
# A file is replaced by renaming, once the new one is whole: who is served meanwhile gets the old one. It may be killed at
# any moment and started again; it ends with 0 when every file is there.
set -eu

list=$1 folder=$2
work=$folder/fetched
record=$work/record
failed=0

say() { printf '%s\n' "$*"; }
complain() { printf '%s\n' "$*" >&2; }

hash_of() { sha256sum "$1" | cut -d' ' -f1; }

# Runs curl; where it fails, its own words become one sentence
get() {
    url=$1 to=$2
    shift 2
    if words=$(curl --fail --silent --show-error --location --proto "${FETCH_PROTOCOLS:-=https}" --connect-timeout 20 \
        --speed-limit 1000 --speed-time 60 --output "$to" "$@" "$url" 2>&1); then
        return 0
    fi
    complain "$url: ${words:-curl ended without a word}"
    return 1
}

# The hash that a download must have: stated, written down before, or in the publisher's list. Nothing: not known yet
expected() {
    case $1 in sha256:*) say "${1#sha256:}" && return ;; esac
    known=$(awk -v url="$2" '{ split($4, at, "#") } at[1] == url { print $3; exit }' "$record")
    case $known:$1 in
        :sums:*)
            get "${1#sums:}" "$work/sums" || return 1
            known=$(awk -v name="${2##*/}" '{ sub(/^\*/, "", $2) } $2 == name { print $1; exit }' "$work/sums")
            rm -f "$work/sums"
            if [ -z "$known" ]; then
                complain "${1#sums:}: does not list ${2##*/}; is the version still published?"
                return 1
            fi
            ;;
    esac
    say "$known"
}

# Puts the download of a url, judged, at $work/<key>, and says where. One that was cut is gone on with, if a hash will judge it
download() {
    check=$1 url=$2
    want=$(expected "$check" "$url") || return 1
    whole=$work/$(printf %s "$url" | sha256sum | cut -c1-16)
    if [ -f "$whole" ]; then
        has=$(hash_of "$whole")
        if [ "$has" = "${want:-$has}" ]; then
            say "$whole"
            return
        fi
        rm -f "$whole"
    fi
    [ -n "$want" ] || rm -f "$whole.part"
    # The server may say that nothing is left to send (416): the hash decides whether that is so
    if ! get "$url" "$whole.part" --continue-at - && ! { [ -n "$want" ] && [ "$(hash_of "$whole.part")" = "$want" ]; }; then
        return 1
    fi
    has=$(hash_of "$whole.part")
    if [ "$has" != "${want:-$has}" ]; then
        rm -f "$whole.part"
        complain "$url: came with sha256 $has, and $want is what it must have; thrown away, what is served stays as it is"
        return 1
    fi
    mv -f "$whole.part" "$whole"
    say "$whole"
}

# A .deb is an `ar` archive: 8 bytes, then members, each after a header of 60
deb_data() {
    at=8
    while header=$(tail -c "+$((at + 1))" "$1" | head -c 60) && [ -n "$header" ]; do
        size=$(printf %s "$header" | cut -c49-58 | tr -d ' ')
        case $header in data.tar.xz*) tail -c "+$((at + 61))" "$1" | head -c "$size" | unxz -c && return ;; esac
        at=$((at + 60 + size + size % 2))
    done
    complain "$1: holds no data.tar.xz"
    return 1
}

# Takes `member` out of the archive; without a member the download is the file
take() {
    case $2:$3 in
        *:-) cp "$1" "$4" ;;
        *.deb:*) deb_data "$1" | tar -xOf - "./$3" >"$4" ;;
        *.tar.gz:*) tar -xzOf "$1" "$3" >"$4" ;;
        *) complain "$2: of what kind is this archive? .deb and .tar.gz are known" && return 1 ;;
    esac
}

# What is at `path` is what was judged when it came from there
stands() {
    [ -f "$folder/$1" ] || return 1
    was=$(awk -v path="$1" -v from="$3" '$2 == path && $4 == from { print $1, $3; exit }' "$record")
    case $2 in sha256:*) [ "${was#* }" = "${2#sha256:}" ] || return 1 ;; esac
    [ "${was%% *}" = "$(hash_of "$folder/$1")" ]
}

bring() {
    path=$1 check=$2 url=$3 member=$4
    from=$url#$member
    if stands "$path" "$check" "$from"; then
        say "$path: stands"
        return
    fi
    got=$(download "$check" "$url") || return 1
    target=$folder/$path
    mkdir -p "${target%/*}"
    if ! words=$(take "$got" "$url" "$member" "$target.new" 2>&1) || [ ! -s "$target.new" ]; then
        rm -f "$target.new"
        complain "$path: ${words:-$url has no $member, or it is empty}"
        return 1
    fi
    put=$(hash_of "$target.new") came=$(hash_of "$got")
    awk -v path="$path" -v from="$from" '!($2 == path && $4 == from)' "$record" >"$record.new"
    say "$put $path $came $from" >>"$record.new"
    mv -f "$record.new" "$record"
    mv -f "$target.new" "$target"
    say "$path: brought from $url, sha256 $came"
    case $check in first) say "  nobody publishes its hash; to pin it, under network.netboot.checksums: $path: $came" ;; esac
}

# What no list names any more; its line stays in the record, for the day it comes back
tidy() {
    awk 'FILENAME == ARGV[1] { if (!/^#/) named[$1] = 1; next } !($2 in named) { print $2 }' "$list" "$record" | sort -u |
        while read -r path; do
            [ ! -f "$folder/$path" ] || { rm -f "$folder/$path" && say "$path: no longer on the list, removed"; }
        done
}

mkdir -p "$work"
touch "$record"
while read -r path check url member; do
    case $path in '' | '#'*) continue ;; esac
    bring "$path" "$check" "$url" "${member:--}" || failed=$((failed + 1))
done <"$list"
if [ "$failed" -gt 0 ]; then
    complain "$failed not brought; what was there before is served. It is tried again when this is started again"
    exit 1
fi
tidy
# Downloads are kept only until all is there
find "$work" -type f ! -name record -exec rm -f {} +
say "all is there"
