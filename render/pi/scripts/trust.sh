#!/bin/sh
# Gives the cluster the lab's certificate authority, and makes this system trust it.
#
# Reads    FIRST, NODE, LAB
# Leaves   Secret `lab-ca-intermediate` (kubernetes.io/tls) and ConfigMap `lab-ca` (ca.crt, fingerprint) in the
#          namespace cert-manager; the root in the system's trust store. A timer repeats it, so that what was deleted
#          comes back
# Refuses  to make the namespace, which is the cert-manager application's: until it stands this ends with 75, "try
#          later". The root's key is not read here at all
set -eu
umask 077

say() { printf 'ilmarin-trust: %s\n' "$*"; }
die() { say "$(printf %s "$*" | tr -s '\n' ' ')" >&2 && exit 1; }
later() { say "$*" && exit 75; }

settings=/etc/ilmarin/node.env
[ -r "$settings" ] || die "$settings is missing, which cloud-init writes: see /var/log/cloud-init.log"
# shellcheck source=/dev/null
. "$settings"
for key in FIRST NODE LAB; do
    eval "[ -n \"\${$key:-}\" ]" || die "$key is missing in $settings: render the seed again"
done
if [ "$FIRST" != yes ]; then
    say "the certificate authority is the first Vala's: nothing to do on $NODE"
    exit 0
fi

pki=/var/lib/ilmarin/pki namespace=cert-manager
store=/usr/local/share/ca-certificates/ilmarin-$LAB.crt
k3s=/usr/local/bin/k3s

for file in root.crt root.sha256 chain.crt intermediate.key; do
    [ -s "$pki/$file" ] || die "$pki/$file is missing: see \`journalctl -u ilmarin-pki\`"
done

if ! cmp -s "$pki/root.crt" "$store"; then
    install -D -m 0644 "$pki/root.crt" "$store"
    update-ca-certificates >/dev/null || die "update-ca-certificates failed: run it by hand and see what it says"
fi

encoded() { base64 -w 0 "$pki/$1"; }

# printf is the shell's own: a key must not be an argument, which everyone on the system can read
objects() {
    printf 'apiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\nmetadata:\n  name: lab-ca-intermediate\n'
    printf '  namespace: %s\ndata:\n' "$namespace"
    printf '  tls.crt: %s\n  tls.key: %s\n' "$(encoded chain.crt)" "$(encoded intermediate.key)"
    printf -- '---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: lab-ca\n  namespace: %s\ndata:\n' "$namespace"
    printf '  fingerprint: "%s"\n  ca.crt: |\n' "$(cat "$pki/root.sha256")"
    sed 's/^/    /' "$pki/root.crt"
}

[ "$("$k3s" kubectl get --raw /readyz 2>/dev/null)" = ok ] || later "the API does not answer yet: tried again by itself"
"$k3s" kubectl get namespace "$namespace" >/dev/null 2>&1 ||
    later "the namespace $namespace is not there yet, Argo CD brings it: tried again by itself"
words=$(objects | "$k3s" kubectl apply --server-side --force-conflicts --field-manager=ilmarin -f - 2>&1) ||
    die "the API took neither Secret nor ConfigMap in $namespace: $words"
say "$namespace has the intermediate and the root $(cat "$pki/root.sha256")"
