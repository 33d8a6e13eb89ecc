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
    remove_what_killed_copies_left
    new=$(mktemp -d "$volume/.copy.XXXXXX")
    trap 'rm -rf "$new"' EXIT
    trap 'exit 1' HUP INT TERM
    for entry in "$source"/*; do
        if [ "$entry" = "$source/$(basename "$0")" ]; then
            continue
        elif [ -d "$entry" ] && [ ! -L "$entry" ]; then
            # An agent is a folder of versions, of which the volume may have others. `current`, which names one, is
            # the last.
            for part in "$entry"/*; do
                # The pattern itself, where the folder is empty.
                [ -e "$part" ] || [ -L "$part" ] || continue
                copy "${part#"$source"/}"
            done
        else
            copy "${entry#"$source"/}"
        fi
    done
}

# No copy takes a day. Another user's folder cannot be removed, and stays.
remove_what_killed_copies_left() {
    find "$volume" -maxdepth 1 -type d -name '.copy.??????' -mmin +1440 -exec rm -rf {} + 2>/dev/null || true
}

# copy NAME: a path below both folders.
copy() {
    if diff -rq --no-dereference "$source/$1" "$volume/$1" >/dev/null 2>&1; then return; fi
    mkdir -p "$(dirname "$volume/$1")"
    cp -R "$source/$1" "$new/new"
    put_into_place "$1"
    rm -rf "$new/old"
}

# put_into_place NAME: no folder can be renamed into the place of one that has files, so that one goes first. A signal
# in between must not end the script, which would remove both. This shell is another one, which ignores signals; the
# script itself takes them when it has ended.
put_into_place() (
    trap '' HUP INT TERM
    if [ -d "$volume/$1" ] && [ ! -L "$volume/$1" ]; then mv "$volume/$1" "$new/old"; fi
    if ! mv -fT "$new/new" "$volume/$1"; then
        [ ! -e "$new/old" ] || mv -T "$new/old" "$volume/$1"
        exit 1
    fi
)

if [ "${1-}" != copy ]; then
    exec "$@"
fi
if [ $# -ne 2 ] || [ ! -d "$2" ]; then
    echo "usage: copy DIRECTORY (it must exist)" >&2
    exit 2
fi
main "$2"
