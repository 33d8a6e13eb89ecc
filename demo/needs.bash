# What the demo needs of the machine. Debian's packages are installed where the demo may, elsewhere
# the command to type is printed.
#
# shellcheck shell=bash disable=SC2154 # root, cache, work and viewer_port are demo/run's

# The missing commands, and the packages that bring them.
missing=()
packages=()

# need COMMAND PACKAGE…
need() {
    if ! command -v "$1" >/dev/null; then
        missing+=("$1")
        packages+=("${@:2}")
    fi
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
    version=$(javac -version 2>&1) || fail "javac does not run: ${version//$'\n'/; }"
    # The line before may be a JVM's word on JAVA_TOOL_OPTIONS.
    version=${version##*$'\n'}
    if [[ ! $version =~ ^javac\ ([0-9]+) ]] || ((BASH_REMATCH[1] < 17)); then
        fail "the JDK is too old ($version), 17 is needed: set JAVA_HOME to a newer one"
    fi
}

# A Python that makes virtual environments; Debian's own cannot without another package.
need_python() {
    if ! python3 -c 'import ensurepip, venv' &>/dev/null; then
        missing+=("python3 with venv")
        packages+=(python3-venv)
    fi
}

# The oldest version that the boot file starts an agent in.
require_python_3_8() {
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 8))' ||
        fail "Python is too old ($(python3 --version 2>&1)), 3.8 is needed: put a newer python3 first in PATH"
}

# The versions that the agent takes.
require_node_18() {
    local version
    version=$(node --version) || fail "node does not run: type node --version"
    if [[ ! $version =~ ^v([0-9]+)\.([0-9]+) ]] || ! {
        ((BASH_REMATCH[1] > 20)) || ((BASH_REMATCH[1] == 20 && BASH_REMATCH[2] >= 6)) ||
            ((BASH_REMATCH[1] == 18 && BASH_REMATCH[2] >= 19))
    }; then
        fail "Node.js is too old ($version), 18.19 or 20.6 is needed: put a newer node first in PATH"
    fi
}

# Installs what `need` found missing.
install_missing() {
    ((${#missing[@]})) || return 0
    command -v apt-get >/dev/null ||
        fail "missing: ${missing[*]}; install ${packages[*]} (Debian's names) with this system's package manager"
    ((EUID == 0)) ||
        fail "missing: ${missing[*]}; type: sudo apt-get update && sudo apt-get install --yes ${packages[*]}"
    echo "  … installing ${packages[*]}"
    # Not in the background: a package manager is never stopped half-way.
    { apt-get update && apt-get install --yes --no-install-recommends "${packages[@]}"; } \
        >"$work/apt.log" 2>&1 </dev/null 9>&- ||
        fail "installing ${packages[*]} failed: $(reason "$work/apt.log") [$work/apt.log]"
    hash -r
    local name
    for name in "${missing[@]}"; do
        command -v "${name%% *}" >/dev/null || fail "$name is installed, but not in a directory of PATH"
    done
}
