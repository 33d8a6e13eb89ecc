# Starting, waiting for and stopping processes.
#
# Each process leads a process group of its own: nothing that it started in turn is left, and a Ctrl-C
# in the terminal reaches the demo alone, which then stops all the others.
#
# shellcheck shell=bash disable=SC2154 # root, cache, work and viewer_port are demo/run's

# What runs until the demo ends: the log of each process, by its id.
declare -A services=()

# start LOG COMMAND…: starts a command in the background; its id is in $!.
start() {
    local log=$1
    shift
    # The background process empties it too late for who reads it right away.
    : >"$log"
    # It ends with the demo even where the demo is killed. Descriptor 9 is the lock: no process
    # that outlives the demo may hold it.
    setsid setpriv --pdeathsig TERM -- "$@" >"$log" 2>&1 </dev/null 9>&- &
}

# start_service LOG COMMAND…: the same for what runs until the demo ends.
start_service() {
    start "$@"
    services[$!]=$1
}

# stop_processes: ends all that was started and still runs, the latest first: applications deliver
# their last spans before the receiver goes.
stop_processes() {
    local limit=$((SECONDS + 15)) pid
    # Not from a list of our own: a signal may come between a start and its entry there.
    for pid in $(jobs -p | tac); do
        # To itself alone: it knows how to end what it started, and in which order.
        kill -TERM "$pid" 2>/dev/null || true
        while kill -0 "$pid" 2>/dev/null && ((SECONDS < limit)); do
            sleep 0.1
        done
        kill -KILL -- "-$pid" 2>/dev/null || true
    done
}

# work WHAT LOG COMMAND…: runs a command to its end, with a line that shows that it lives.
work() {
    local what=$1 log=$2 begin=$SECONDS pid
    shift 2
    start "$log" "$@"
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        progress "$what" "$begin" "$(tail -n 1 "$log")"
        sleep 0.2
    done
    wait "$pid" || fail "$what failed: $(reason "$log") [$log]"
    done_line "$what" "$begin"
}

# await WHAT SECONDS COMMAND…: waits until a command succeeds, as long as every service runs.
await() {
    local what=$1 limit=$2 begin=$SECONDS
    shift 2
    until "$@" >/dev/null; do
        require_services
        ((SECONDS - begin < limit)) || fail "$what: nothing in $limit s; the logs are in $work"
        progress "$what" "$begin" ''
        sleep 0.2
    done
    done_line "$what" "$begin"
}

# await_end: stays until a service ends, which none does by itself.
await_end() {
    wait -n || true
    require_services
}

require_services() {
    local pid
    for pid in "${!services[@]}"; do
        kill -0 "$pid" 2>/dev/null || fail "a process ended: $(reason "${services[$pid]}") [${services[$pid]}]"
    done
}

readonly common_reasons='No space left on device|Address already in use|Permission denied|'\
'Unknown host [^ ]+|Could not resolve host[^)]*|Connection refused|Connection timed out'

# reason LOG: what a log says best of why a command failed: a reason that needs no more words, else
# the first line that is called an error, else the last line.
reason() {
    if [[ -s $1 ]]; then
        grep --max-count 1 --only-matching --extended-regexp --ignore-case "$common_reasons" "$1" ||
            grep --max-count 1 --extended-regexp --ignore-case '^(\[error\]|error|E:)' "$1" ||
            tail -n 1 "$1"
    else
        echo "it said nothing; is the disk full?"
    fi
}

progress_line=false
readonly first_sign_of_life=10
next_sign_of_life=$first_sign_of_life

# progress WHAT BEGIN DETAIL: on a terminal one line that changes; elsewhere, such as in CI, a line
# now and then.
progress() {
    local seconds=$((SECONDS - $2)) detail
    read -r detail <<<"$3" || true
    if [[ -t 1 ]]; then
        printf '\r\033[K  … %s, %d s  %.35s' "$1" "$seconds" "$detail"
        progress_line=true
    elif ((seconds >= next_sign_of_life)); then
        printf '  … %s, %d s\n' "$1" "$seconds"
        next_sign_of_life=$((seconds + 30))
    fi
}

done_line() {
    end_progress_line
    printf '  ✓ %s (%d s)\n' "$1" $((SECONDS - $2))
}

end_progress_line() {
    if $progress_line; then
        printf '\r\033[K'
    fi
    progress_line=false
    next_sign_of_life=$first_sign_of_life
}
