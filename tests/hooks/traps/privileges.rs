//! Programs with more rights than their user, or with fewer, in other roots and namespaces, the
//! object named by `/etc/ld.so.preload` in a mount namespace of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::alike::Answer::{Injected, Untouched};
use support::alike::Run;
use support::{Scene, allow_everybody, has, is_root, object, skip, succeed, with_own_mounts};

/// Gives this namespace an `/etc` of its own, with the preload file given in it, and starts the rest
/// of its command line.
const WITH_PRELOAD_FILE: &str = r#"
set -e
mkdir -p "$FOLDER/etc"
cp -a /etc/. "$FOLDER/etc/"
mount --bind "$FOLDER/etc" /etc
if test -n "$OBJECT"; then echo "$OBJECT" > /etc/ld.so.preload; else rm -f /etc/ld.so.preload; fi
exec "$@"
"#;

/// Runs a command plainly and with the object in the preload file, and compares; `answer` as in
/// `Scene::alike`.
fn with_preload_file(scene: &Scene, command: &[&str], answer: support::alike::Answer) -> Run {
    // Where other users may read it.
    let copy = scene.path("object.so");
    succeed(Command::new("cp").args([object(), copy.clone()]));
    let run = |object: &Path| {
        let mut unshare = with_own_mounts(WITH_PRELOAD_FILE);
        unshare
            .args(command)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", "/here")
            .env("FOLDER", scene.folder.path())
            .env("OBJECT", object)
            .env("OPENTELEMETRY_INJECTOR_CONFIGURATION", &scene.configuration);
        Run::of(&mut unshare)
    };
    let (plain, hooked) = (run(Path::new("")), run(&copy));
    let asks = plain.stdout.contains("watched: (null)");
    assert_eq!(asks, answer == Injected, "{command:?}: {plain:?}");
    let wanted = match answer {
        Injected => plain
            .stdout
            .replace("watched: (null)", &format!("watched: {}", scene.injected())),
        Untouched => plain.stdout.clone(),
    };
    let seen = (hooked.status, &hooked.stdout, &hooked.stderr);
    assert_eq!(seen, (plain.status, &wanted, &plain.stderr), "{command:?}");
    plain
}

const NOBODY: [&str; 4] = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
];

fn may_unshare() -> bool {
    is_root() && has("unshare") && has("setpriv")
}

/// An asking program, linked so that it needs nothing that other users cannot read.
fn asking(scene: &Scene) -> PathBuf {
    scene.trap("own_maps_refused", &[])
}

#[test]
fn everything_in_a_namespace_with_a_preload_file_is_the_same() {
    if !may_unshare() {
        skip!("a mount namespace and another user need root, unshare and setpriv");
    }
    let scene = Scene::new();
    let asking = asking(&scene);
    let asking = asking.to_str().unwrap();
    with_preload_file(&scene, &[asking], Injected);
    with_preload_file(&scene, &[&NOBODY[..], &[asking]].concat(), Injected);
    // As cron starts its jobs.
    let configuration = format!(
        "OPENTELEMETRY_INJECTOR_CONFIGURATION={}",
        scene.configuration.display()
    );
    let cron = [
        "env",
        "-i",
        "SHELL=/bin/sh",
        "HOME=/root",
        "LOGNAME=root",
        "PATH=/usr/bin:/bin",
    ];
    let job = format!("cd / && {asking}; exit 3");
    let plain = with_preload_file(
        &scene,
        &[&cron[..], &[&configuration, "sh", "-c", &job]].concat(),
        Injected,
    );
    assert_eq!(plain.status.code(), Some(3));
    // With nothing at all in its environment.
    with_preload_file(
        &scene,
        &[
            "env",
            "-i",
            "/bin/sh",
            "-c",
            "echo $0; ls / | head -1; exit 5",
        ],
        Untouched,
    );
}

#[test]
fn programs_with_capabilities_of_their_own_are_left_alone() {
    if !may_unshare() || !has("setcap") {
        skip!("file capabilities need root, unshare, setpriv and setcap");
    }
    let scene = Scene::new();
    let ask = scene.compile("ask");
    let mut setcap = Command::new("setcap");
    if !setcap
        .arg("cap_net_raw+ep")
        .arg(&ask)
        .status()
        .is_ok_and(|status| status.success())
    {
        skip!("this file system has no capabilities");
    }
    let command = [
        &NOBODY[..],
        &[ask.to_str().unwrap(), "JAVA_TOOL_OPTIONS", "HOME"],
    ]
    .concat();
    let plain = with_preload_file(&scene, &command, Untouched);
    // secure_getenv shows that the kernel did raise AT_SECURE.
    let wanted = "JAVA_TOOL_OPTIONS=(null)\nHOME=/here\nsecure_getenv differs: (null)\n";
    assert_eq!(plain.stdout, wanted);
}

#[test]
fn programs_that_change_their_user_are_the_same() {
    if !may_unshare() {
        skip!("a mount namespace and another user need root, unshare and setpriv");
    }
    let scene = Scene::new();
    let asking = asking(&scene);
    let asking = asking.to_str().unwrap();
    let keep = format!("{asking}; exit 6");
    for command in [
        vec!["su", "-s", "/bin/sh", "-m", "nobody", "-c", &keep],
        vec!["runuser", "-u", "nobody", "--", asking],
        vec!["sudo", "-n", "-E", "-u", "nobody", asking],
        vec!["unshare", "-U", "--map-root-user", asking],
        [
            &NOBODY[..],
            &["unshare", "-U", "--map-root-user", "sh", "-c", &keep],
        ]
        .concat(),
    ] {
        if has(command[0]) {
            with_preload_file(&scene, &command, Injected);
        }
    }
}

#[test]
fn a_root_without_proc_and_etc_is_enough() {
    if !is_root() || !has("chroot") || !has("ldd") {
        skip!("another root needs root, chroot and ldd");
    }
    let scene = Scene::new();
    let ask = scene.trap("own_maps_refused", &[]);
    let other = scene.path("root");
    let put = |path: &Path| {
        let to = other.join(path.strip_prefix("/").unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        succeed(Command::new("cp").arg("-L").arg(path).arg(to));
    };
    put(&ask);
    put(&object());
    put(&scene.configuration);
    put(Path::new(&scene.agent));
    let libraries = succeed(Command::new("ldd").arg(&ask));
    for library in libraries
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
    {
        put(Path::new(library));
    }
    allow_everybody(&other);
    scene.alike_on(
        &["direct", "auto"],
        Path::new("chroot"),
        Injected,
        |command| {
            command.arg(&other).arg(&ask);
        },
    );
    // Not even the configuration is there: nothing is injected, and nothing is said.
    fs::remove_file(other.join(scene.configuration.strip_prefix("/").unwrap())).unwrap();
    scene.alike_on(
        &["direct", "auto"],
        Path::new("chroot"),
        Untouched,
        |command| {
            command.arg(&other).arg(&ask);
        },
    );
    fs::set_permissions(&other, fs::Permissions::from_mode(0o755)).unwrap();
}
