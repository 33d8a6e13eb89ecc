# The demo in containers, with the Java applications alone: Jaeger is the viewer and takes OTLP itself.
#
# shellcheck shell=bash disable=SC2154 # root, cache, work and viewer_port are demo/run's

# The services of a complete trace, for browser.bash.
# shellcheck disable=SC2034
readonly shown=(demo-client demo-server)

# A project of this copy's own: stopping it stops no other copy's containers.
readonly project=opentelemetry-injector-demo-$$
readonly compose=(docker compose --project-name "$project" --file "$root/demo/compose.yaml")

need_for_place() {
    docker_is_there || fail "--docker needs a running Docker engine and Docker Compose: type docker info and docker compose version"
    need curl curl
}

require_free_ports() {
    require_free_port "$viewer_port"
}

prepare() {
    work "building the images" "$work/build.log" "${compose[@]}" --progress plain build
    work "pulling the trace viewer" "$work/pull.log" "${compose[@]}" pull --policy missing jaeger
}

start_all() {
    echo "  $ ${compose[*]//"$root"/\$PWD} up"
    containers_started=true
    work "starting the containers" "$work/up.log" "${compose[@]}" up --no-build --detach
    # Docker's client before version 25 hands SIGTERM on to none of its plug-ins, and goes on as long as they do.
    # shellcheck disable=SC2016 # the other shell expands it
    start_service "$work/compose.log" bash -c '"$@" & trap "trap - TERM; kill 0" TERM; wait' all \
        "${compose[@]}" logs --follow --no-color
    await "starting the trace viewer" 180 viewer_answers
}

viewer_answers() {
    curl --silent --fail --max-time 5 "http://127.0.0.1:$viewer_port/"
}

# Jaeger answers in OTLP's JSON. It wants a range of time, so it gets one that holds every trace. Releases before 2.19
# know the second name of each parameter alone; both names may be given.
trace_ids() {
    local min=2000-01-01T00:00:00Z max=2100-01-01T00:00:00Z query
    query="query.serviceName=demo-client&query.searchDepth=10&query.startTimeMin=$min&query.startTimeMax=$max"
    query+="&query.service_name=demo-client&query.num_traces=10&query.start_time_min=$min&query.start_time_max=$max"
    jaeger "traces?$query" |
        grep --only-matching '"traceId":"[0-9a-f]*"' | cut -d '"' -f 4 | sort --unique
}

# trace_is_complete ID
trace_is_complete() {
    local trace service='"key":"service.name","value":{"stringValue":'
    trace=$(jaeger "traces/$1")
    # Kinds 2 and 3 are SERVER and CLIENT.
    [[ $trace == *'"kind":2'* && $trace == *'"kind":3'* &&
        $trace == *"$service"'"demo-server"'* && $trace == *"$service"'"demo-client"'* ]]
}

jaeger() {
    curl --silent --fail --max-time 10 "http://127.0.0.1:$viewer_port/api/v3/$1"
}

trace_url() {
    echo "http://localhost:$viewer_port/trace/$1"
}

containers_started=false

# Containers, network and volume outlive the process that started them.
clean_up() {
    if $containers_started; then
        "${compose[@]}" down --volumes --timeout 5 >>"$work/compose.log" 2>&1 ||
            echo "demo: containers may be left; type: docker compose --project-name $project down --volumes" >&2
    fi
}
