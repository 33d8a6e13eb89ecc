#!/bin/sh
# The entry point of the image. `copy DIRECTORY` copies what lies beside this script into a volume: the
# injector with its boot files, and the agents that the image has. Anything else is a command.
#
# Processes may already run with what is in the volume. So the script writes into no file that is there: it leaves
# what is the same, and renames the rest into its place when it is complete.
set -eu

main() {
    # The application's container may run as another user.
    umask 022
    source=$(cd "$(dirname "$0")" && pwd)
    volume=$(cd "$1" && pwd)
    new=$(mktemp -d "$volume/.copy.XXXXXX")
    trap 'rm -rf "$new"' EXIT
    trap 'exit 1' HUP INT TERM
    for entry in "$source"/*; do
        if [ "$entry" = "$source/$(basename "$0")" ]; then
            continue
        elif [ -d "$entry" ] && [ ! -L "$entry" ]; then
            # An agent is a folder of versions, of which the volume may have others. `current`, which names one, is
            # the last.
            for part in "$entry"/*; do copy "${part#"$source"/}"; done
        else
            copy "${entry#"$source"/}"
        fi
    done
}

# copy NAME: a path below both folders.
copy() {
    if diff -rq --no-dereference "$source/$1" "$volume/$1" >/dev/null 2>&1; then return; fi
    mkdir -p "$(dirname "$volume/$1")"
    cp -R "$source/$1" "$new/new"
    # No folder can be renamed into the place of one that has files.
    if [ -d "$volume/$1" ] && [ ! -L "$volume/$1" ]; then mv "$volume/$1" "$new/old"; fi
    mv -fT "$new/new" "$volume/$1"
    rm -rf "$new/old"
}

if [ "${1-}" != copy ]; then
    exec "$@"
fi
if [ $# -ne 2 ] || [ ! -d "$2" ]; then
    echo "usage: copy DIRECTORY (it must exist)" >&2
    exit 2
fi
main "$2"
