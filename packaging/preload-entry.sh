# Part of every maintainer script: the preload object's entry in /etc/ld.so.preload.
#
# While a package's files are being replaced or removed the entry is not there, so that no program
# can meet an object that is missing, half of a pair, or not yet tried. It is put back by
# `opentelemetry-injector install`, which tries the object first.

PRELOAD_FILE=/etc/ld.so.preload
OBJECT=libopentelemetry_injector\\.so
FOLDER=/usr/lib/opentelemetry/injector/
# What is to be put back, one path a line.
TAKEN_OUT=/var/lib/opentelemetry-injector/taken-out-of-ld.so.preload

TAB=$(printf '\t')
CR=$(printf '\r')

# The entries that name the object in any folder.
entries() {
    [ -f "$PRELOAD_FILE" ] || return 0
    LC_ALL=C sed 's/#.*//' "$PRELOAD_FILE" | tr " $TAB:" '[\n*]' |
        LC_ALL=C grep -E "(^|/)$OBJECT$CR?\$" || true
}

# Remembers the entries and takes them out. Fails where one is left.
take_out() {
    [ -n "$(entries)" ] || return 0
    mkdir -p "${TAKEN_OUT%/*}"
    entries | tr -d "$CR" >"$TAKEN_OUT"
    opentelemetry-injector uninstall >/dev/null 2>&1 || true
    [ -z "$(entries)" ] || take_out_by_hand "([^ $TAB:#]*/)?"
    [ -z "$(entries)" ] && return 0
    echo "opentelemetry-injector: $PRELOAD_FILE still names the preload object: take it out" >&2
    return 1
}

# The same without the command, for entries whose folder matches a pattern. Blanks take the place
# of an entry: where the file has comments, glibc finds their ends by its length. It also takes
# words of comments for entries, so they are not spared.
take_out_by_hand() {
    [ -f "$PRELOAD_FILE" ] || return 0
    file=$(readlink -f "$PRELOAD_FILE")
    # A name of its own, which the next run of the command would remove.
    new=$(mktemp "${file%/*}/.ld.so.preload.opentelemetry-injector.XXXXXX") || return 1
    without_blank_lines=
    grep -q '#' "$file" || without_blank_lines="/^[ $TAB]*\$/d"
    # An entry is set between two line feeds, which no line has, and blanked from the left.
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
        # The label that SELinux's policy has for it, where there is SELinux.
        restorecon "$file" 2>/dev/null || true
    else
        rm -f "$new" "$file"
    fi
}

# Puts back what was taken out. What the command refuses stays out: it says why.
put_back() {
    [ -f "$TAKEN_OUT" ] || return 0
    while read -r entry; do
        # Whoever had the entry has accepted what programs of 32 bits say.
        opentelemetry-injector install --accept-32-bit-errors --object "$entry" >/dev/null ||
            echo "opentelemetry-injector: $entry is no longer in $PRELOAD_FILE" >&2
    done <"$TAKEN_OUT"
    forget
}

forget() {
    rm -f "$TAKEN_OUT"
    rmdir "${TAKEN_OUT%/*}" 2>/dev/null || true
}

# The files have gone: an entry that has come back meanwhile goes, too.
clean_up() {
    forget
    [ -e "${FOLDER}libopentelemetry_injector.so" ] || take_out_by_hand "$FOLDER()"
}
