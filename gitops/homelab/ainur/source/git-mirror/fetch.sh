#!/bin/sh
# Brings the mirror up to what upstream has, and says whether a revision is in it.
#
#   fetch.sh [REVISION]
#
# REVISION is a branch, a tag or a whole commit id; without one, any content will do. Its commit is the last line printed.
#   0  it is in the mirror. Where upstream did not answer, that is said, and what was there before counts
#   1  it is not in the mirror, and upstream did not answer: try again later
#   2  upstream answered and has no such revision: name another, or push it
#   64 called or set up wrongly
# The timer and a person may run it at once: one waits for the other. It may be killed at any moment and started again.
# MIRROR_URL is upstream, MIRROR_REPOSITORY the bare repository, which keeps branches and tags and nothing else.
set -eu

say() { printf '%s\n' "$*"; }
complain() { printf '%s\n' "$*" >&2; }

if [ $# -gt 1 ] || [ -z "${MIRROR_URL:-}" ] || [ -z "${MIRROR_REPOSITORY:-}" ]; then
    complain "usage: MIRROR_URL=… MIRROR_REPOSITORY=… fetch.sh [REVISION]"
    exit 64
fi
wanted=${1:-}
case $wanted in -*)
    complain "'$wanted' is no revision: a branch, a tag or a commit id is"
    exit 64
    ;;
esac

# Nobody is there to be asked for a password, and a line that says nothing for a minute is dead
export GIT_TERMINAL_PROMPT=0 GIT_HTTP_LOW_SPEED_LIMIT=1000 GIT_HTTP_LOW_SPEED_TIME=60
# A private upstream: a deploy key with the server's own keys, which no other list adds to; or a name and a token, which
# Git asks for by reading the files, for this very address and no other
export MIRROR_KEY_FOLDER="${MIRROR_KEY_FOLDER:-/etc/git-mirror/key}"
key=$MIRROR_KEY_FOLDER
if [ -f "$key/password" ]; then
    export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="credential.$MIRROR_URL.helper"
    # shellcheck disable=SC2016 # it is Git that runs this
    answers='echo "username=$(cat "$MIRROR_KEY_FOLDER/username")"; echo "password=$(cat "$MIRROR_KEY_FOLDER/password")"'
    export GIT_CONFIG_VALUE_0="!f() { $answers; }; f"
fi
if [ -f "$key/ssh-privatekey" ]; then
    GIT_SSH_COMMAND="ssh -F /dev/null -i $key/ssh-privatekey -o IdentitiesOnly=yes -o GlobalKnownHostsFile=/dev/null"
    GIT_SSH_COMMAND="$GIT_SSH_COMMAND -o UserKnownHostsFile=$key/known_hosts -o StrictHostKeyChecking=yes"
    export GIT_SSH_COMMAND="$GIT_SSH_COMMAND -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=20"
fi

mkdir -p "$MIRROR_REPOSITORY"
exec 9>"$MIRROR_REPOSITORY.lock"
flock 9

# Nobody else writes here: what a killed run left half done is thrown away
find "$MIRROR_REPOSITORY" \( -name '*.lock' -o -name 'tmp_*' \) -type f -exec rm -f {} +
git init --quiet --bare "$MIRROR_REPOSITORY"
cd "$MIRROR_REPOSITORY"

# Branches and tags exactly as upstream has them, forced pushes and deletions too; all of it or nothing
bring() {
    head=$(git ls-remote --symref "$MIRROR_URL" HEAD) || return 1
    git fetch --quiet --atomic --prune --no-write-fetch-head "$MIRROR_URL" \
        '+refs/heads/*:refs/heads/*' '+refs/tags/*:refs/tags/*' || return 1
    head=$(say "$head" | sed -n 's/^ref: \(refs\/heads\/[^[:space:]]*\)[[:space:]]HEAD$/\1/p')
    [ -z "$head" ] || git symbolic-ref HEAD "$head"
    git gc --quiet --auto
}

commit_of() {
    if [ -z "$1" ]; then
        git for-each-ref --count=1 --sort=-committerdate --format='%(objectname)' refs/heads
        return
    fi
    for name in "refs/heads/$1" "refs/tags/$1"; do
        git rev-parse --quiet --verify --end-of-options "$name^{commit}" && return
    done
    case $1 in
        *[!0-9a-f]*) ;;
        ????????????????????????????????????????) git rev-parse --quiet --verify --end-of-options "$1^{commit}" || : ;;
    esac
}

answered=yes
words=$(bring 2>&1) || answered=no
[ "$answered" = yes ] || complain "$MIRROR_URL did not answer as a repository: ${words:-git ended without a word}"
found=$(commit_of "$wanted")
if [ -n "$found" ]; then
    [ "$answered" = yes ] || complain "what was fetched before is served"
    say "$found"
    exit 0
fi
if [ "$answered" = no ]; then
    complain "${wanted:-a first revision} is not in the mirror"
    exit 1
fi
complain "$MIRROR_URL has no branch, tag or commit ${wanted:-at all}; it has: $(git for-each-ref --count=8 --format='%(refname:short)' refs/heads refs/tags | tr '\n' ' ')"
exit 2
