#!/bin/sh
# The entry point of the image. `copy DIRECTORY` copies what lies beside this script into a volume: the
# injector with its boot files, and the agents that the image has. Anything else is a command.
set -eu

if [ "${1-}" != copy ]; then
    exec "$@"
fi
if [ $# -ne 2 ] || [ ! -d "$2" ]; then
    echo "usage: copy DIRECTORY (it must exist)" >&2
    exit 2
fi
# The application's container may run as another user.
umask 022
for entry in "$(dirname "$0")"/*; do
    [ "$entry" = "$0" ] || cp -R "$entry" "$2/"
done
