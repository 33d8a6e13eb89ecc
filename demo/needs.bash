# What the demo needs of the machine. Debian's packages are installed where the demo may, elsewhere
# the command to type is printed.
#
# shellcheck shell=bash disable=SC2154 # root, cache, work and viewer_port are demo/run's

missing=()

# need COMMAND PACKAGE…: the Debian packages that bring a command.
need() {
    command -v "$1" >/dev/null || missing+=("${@:2}")
}

need_rust() {
    # Where rustup installs, which a shell knows only after the next login.
    PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
    command -v cargo >/dev/null ||
        fail "Rust is missing; type: curl --proto '=https' -sSf https://sh.rustup.rs | sh"
    need cc gcc libc6-dev
}

need_jdk() {
    if [[ -n ${JAVA_HOME:-} && -x $JAVA_HOME/bin/javac ]]; then
        PATH=$JAVA_HOME/bin:$PATH
    fi
    need javac default-jdk-headless
}

# The trace viewer needs this much.
require_java_17() {
    local version
    # Nothing but the version is on stdout, whatever JAVA_TOOL_OPTIONS makes a JVM say.
    version=$(javac -version 2>/dev/null)
    if [[ ! $version =~ ^javac\ ([0-9]+) ]] || ((BASH_REMATCH[1] < 17)); then
        fail "the JDK is too old (${version:-javac 1.8}), 17 is needed: set JAVA_HOME to a newer one"
    fi
}

# Installs what `need` found missing.
install_missing() {
    ((${#missing[@]})) || return 0
    command -v apt-get >/dev/null ||
        fail "missing: ${missing[*]} (Debian's names); install them with this system's package manager"
    ((EUID == 0)) ||
        fail "missing; type: sudo apt-get update && sudo apt-get install --yes ${missing[*]}"
    echo "  … installing ${missing[*]}"
    # Not in the background: a package manager is never stopped half-way.
    { apt-get update && apt-get install --yes --no-install-recommends "${missing[@]}"; } \
        >"$work/apt.log" 2>&1 </dev/null 9>&- ||
        fail "installing ${missing[*]} failed: $(reason "$work/apt.log") [$work/apt.log]"
}
