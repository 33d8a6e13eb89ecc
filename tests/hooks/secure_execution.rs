//! Set-id programs under `/etc/ld.so.preload`, in a mount namespace of their own: nothing is read,
//! told or hooked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use support::{Scene, has, is_root, object, skip, stderr, stdout, with_own_mounts};

/// A shell script that gives this namespace an `/etc` of its own and a preload file in it, then
/// becomes another user.
const PRIVATE_PRELOAD: &str = r#"
set -e
mkdir "$FOLDER/etc"
cp -a /etc/. "$FOLDER/etc/"
mount --bind "$FOLDER/etc" /etc
echo "$OBJECT" > /etc/ld.so.preload
exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
"#;

#[test]
fn a_set_id_program_is_left_alone_and_others_are_not() {
    if !is_root() || !has("unshare") || !has("setpriv") {
        skip!("a mount namespace and another user need root, unshare and setpriv");
    }
    let scene = Scene::new();
    let copy = scene.path("object.so");
    fs::copy(object(), &copy).unwrap();
    let plain = scene.compile("ask");
    let run = |set_id: bool| {
        let mode = if set_id { 0o4755 } else { 0o755 };
        fs::set_permissions(&plain, fs::Permissions::from_mode(mode)).unwrap();
        let _ = fs::remove_dir_all(scene.path("etc"));
        let mut command = with_own_mounts(PRIVATE_PRELOAD);
        command
            .env("FOLDER", scene.folder.path())
            .env("OBJECT", &copy);
        command.env("OPENTELEMETRY_INJECTOR_CONFIGURATION", &scene.configuration);
        command.env("OPENTELEMETRY_INJECTOR_DEBUG", "true");
        command.env("HOME", "/here");
        command
            .arg(&plain)
            .args(["JAVA_TOOL_OPTIONS", "HOME"])
            .output()
            .unwrap()
    };

    let ordinary = run(false);
    let value = scene.injected();
    assert_eq!(
        stdout(&ordinary),
        format!("JAVA_TOOL_OPTIONS={value}\nHOME=/here\n")
    );
    assert!(stderr(&ordinary).contains("java]: engine direct: getenv hooked"));

    let set_id = run(true);
    // secure_getenv answers NULL there, which shows that the kernel did set AT_SECURE.
    let wanted = "JAVA_TOOL_OPTIONS=(null)\nHOME=/here\nsecure_getenv differs: (null)\n";
    assert_eq!(stdout(&set_id), wanted, "{}", stderr(&set_id));
    assert!(!stderr(&set_id).contains("java]"), "{}", stderr(&set_id));
}
