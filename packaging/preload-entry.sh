# Part of every maintainer script: the preload object's entry in /etc/ld.so.preload.
#
# The entry is removed while a package's files are replaced or removed, so that no program loads an
# object that is missing, from another build than its boot files, or not yet tried.
# `opentelemetry-injector install` tries the object and adds the entry again. After an upgrade of libc,
# `install --retry` does the same.

PRELOAD_FILE=/etc/ld.so.preload
OBJECT=libopentelemetry_injector\\.so
FOLDER=/usr/lib/opentelemetry/injector/
# The entries to add again, one path per line.
TAKEN_OUT=/var/lib/opentelemetry-injector/taken-out-of-ld.so.preload

# What `install --at-boot` and `install --apparmor` write.
UNIT=opentelemetry-injector.service
UNITS=/etc/systemd/system
APPARMOR=/etc/apparmor.d/abstractions/base.d/opentelemetry-injector

TAB=$(printf '\t')
CR=$(printf '\r')

# The entries that name the object in any folder.
entries() {
    [ -f "$PRELOAD_FILE" ] || return 0
    LC_ALL=C sed 's/#.*//' "$PRELOAD_FILE" | tr " $TAB:" '[\n*]' |
        LC_ALL=C grep -E "(^|/)$OBJECT$CR?\$" || true
}

# Saves the entries and removes them. Fails if one of them is still there.
take_out() {
    [ -n "$(entries)" ] || return 0
    mkdir -p "${TAKEN_OUT%/*}"
    entries | tr -d "$CR" >"$TAKEN_OUT"
    opentelemetry-injector uninstall --keep-at-boot >/dev/null 2>&1 || true
    [ -z "$(entries)" ] || take_out_by_hand "([^ $TAB:#]*/)?"
    [ -z "$(entries)" ] && return 0
    echo "opentelemetry-injector: $PRELOAD_FILE still names the preload object: remove the entry" >&2
    return 1
}

# The same without the command, for entries whose folder matches a pattern. An entry is replaced by
# blanks, because glibc finds the ends of comments by the file's length. glibc also reads words of
# comments as entries, so matching words of comments are replaced, too.
take_out_by_hand() {
    [ -f "$PRELOAD_FILE" ] || return 0
    file=$(readlink -f "$PRELOAD_FILE")
    # A unique name; the next run of the command removes the file if this run is killed.
    new=$(mktemp "${file%/*}/.ld.so.preload.opentelemetry-injector.XXXXXX") || return 1
    without_blank_lines=
    grep -q '#' "$file" || without_blank_lines="/^[ $TAB]*\$/d"
    # Mark an entry with a line feed on each side (no line contains one), then blank it from the left.
    LC_ALL=C sed -E "
        :entry
        s%(^|[ $TAB:#])($1$OBJECT$CR?)([ $TAB:#]|\$)%\\1\\n\\2\\n\\4%
        t blank
        b
        :blank
        s%\\n( *)[^ \\n]([^\\n]*\\n)%\\n\\1 \\2%
        t blank
        s%\\n%%g
        t again
        :again
        s%(^|[ $TAB:#])($1$OBJECT$CR?)([ $TAB:#]|\$)%&%
        t entry
        $without_blank_lines
    " "$file" >"$new" || return 1
    if [ -s "$new" ]; then
        chmod 644 "$new" && sync && mv -f "$new" "$file" || return 1
        # Restore SELinux's label, if SELinux is installed.
        restorecon "$file" 2>/dev/null || true
    else
        rm -f "$new" "$file"
    fi
}

# Adds the saved entries again. The command refuses some objects and prints the reason.
put_back() {
    [ -f "$TAKEN_OUT" ] || return 0
    while read -r entry; do
        # The entry was there before, so its user has already accepted what goes with it.
        opentelemetry-injector install --accept-32-bit-errors --accept-other-injectors \
            --object "$entry" >/dev/null ||
            echo "opentelemetry-injector: $entry is no longer in $PRELOAD_FILE" >&2
    done <"$TAKEN_OUT"
    forget
}

# Tries the object again after libc has changed, and says in a line what came of it. The command removes the
# entry, and adds it again if the trial succeeds. Never fails: the package manager is in the middle of its work.
retry() {
    [ -n "$(entries)" ] || return 0
    if opentelemetry-injector install --retry --accept-32-bit-errors --accept-other-injectors >/dev/null; then
        echo "opentelemetry-injector: libc has changed; the object was tried again and stays in $PRELOAD_FILE"
        return 0
    fi
    # Otherwise the command has said why it has removed the entry.
    [ -n "$(entries)" ] || return 0
    take_out_by_hand "([^ $TAB:#]*/)?" || true
    if [ -z "$(entries)" ]; then
        echo "opentelemetry-injector: libc has changed, and the object could not be tried: its entry was removed" \
            "from $PRELOAD_FILE" >&2
    else
        echo "opentelemetry-injector: libc has changed, and $PRELOAD_FILE still names the preload object, which" \
            "does not work or could not be tried: remove the entry" >&2
    fi
}

# Ends the unit while its command is there.
stop_unit() {
    [ ! -d /run/systemd/system ] || systemctl stop "$UNIT" 2>/dev/null || true
}

# A unit that the command has written begins as the package's does.
forget_unit() {
    rm -f "$UNITS/basic.target.wants/$UNIT"
    ! grep -qs '^# Of the OpenTelemetry injector:' "$UNITS/$UNIT" || rm -f "$UNITS/$UNIT"
    [ ! -d /run/systemd/system ] || systemctl daemon-reload || true
}

forget() {
    rm -f "$TAKEN_OUT"
    rmdir "${TAKEN_OUT%/*}" 2>/dev/null || true
}

# Runs when the files are gone: removes an entry that was added again in the time between.
clean_up() {
    forget
    [ ! -e "${FOLDER}libopentelemetry_injector.so" ] || return 0
    take_out_by_hand "$FOLDER(\\\$LIB/)?"
    forget_unit
    rm -f "$APPARMOR"
}
