#!/bin/sh
# Installs the pinned k3s, and on the first Vala runs it until its API answers. Elsewhere `token` starts it.
#
# Reads    NODE, ROLE, FIRST, K3S_VERSION; on the first Vala API, NVME, and SERVERS: the other Valar's addresses;
#          K3S_RELEASES, default https://github.com/k3s-io/k3s/releases/download; WAIT: seconds until the API answers,
#          default 600
# Leaves   /var/lib/ilmarin/k3s/<version>/k3s, judged by the release's own sha256sum-<arch>.txt, and /usr/local/bin/k3s
#          pointing at it. The binary stays over a reboot, so that this asks nobody the next time; the one before it
#          stays until the new one answers, elsewhere until the next boot. On the first Vala also
#          /var/lib/ilmarin/k3s-agent-token (0600), made once, before its cluster: what agents join with, and no server
#          can; and /var/lib/ilmarin/k3s-made, once its cluster answered
# Refuses  a download whose hash is another; a binary that names another version than it was asked for; a server's way
#          back to an older minor, which Kubernetes does not know; a second cluster: on the first Vala, without etcd's
#          data, where a server answers, where it made a cluster before, or while its NVMe, which would tell, is not
#          there; a token for agents that a cluster was not made with
#
# The release's binary, and not get.k3s.io: that script is served unpinned, and does nothing that is not here.
set -eu

say() { printf 'ilmarin-k3s: %s\n' "$*"; }
die() { say "$(printf %s "$*" | tr -s '\n' ' ')" >&2 && exit 1; }

settings=/etc/ilmarin/node.env
[ -r "$settings" ] || die "$settings is missing, which cloud-init writes: see /var/log/cloud-init.log"
# shellcheck source=/dev/null
. "$settings"
for key in NODE ROLE FIRST K3S_VERSION; do
    eval "[ -n \"\${$key:-}\" ]" || die "$key is missing in $settings: render the seed again"
done
for key in API NVME; do
    [ "$FIRST" != yes ] || eval "[ -n \"\${$key:-}\" ]" || die "$key is missing in $settings: render the seed again"
done
releases=${K3S_RELEASES:-https://github.com/k3s-io/k3s/releases/download}

case $ROLE in
    server) unit=k3s ;;
    agent) unit=k3s-agent ;;
    *) die "ROLE in $settings is '$ROLE': server or agent; render the seed again" ;;
esac
case $(uname -m) in
    aarch64) asset=k3s-arm64 sums=sha256sum-arm64.txt ;;
    x86_64) asset=k3s sums=sha256sum-amd64.txt ;;
    *) die "k3s is released for no $(uname -m): it needs a 64-bit system; put Ubuntu's arm64 image on the card" ;;
esac
store=/var/lib/ilmarin/k3s link=/usr/local/bin/k3s
stands=$store/$K3S_VERSION
agents=/var/lib/ilmarin/k3s-agent-token made=/var/lib/ilmarin/k3s-made
disk=/var/lib/longhorn/disks/nvme1 config=/etc/rancher/k3s/config.yaml etcd=/var/lib/rancher/k3s/server/db/etcd
snapshots=$disk/ilmarin/etcd-snapshots page=docs/day-2/ainur.md
# Written before another binary is put in place, and gone once k3s runs from it
restart=/run/ilmarin-k3s-restart

fetch() {
    words=$(curl --fail --silent --show-error --location --proto "=${releases%%:*}" --connect-timeout 20 --retry 5 \
        --retry-connrefused --speed-limit 1000 --speed-time 60 --output "$2" "$1" 2>&1) ||
        die "$1 does not come: ${words:-curl ended without a word}. Is the name served, and the internet there?" \
            "Tried again by itself"
}

is_whole() { (cd "$1" 2>/dev/null && sha256sum --check --status k3s.sha256 2>/dev/null); }

download() {
    from=$releases/$(printf %s "$K3S_VERSION" | sed 's/+/%2B/g') new=$store/new
    say "$K3S_VERSION is fetched from $releases"
    rm -rf "$new"
    mkdir -p "$new"
    fetch "$from/$sums" "$new/$sums"
    hash=$(awk -v name="$asset" '{ sub(/^\*/, "", $2) } $2 == name { print $1; exit }' "$new/$sums")
    [ -n "$hash" ] || die "$from/$sums does not list $asset: is K3S_VERSION a release of k3s?"
    fetch "$from/$asset" "$new/k3s"
    has=$(sha256sum "$new/k3s" | cut -d' ' -f1)
    if [ "$has" != "$hash" ]; then
        rm -rf "$new"
        die "$from/$asset came with sha256 $has, and $sums says $hash: thrown away. A download that was cut? Tried" \
            "again by itself"
    fi
    chmod 0755 "$new/k3s"
    printf '%s  k3s\n' "$hash" >"$new/k3s.sha256"
    is=$("$new/k3s" --version 2>/dev/null | awk '/^k3s version/ { print $3; exit }' || :)
    if [ "$is" != "$K3S_VERSION" ]; then
        rm -rf "$new"
        die "$from/$asset says it is ${is:-nothing that runs here}, and $K3S_VERSION was asked for: thrown away;" \
            "what serves $releases?"
    fi
    sync "$new/k3s" "$new/k3s.sha256" "$new"
    rm -rf "$stands"
    mv "$new" "$stands"
    sync "$store"
}

# "v1.33.6+k3s1" → 33
minor() { printf %s "$1" | cut -d. -f2; }

refuse_the_way_back() {
    was=$(readlink "$link" 2>/dev/null || :)
    case $was in "$store"/v*) was=${was#"$store"/} was=${was%/k3s} ;; *) return 0 ;; esac
    [ "$ROLE" = agent ] || [ "$(minor "$was")" -le "$(minor "$K3S_VERSION")" ] ||
        die "$NODE runs $was, and $K3S_VERSION is an older minor: Kubernetes has no way back. Pin $was or newer"
}

put_in_place() {
    [ "$(readlink "$link" 2>/dev/null || :)" != "$stands/k3s" ] || return 0
    touch "$restart"
    mkdir -p "${link%/*}"
    ln -sfn "$stands/k3s" "$link.ilmarin"
    mv -T "$link.ilmarin" "$link"
}

# Made beside and renamed, for k3s must never start with half of it: every server and agent would then have to learn
# another. Never beside etcd's data: k3s writes a token that comes later into a file that it then finds newer than its
# datastore, and does not start a second time
make_agents_token() {
    [ ! -s "$agents" ] || return 0
    if [ -d "$etcd" ]; then
        ! grep -qs '^agent-token-file:' "$config" ||
            die "$agents is missing, $config names it, and $NODE has its cluster's data. The cluster was made with it:" \
                "put it back, a Maia's /var/lib/ilmarin/k3s-token holds it after the last colon. It was made without:" \
                "take the line agent-token-file out of $config, for k3s takes none later: $page, \"A token for" \
                "agents alone\""
        return 0
    fi
    ! grep -qs '^server:' "$config" ||
        die "$agents is missing, and $NODE is told to join a cluster that has one: put there what another Vala has in" \
            "that file: $page, \"The first Vala's card died\""
    (umask 077 && openssl rand -hex 16 >"$agents.new") || die "openssl could write nothing to $agents.new: see df"
    sync "$agents.new"
    mv "$agents.new" "$agents"
    sync "${agents%/*}"
}

# "cluster-init" makes a cluster where k3s finds no data, whoever else answers, and whatever was there before
refuse_a_second_cluster() {
    [ ! -d "$etcd" ] || return 0
    ! grep -qs '^server:' "$config" || return 0 # it was told to join
    here="$page, \"The first Vala's card died\""
    for at in "$API" $(printf %s "${SERVERS:-}" | sed 's/[^,]\{1,\}/https:\/\/&:6443/g' | tr , ' '); do
        [ "$(curl --insecure --silent --max-time 5 "$at/ping" || :)" != pong ] ||
            die "a cluster answers at $at, and $NODE has none of its data (a new card?): k3s would start a second one" \
                "beside it. Let it join instead: $here"
    done
    [ "$NVME" = no ] || mountpoint -q "$disk" ||
        die "$disk is not mounted, and only its snapshots of etcd would say whether $NODE made a cluster before: none is" \
            "made until it is there: see \`journalctl -u ilmarin-nvme\`; tried again by itself"
    for sign in "$made" "$snapshots"/*; do
        [ ! -e "$sign" ] ||
            die "$NODE made a cluster before ($sign), and etcd's data is gone: k3s would start another one, which" \
                "nobody here joins. Restore a snapshot: $here. If a new cluster is what you want, move $made" \
                "and $snapshots away"
    done
}

api_answers() { [ "$("$link" kubectl get --raw /readyz 2>/dev/null)" = ok ]; }

# Started again if it gave up, until the API answers or time is up
run() {
    left=${WAIT:-600}
    systemctl start --no-block "$unit"
    until api_answers; do
        [ "$left" -gt 0 ] ||
            die "the API of $NODE does not answer after ${WAIT:-600} s. k3s said last:" \
                "$(journalctl -u "$unit" -n 1 -o cat --no-pager); all of it: \`journalctl -u $unit\`. Tried again by" \
                "itself"
        if systemctl is-failed --quiet "$unit"; then
            systemctl reset-failed "$unit"
            systemctl start --no-block "$unit"
        fi
        left=$((left - 5))
        sleep 5
    done
}

# All that is of no use but what $@ names
clean() {
    for old in "$store"/*; do
        for kept; do
            [ "$old" != "$kept" ] || continue 2
        done
        rm -rf "$old"
    done
}

refuse_the_way_back
before=$(readlink "$link" 2>/dev/null || :)
is_whole "$stands" || download
put_in_place
if [ -e "$restart" ]; then
    systemctl try-restart --no-block "$unit"
    rm "$restart"
fi
if [ "$FIRST" = yes ]; then
    refuse_a_second_cluster
    make_agents_token
    run
    touch "$made"
    clean "$stands"
    say "$K3S_VERSION runs, its API answers"
else
    clean "$stands" "${before%/k3s}"
    say "$K3S_VERSION is in place; started when the join token is there"
fi
