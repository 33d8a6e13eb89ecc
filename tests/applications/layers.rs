//! Where applications are installed and run: the machine's own files with a layer on top that takes all
//! writes (overlayfs), in namespaces of their own. The machine itself is never changed.
//!
//! An application has one layer of its own in the cache. Every run puts a fresh one on top of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{built, root};

/// Makes the layers that `$LAYERS` names, the lowest first, each a folder; goes into the last one, and
/// becomes `"$@"`. overlayfs wants no layer twice, so each layer is a file system of its own.
const SETUP: &str = r#"
set -e
mount --make-rprivate /
root=/
for layer in $LAYERS; do
    mkdir -p "$layer/upper" "$layer/work" "$layer/root"
    mount -t overlay overlay -o "lowerdir=$root,upperdir=$layer/upper,workdir=$layer/work" "$layer/root"
    root=$layer/root
done
mkdir -p "$root/srv"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/dev/shm"
mount --rbind /sys "$root/sys"
printf '%s\n' "$BINDS" | while IFS='>' read -r from to; do
    [ -e "$from" ] || continue
    if [ -d "$from" ]; then
        mkdir -p "$root$to"
    else
        mkdir -p "$root${to%/*}"
        : >"$root$to"
    fi
    mount --rbind "$from" "$root$to"
    mount -o remount,bind,ro "$root$to"
done
# An installation needs no index of manual pages.
rm -f "$root/var/lib/man-db/auto-update"
hostname applications
grep -qs applications "$root/etc/hosts" || echo '127.0.0.1 localhost applications' >>"$root/etc/hosts"
ip link set lo up
unset LAYERS BINDS
exec chroot "$root" "$@"
"#;

/// The folder of what this program keeps.
pub fn cache() -> PathBuf {
    root()
        .canonicalize()
        .expect("the repository")
        .join(".cache/applications")
}

/// A command that runs another one inside of layers. Only an installation sees the network.
pub fn inside(layers: &[&Path], network: bool, command: &[&str]) -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args([
        "--mount",
        "--pid",
        "--ipc",
        "--uts",
        "--fork",
        "--kill-child",
    ]);
    if !network {
        unshare.arg("--net").env_clear();
    }
    let layers: Vec<_> = layers
        .iter()
        .map(|layer| layer.to_str().expect("UTF-8"))
        .collect();
    let binds: Vec<_> = binds()
        .iter()
        .map(|(from, to)| format!("{}>{to}", from.display()))
        .collect();
    unshare
        .args(["sh", "-c", SETUP, "sh"])
        .args(command)
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .env("HOME", "/root")
        .env("LANG", "C.UTF-8")
        .env("LAYERS", layers.join(" "))
        .env("BINDS", binds.join("\n"));
    unshare
}

/// What is seen inside at which place, read-only: this program and its table, the object, the agents.
fn binds() -> Vec<(PathBuf, String)> {
    let tree = root().canonicalize().expect("the repository");
    let program = std::env::current_exe().expect("our own path");
    let programs = program
        .parent()
        .expect("a folder")
        .canonicalize()
        .expect("a folder");
    let own = |path: PathBuf| (path.clone(), path.display().to_string());
    let to = |from: PathBuf, name: &str| (from, format!("/usr/lib/opentelemetry/{name}"));
    vec![
        own(tree.join("tests")),
        own(programs),
        to(
            built().join("libopentelemetry_injector.so"),
            "injector/libopentelemetry_injector.so",
        ),
        to(built().join("boot"), "injector/boot"),
        to(java_agent(&tree), "java/opentelemetry-javaagent.jar"),
        to(tree.join(".cache/nodejs"), "nodejs"),
        to(cache().join("agents/python"), "python"),
        to(tree.join("tests/agents/ruby"), "ruby"),
        to(tree.join("tests/agents/php"), "php"),
        to(cache().join("agents/erlang"), "erlang"),
        to(cache().join("agents/dotnet"), "dotnet"),
        (tree.join(".cache/dotnet"), "/opt/dotnet".into()),
    ]
}

/// The newest of the agents that were fetched.
fn java_agent(tree: &Path) -> PathBuf {
    let entries = fs::read_dir(tree.join(".cache")).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_agent = |path: &PathBuf| path.to_string_lossy().contains("opentelemetry-javaagent-");
    paths.filter(is_agent).max().unwrap_or_default()
}
