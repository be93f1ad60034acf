#!/bin/sh
# Makes the lab's certificate authority, once, on the first Vala; at every later boot it only looks whether all is well.
#
# Reads    FIRST, NODE, LAB, ZONE; WAIT: seconds for the clock to be right, default 300
# Leaves   in /var/lib/ilmarin/pki (0700): root.key and root.crt (EC P-256, 20 years), intermediate.key and
#          intermediate.crt (5 years, signs no further authority), chain.crt (both certificates), root.sha256
#          (fingerprint); keys are 0600. /etc/ilmarin/ca.crt is the root certificate, for everybody
# Refuses  to make a root anew where a certificate or a key of it exists, and to sign anything by a clock that no time
#          server has set. Both certificates vouch for names in ZONE only, and for no address: a browser that trusts
#          this root does not trust it with a bank. So the cluster's own webhooks (`*.svc`) need certificates from
#          elsewhere
#
# Order: root.key, root.crt, intermediate.key, intermediate.crt, and then what follows from them. Each is renamed into
# its place when it is on the disk, so after a cut the next one is simply made. The intermediate is no one's anchor:
# it is made anew when it is lost, or ends in less than half a year.
set -eu
umask 077

say() { printf 'ilmarin-pki: %s\n' "$*"; }
die() { say "$(printf %s "$*" | tr -s '\n' ' ')" >&2 && exit 1; }

settings=/etc/ilmarin/node.env
[ -r "$settings" ] || die "$settings is missing, which cloud-init writes: see /var/log/cloud-init.log"
# shellcheck source=/dev/null
. "$settings"
for key in FIRST NODE LAB ZONE; do
    eval "[ -n \"\${$key:-}\" ]" || die "$key is missing in $settings: render the seed again"
done
if [ "$FIRST" != yes ]; then
    say "the certificate authority is the first Vala's: nothing to do on $NODE"
    exit 0
fi

pki=/var/lib/ilmarin/pki published=/etc/ilmarin/ca.crt
half_a_year=15552000

settle() { sync "$1" && mv "$1" "${1%.new}" && sync "$pki"; }

# $1 becomes what is on stdin, if it is not that already
put() {
    cat >"$1.new"
    chmod "$2" "$1.new"
    if cmp -s "$1.new" "$1"; then rm "$1.new"; else sync "$1.new" && mv "$1.new" "$1"; fi
}

in_time() { [ "$(timedatectl show --property NTPSynchronized --value)" = yes ]; }

# A Pi has no battery: it wakes up in the past, and what it signs then is not valid yet, or ended long ago
wait_for_the_clock() {
    left=${WAIT:-300}
    until in_time; do
        [ "$left" -gt 0 ] ||
            die "the clock says $(date -u '+%Y-%m-%d %H:%M') UTC, and no time server confirmed it in ${WAIT:-300} s:" \
                "nothing is signed by it. Is a time server reachable (\`timedatectl timesync-status\`)? This is" \
                "tried again by itself"
        [ "$left" != "${WAIT:-300}" ] || say "the clock says $(date -u '+%Y-%m-%d %H:%M') UTC: waiting until a time" \
            "server confirms it"
        left=$((left - 1))
        sleep 1
    done
}

make_key() {
    say "$1.key is made"
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$pki/$1.key.new" 2>/dev/null ||
        die "openssl could make no key in $pki: is the disk full (df $pki)?"
    settle "$pki/$1.key.new"
}

public_of() { openssl pkey -in "$pki/$1.key" -passin pass: -pubout 2>/dev/null; }

is_pair() {
    public=$(public_of "$1") && [ "$public" = "$(openssl x509 -in "$pki/$1.crt" -noout -pubkey 2>/dev/null)" ]
}

configuration() {
    cat >"$pki/openssl.cnf" <<END
[req]
distinguished_name = name
prompt = no
x509_extensions = root
[name]
O = Project Iluvatar
OU = $LAB
CN = $LAB $1 CA
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
nameConstraints = critical, @names
[intermediate]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, digitalSignature, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
nameConstraints = critical, @names
[names]
permitted;DNS.0 = $ZONE
excluded;IP.0 = 0.0.0.0/0.0.0.0
excluded;IP.1 = 0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0
END
}

root() {
    if [ ! -e "$pki/root.key" ]; then
        ! ls "$pki"/*.crt >/dev/null 2>&1 ||
            die "$pki/root.key is gone, and certificates of it exist: put the key back from a backup. A new root," \
                "which every device must be told of, is made when the folder $pki is moved away"
        make_key root
    fi
    public_of root >/dev/null ||
        die "$pki/root.key cannot be read as a key: put it back from a backup. A new root is made when $pki is moved" \
            "away"
    if [ ! -e "$pki/root.crt" ]; then
        wait_for_the_clock
        say "root.crt is made"
        configuration root
        openssl req -new -x509 -config "$pki/openssl.cnf" -key "$pki/root.key" -sha256 -days 7300 \
            -out "$pki/root.crt.new"
        settle "$pki/root.crt.new"
    fi
    is_pair root ||
        die "$pki/root.crt and root.key are no pair: put back what was exchanged. A new root is made when $pki is" \
            "moved away"
}

intermediate_stands() {
    is_pair intermediate &&
        openssl verify -no_check_time -CAfile "$pki/root.crt" "$pki/intermediate.crt" >/dev/null 2>&1 &&
        openssl x509 -in "$pki/intermediate.crt" -noout -checkend $half_a_year >/dev/null
}

intermediate() {
    public_of intermediate >/dev/null || make_key intermediate
    intermediate_stands && return 0
    wait_for_the_clock
    ! intermediate_stands || return 0 # it was the clock that said it ends
    say "intermediate.crt is made"
    configuration intermediate
    openssl req -new -config "$pki/openssl.cnf" -key "$pki/intermediate.key" -out "$pki/intermediate.csr"
    openssl x509 -req -in "$pki/intermediate.csr" -CA "$pki/root.crt" -CAkey "$pki/root.key" -sha256 -days 1825 \
        -set_serial "0x$(openssl rand -hex 16)" -extfile "$pki/openssl.cnf" -extensions intermediate \
        -out "$pki/intermediate.crt.new" 2>/dev/null
    settle "$pki/intermediate.crt.new"
}

mkdir -p "$pki" "${published%/*}"
chmod 0700 "$pki"
root
intermediate
rm -f "$pki/openssl.cnf" "$pki/intermediate.csr" "$pki"/*.new
chmod 0600 "$pki/root.key" "$pki/intermediate.key"
cat "$pki/intermediate.crt" "$pki/root.crt" | put "$pki/chain.crt" 0644
openssl x509 -in "$pki/root.crt" -noout -fingerprint -sha256 | sed 's/.*=//' | put "$pki/root.sha256" 0644
put "$published" 0644 <"$pki/root.crt"
openssl x509 -in "$pki/root.crt" -noout -checkend 31536000 >/dev/null ||
    say "the root ends within a year ($(openssl x509 -in "$pki/root.crt" -noout -enddate | cut -d= -f2)): plan a new" \
        "one"
say "root $(cat "$pki/root.sha256")"
