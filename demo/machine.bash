# The demo on this machine: Zipkin is the viewer. It takes no OTLP, so the project's own OTLP sink
# receives the spans and passes them on.
#
# shellcheck shell=bash disable=SC2154 # root, cache, work and viewer_port are demo/run's

readonly otlp_port=4318
readonly zipkin=$cache/zipkin-server-3.6.1-slim.jar
readonly injector=$root/target/release/libopentelemetry_injector.so
readonly sink=$root/target/debug/otlp-sink
readonly configuration=$work/configuration.toml

need_for_place() {
    need_rust
    need_jdk
    need mvn maven
    need curl curl
    # Both LD_PRELOAD and -javaagent end a path there.
    if [[ $root =~ [[:space:]:=] ]]; then
        fail "LD_PRELOAD cannot hold the path of this checkout: $root has a space, a colon or an equals sign"
    fi
}

require_free_ports() {
    require_free_port "$viewer_port"
    require_free_port "$otlp_port"
}

prepare() {
    require_java_17
    work "building the injector" "$work/cargo.log" \
        cargo build --release --target-dir "$root/target"
    work "building the OTLP receiver" "$work/cargo.log" \
        cargo build --package opentelemetry-injector-tests --bin otlp-sink --target-dir "$root/target"
    work "fetching the Java agent" "$work/agent.log" scripts/fetch-java-agent
    fetch_zipkin
    work "compiling the applications" "$work/javac.log" \
        javac -d "$work/classes" demo/Server.java demo/Client.java
    archive Server
    archive Client
    write_configuration
    work "checking the injector's configuration" "$work/check.log" \
        target/release/opentelemetry-injector check "$configuration"
}

fetch_zipkin() {
    if [[ ! -s $zipkin ]]; then
        # Moved when complete: half a file would be taken for the whole one the next time.
        rm -rf "$work/fetched"
        work "fetching the trace viewer" "$work/zipkin-fetch.log" \
            mvn --batch-mode -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
            -Dartifact=io.zipkin:zipkin-server:3.6.1:jar:slim -DoutputDirectory="$work/fetched"
        mv "$work/fetched/${zipkin##*/}" "$zipkin"
    fi
}

# archive CLASS: an ordinary jar. Its name is what the agent calls the service.
archive() {
    work "packing demo-${1,}.jar" "$work/jar.log" \
        jar --create --file "$work/demo-${1,}.jar" --main-class "$1" -C "$work/classes" "$1.class"
}

write_configuration() {
    local agent
    agent=$(scripts/fetch-java-agent)
    cat >"$configuration" <<END
[jvm]
agent_path = "$agent"

[environment]
OTEL_EXPORTER_OTLP_ENDPOINT = "http://127.0.0.1:$otlp_port"
# Traces alone: the viewer shows nothing else.
OTEL_METRICS_EXPORTER = "none"
OTEL_LOGS_EXPORTER = "none"
# One second instead of five: a trace is seen sooner.
OTEL_BSP_SCHEDULE_DELAY = "1000"
END
}

start_all() {
    start_clean "$work/zipkin.log" java -Xmx256m -jar "$zipkin" \
        '--armeria.ports[0].ip=127.0.0.1' "--armeria.ports[0].port=$viewer_port" \
        '--armeria.ports[0].protocols[0]=http'
    start_clean "$work/spans.jsonl" "$sink" --listen "127.0.0.1:$otlp_port" \
        --forward-zipkin "http://127.0.0.1:$viewer_port/api/v2/spans"
    await "starting the trace viewer" 180 viewer_answers
    await "starting the OTLP receiver" 10 grep listening "$work/spans.jsonl"

    start_injected "$work/server.log" java -jar "$work/demo-server.jar" 0
    await "starting the server" 180 server_address
    start_injected "$work/client.log" java -jar "$work/demo-client.jar" "$(server_address)"
}

# start_clean LOG [NAME=VALUE…] COMMAND…: in an environment that says nothing of agents, whatever the
# user's own says.
start_clean() {
    start_service "$1" env -i PATH="$PATH" HOME="$HOME" LANG="${LC_ALL:-${LANG:-C.UTF-8}}" "${@:2}"
}

# start_injected LOG COMMAND…: these two variables are all that an application gets.
start_injected() {
    local injection=("LD_PRELOAD=$injector" "OPENTELEMETRY_INJECTOR_CONFIGURATION=$configuration")
    local line="${injection[*]} ${*:2}"
    echo "  \$ ${line//"$root"/\$PWD}"
    start_clean "$1" "${injection[@]}" "${@:2}"
}

viewer_answers() {
    curl --silent --fail --max-time 5 "http://127.0.0.1:$viewer_port/health"
}

server_address() {
    sed --quiet 's/^listening on //p' "$work/server.log" | grep .
}

trace_ids() {
    curl --silent --fail --max-time 5 "http://127.0.0.1:$viewer_port/api/v2/traces?serviceName=demo-client" |
        grep --only-matching '"traceId":"[0-9a-f]*"' | cut -d '"' -f 4 | sort --unique
}

# trace_is_complete ID: one line per span, then the client's and the server's.
trace_is_complete() {
    local trace
    trace=$(curl --silent --fail --max-time 5 "http://127.0.0.1:$viewer_port/api/v2/trace/$1")
    [[ $trace =~ '"kind":"CLIENT"'[^}]*'"serviceName":"demo-client"' ]] &&
        [[ $trace =~ '"kind":"SERVER"'[^}]*'"serviceName":"demo-server"' ]]
}

trace_url() {
    echo "http://localhost:$viewer_port/zipkin/traces/$1"
}

# Nothing outlives its process here.
clean_up() {
    :
}
