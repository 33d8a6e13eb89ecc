//! A place in which a program can do nothing that matters: mounts of its own, all read-only but for
//! fresh folders; no devices, no network, no other processes; few capabilities.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the object, the configuration and the runner are inside.
pub const STAGE: &str = "/mnt";

/// Folders that are empty before every run.
pub const FRESH: [&str; 5] = ["/tmp", "/run", "/root", "/home", "/var/tmp"];

/// Makes the sandbox around this very shell, then becomes the runner. `$STAGE` and `$RUNNER` are
/// outside, the arguments are the runner's.
const SETUP: &str = r#"
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
cp -a "$STAGE"/. /mnt/
cp -a /etc /mnt/etc
mkdir -p /mnt/etc/opentelemetry/injector /mnt/dev
rm -f /mnt/etc/ld.so.preload
mount --bind /mnt/etc /etc
for device in null zero full random urandom; do
    touch /mnt/dev/$device
    mount --bind /dev/$device /mnt/dev/$device
done
ln -s /proc/self/fd /mnt/dev/fd
ln -s /proc/self/fd/0 /mnt/dev/stdin
ln -s /proc/self/fd/1 /mnt/dev/stdout
ln -s /proc/self/fd/2 /mnt/dev/stderr
mount --rbind /mnt/dev /dev
for fresh in $FRESH; do
    [ -d $fresh ] || continue
    mount -t tmpfs tmpfs $fresh
done
mount --bind /proc/sys /proc/sys
while read -r _ place _; do
    case " $FRESH /mnt /proc /dev/" in
    *" $place "*) ;;
    *) mount -o remount,bind,ro "$place" 2>/dev/null || : ;;
    esac
done < /proc/mounts
cd /
exec /mnt/sameness "$@"
"#;

/// The command that runs `arguments` of this program inside; `stage` is a folder whose content is
/// found at [`STAGE`] there, this program as `sameness` among it.
pub fn command(stage: &Path, arguments: &[String]) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup"])
        .args([
            "--fork",
            "--kill-child",
            "--mount-proc",
            "sh",
            "-c",
            SETUP,
            "sh",
        ])
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("STAGE", stage)
        .env("FRESH", FRESH.join(" "));
    command
}

/// Takes the capabilities from all programs that this process starts, but those by which root reads
/// and owns files and changes its user.
pub fn drop_capabilities() {
    // linux/capability.h: CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, KILL, SETGID, SETUID.
    const KEPT: [libc::c_ulong; 7] = [0, 1, 2, 3, 5, 6, 7];
    for capability in (0..64).filter(|capability| !KEPT.contains(capability)) {
        // SAFETY: prctl(2) with an unknown capability fails, which is fine.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
    }
}

/// Ends whatever a program has left running. This process is the first one inside.
pub fn end_all_others() {
    // SAFETY: in a process namespace of our own it reaches nobody else.
    unsafe { libc::kill(-1, libc::SIGKILL) };
    // SAFETY: waits for children without telling how they ended.
    while unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) } > 0 {}
}

/// A path on the stage.
pub fn staged(name: &str) -> PathBuf {
    Path::new(STAGE).join(name)
}
