#!/bin/sh
# Joins k3s with the token that the program brought, and tells what is wrong where k3s would try for ever.
#
# Reads    NODE, ROLE, FIRST, API; WAIT: seconds until it joined, default 600
# Leaves   k3s (k3s-agent) running, registered with the cluster
# Refuses  a token that is empty or of several lines; a server without the lab's root certificate, which its API server
#          needs, or without the agents' token, which all servers share. When the cluster refuses the node, k3s is
#          stopped: it would go on asking, and nobody would look
#
# It runs when the file is written (ilmarin-token.path), and at a boot where it lies there already; it never waits for
# it.
set -eu

say() { printf 'ilmarin-token: %s\n' "$*"; }
die() { say "$(printf %s "$*" | tr -s '\n' ' ')" >&2 && exit 1; }
# Nothing that a second try would mend: the unit tries none
give_up() { say "$(printf %s "$*" | tr -s '\n' ' ')" >&2 && exit 2; }

settings=/etc/ilmarin/node.env
[ -r "$settings" ] || die "$settings is missing, which cloud-init writes: see /var/log/cloud-init.log"
# shellcheck source=/dev/null
. "$settings"
for key in NODE ROLE FIRST API; do
    eval "[ -n \"\${$key:-}\" ]" || die "$key is missing in $settings: render the seed again"
done
if [ "$FIRST" = yes ]; then
    say "$NODE is the first Vala: it makes the token, and joins nobody"
    exit 0
fi

token=/var/lib/ilmarin/k3s-token agents=/var/lib/ilmarin/k3s-agent-token ca=/etc/ilmarin/ca.crt
case $ROLE in
    server) unit=k3s ;;
    agent) unit=k3s-agent ;;
    *) die "ROLE in $settings is '$ROLE': server or agent; render the seed again" ;;
esac

again="have the program bring it again: \`pulumi up --replace '**::ainur-join-$NODE'\`"
[ -s "$token" ] || give_up "$token is empty or missing: $again"
chmod 0600 "$token"
is_one_word() { [ "$(grep -c '' "$token")" = 1 ] && grep -qE '^[[:graph:]]+$' "$token"; }
is_one_word ||
    give_up "$token is not one line without blanks, so it is no token of k3s: $again"
[ "$ROLE" = agent ] || [ -s "$ca" ] ||
    give_up "$ca is missing, and the API server of $NODE needs it: the program brings it with the token; $again"
[ "$ROLE" = agent ] || [ -s "$agents" ] ||
    give_up "$agents is missing, and agents could join at $NODE with what only servers may have. The program brings it" \
        "first: \`pulumi up --replace '**::ainur-agents-$NODE' --replace '**::ainur-join-$NODE'\`"

[ -x /usr/local/bin/k3s ] || die "k3s is not in place: see \`journalctl -u ilmarin-k3s\`; tried again by itself"

# What k3s says since this was started
journal() { journalctl -u "$unit" -b ${cursor:+--after-cursor="$cursor"} -o cat --no-pager --quiet; }

registered() {
    systemctl is-active --quiet "$unit" || return 1
    if [ "$ROLE" = server ]; then
        [ "$(/usr/local/bin/k3s kubectl get --raw /readyz 2>/dev/null)" = ok ]
    else
        kubeconfig=/var/lib/rancher/k3s/agent/kubelet.kubeconfig
        /usr/local/bin/k3s kubectl --kubeconfig $kubeconfig get node "$NODE" >/dev/null 2>&1
    fi
}

refused() {
    systemctl stop "$unit"
    give_up "$NODE was refused by $API: $*"
}

# k3s says these and goes on. A server that is still starting may answer 401 for a moment, so that one must stay
judge() {
    heard=$(journal)
    case $heard in
        *"token CA hash does not match"*)
            refused "its token is another cluster's, or an older one's. Was the first Vala made anew? Then remove" \
                "/var/lib/rancher/k3s here, and \`pulumi up --replace '**::ainur-*token-*' --replace" \
                "'**::ainur-join-$NODE'\`" ;;
        *"Node password rejected"*)
            refused "a node of this name joined before, with another password (/etc/rancher/node/password). Is it" \
                "this Pi? Then on the first Vala: \`sudo k3s kubectl -n kube-system delete secret" \
                "$NODE.node-password.k3s\`, and here \`sudo systemctl start ilmarin-token\`" ;;
        *"encrypted with different token"* | *"invalid token"* | *"token must not be empty"* | *"token is not valid"*)
            refused "its token is not this cluster's: $again" ;;
    esac
    [ "$(printf '%s\n' "$heard" | grep -cE '401 Unauthorized|failed to validate token')" -lt 5 ] ||
        refused "401 Unauthorized: its token is not this cluster's, or is not for $unit; $again"
}

if registered; then
    say "$NODE is joined"
    exit 0
fi
cursor=$(journalctl -n 1 --show-cursor --quiet -o cat --no-pager | sed -n 's/^-- cursor: //p')
systemctl reset-failed "$unit" 2>/dev/null || :
systemctl restart --no-block "$unit"
left=${WAIT:-600}
until registered; do
    judge
    [ "$left" -gt 0 ] ||
        die "$NODE did not join $API in ${WAIT:-600} s. $unit said last: $(journal | tail -n 1); it goes on trying." \
            "Is the API up (\`curl -k $API/ping\`)?"
    left=$((left - 3))
    sleep 3
done
say "$NODE joined $API"
