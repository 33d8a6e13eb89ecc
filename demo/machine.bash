# The demo on this machine: Zipkin is the viewer. It takes no OTLP, so the project's own OTLP sink
# receives the spans and passes them on.
#
# shellcheck shell=bash disable=SC2154 # root, cache, work and viewer_port are demo/run's

readonly otlp_port=4318
readonly zipkin=$cache/zipkin-server-3.6.1-slim.jar
readonly injector=$root/target/release/libopentelemetry_injector.so
readonly sink=$root/target/debug/otlp-sink
readonly configuration=$work/configuration.toml
# The Python application's own virtual environment, and the agents by version of Python.
readonly venv=$work/venv
readonly python_agents=$work/python
# The services of a complete trace, for browser.bash.
# shellcheck disable=SC2034
readonly shown=(demo-client demo-server demo-stock demo-price)

need_for_place() {
    need_rust
    need_jdk
    need mvn maven
    need node nodejs
    need npm npm
    need_python
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
    require_node_18
    require_python_3_8
    work "building the injector" "$work/cargo.log" \
        env CARGO_TARGET_DIR="$root/target" scripts/build
    work "building the OTLP receiver" "$work/cargo.log" \
        cargo build --package opentelemetry-injector-tests --bin otlp-sink --target-dir "$root/target"
    work "fetching the Java agent" "$work/agent.log" scripts/fetch-java-agent
    work "fetching the Node.js agent" "$work/nodejs-agent.log" scripts/fetch-nodejs-agent
    make_venv
    fetch_python_agent
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

# What the Python application needs: Flask.
make_venv() {
    if ! "$venv/bin/python" -c 'import flask' &>/dev/null; then
        work "making a virtual environment" "$work/venv.log" python3 -m venv --clear "$venv"
        work "installing Flask in it" "$work/flask.log" "$venv/bin/python" -m pip install flask
    fi
}

# The agent for the version of Python in the virtual environment, which it stays out of. Of all
# instrumentations it holds the one for Flask.
fetch_python_agent() {
    local version
    version=$("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if [[ ! -d $python_agents/$version ]]; then
        rm -rf "$work/fetched"
        work "fetching the Python agent" "$work/python-agent.log" \
            "$venv/bin/python" -m pip install --target "$work/fetched" opentelemetry-distro \
            opentelemetry-exporter-otlp-proto-http opentelemetry-instrumentation-flask
        mkdir -p "$python_agents"
        mv "$work/fetched" "$python_agents/$version"
    fi
}

# archive CLASS: an ordinary jar. Its name is what the agent calls the service.
archive() {
    work "packing demo-${1,}.jar" "$work/jar.log" \
        jar --create --file "$work/demo-${1,}.jar" --main-class "$1" -C "$work/classes" "$1.class"
}

write_configuration() {
    local java_agent nodejs_agent
    java_agent=$(scripts/fetch-java-agent)
    nodejs_agent=$(scripts/fetch-nodejs-agent)
    cat >"$configuration" <<END
[jvm]
agent_path = "$java_agent"

[nodejs]
agent_path = "$nodejs_agent"

[python]
agent_path = "$python_agents/{version}"

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

    # The agent of Java names a service after its jar; the others ask for a name.
    start_injected "$work/price.log" OTEL_SERVICE_NAME=demo-price \
        "$venv/bin/python" demo/price.py 0
    await "starting the prices" 60 address price
    start_injected "$work/stock.log" OTEL_SERVICE_NAME=demo-stock \
        node demo/stock.js 0 "$(address price)"
    await "starting the stock" 60 address stock
    start_injected "$work/server.log" java -jar "$work/demo-server.jar" 0 "$(address stock)"
    await "starting the server" 180 address server
    start_injected "$work/client.log" java -jar "$work/demo-client.jar" "$(address server)"
}

# start_clean LOG [NAME=VALUE…] COMMAND…: in an environment that says nothing of agents, whatever the
# user's own says.
start_clean() {
    start_service "$1" env -i PATH="$PATH" HOME="$HOME" LANG="${LC_ALL:-${LANG:-C.UTF-8}}" "${@:2}"
}

# start_injected LOG [NAME=VALUE…] COMMAND…: these two variables are all that makes an application
# traced.
start_injected() {
    local injection=("LD_PRELOAD=$injector" "OPENTELEMETRY_INJECTOR_CONFIGURATION=$configuration")
    local line="${injection[*]} ${*:2}"
    echo "  \$ ${line//"$root"/\$PWD}"
    start_clean "$1" "${injection[@]}" "${@:2}"
}

viewer_answers() {
    curl --silent --fail --max-time 5 "http://127.0.0.1:$viewer_port/health"
}

# address APPLICATION: where it says that it listens.
address() {
    sed --quiet 's/^listening on //p' "$work/$1.log" | grep .
}

trace_ids() {
    curl --silent --fail --max-time 5 "http://127.0.0.1:$viewer_port/api/v2/traces?serviceName=demo-client" |
        grep --only-matching '"traceId":"[0-9a-f]*"' | cut -d '"' -f 4 | sort --unique
}

# trace_is_complete ID: every request has a span on either side.
trace_is_complete() {
    local trace side
    trace=$(curl --silent --fail --max-time 5 "http://127.0.0.1:$viewer_port/api/v2/trace/$1")
    for side in CLIENT:demo-{client,server,stock} SERVER:demo-{server,stock,price}; do
        [[ $trace =~ '"kind":"'${side%:*}'"'[^}]*'"serviceName":"'${side#*:}'"' ]] || return 1
    done
}

trace_url() {
    echo "http://localhost:$viewer_port/zipkin/traces/$1"
}

# Nothing outlives its process here.
clean_up() {
    :
}
