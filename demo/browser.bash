# The check that a trace is on the viewer's page, as a browser shows it.
#
# shellcheck shell=bash disable=SC2154 # root, cache, work and viewer_port are demo/run's, shown the place's

need_browser() {
    find_browser >/dev/null || need chromium chromium fonts-liberation
}

find_browser() {
    local name
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        command -v "$name" && return
    done
    return 1
}

# check_page URL SCREENSHOT: every service must be in the page as its scripts have made it.
check_page() {
    local service page=$work/page.html profile=$work/browser
    # A new profile, and nothing that reaches for the network.
    rm -rf "$profile" "$2"
    work "loading the trace's page" "$page" timeout 180 "$(find_browser)" \
        --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
        --disable-background-networking --disable-component-update --disable-sync \
        --user-data-dir="$profile" --window-size=1280,720 --hide-scrollbars \
        --virtual-time-budget=10000 --dump-dom --screenshot="$2" "$1"
    rm -rf "$profile"
    for service in "${shown[@]}"; do
        grep --quiet --fixed-strings "$service" "$page" || fail "$1 does not show $service [$page]"
    done
    [[ -s $2 ]] || fail "the browser saved no screenshot [$page]"
    echo "  ✓ $1 shows ${shown[*]} [$2]"
}
