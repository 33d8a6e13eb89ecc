//! What a start costs, in what can be counted on a busy machine.

use std::io;
use std::path::Path;
use std::process::Command;
use support::{Scene, object};

/// How often each is started: the kernel puts objects to random places, and so the number differs by a few.
const STARTS: usize = 60;

/// Page faults of a start, on average.
fn page_faults(start: impl Fn() -> Command) -> f64 {
    let counts = (0..STARTS).map(|_| run(start()).expect("the empty program runs"));
    counts.sum::<i64>() as f64 / STARTS as f64
}

fn run(mut command: Command) -> io::Result<i64> {
    let child = command.spawn()?;
    let mut status = 0;
    // SAFETY: all zeroes is a valid rusage.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let id = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
    // SAFETY: two valid pointers; the child is ours and nobody else waits for it.
    let waited = unsafe { libc::wait4(id, &raw mut status, 0, &raw mut usage) };
    match (waited, status) {
        (-1, _) => Err(io::Error::last_os_error()),
        (_, 0) => Ok(usage.ru_minflt),
        (_, status) => Err(io::Error::other(format!("wait status {status}"))),
    }
}

/// The kernel maps 16 pages of a file where one of them is touched. The functions of a start stand together
/// (`src/preload/order_of_functions.ld`), and all that the loader relocates is on one page. So an object that
/// does nothing costs about as many page faults as ours without a configuration. (It was 3 and 7.5 more before.)
#[test]
fn a_start_touches_few_pages() {
    let scene = Scene::new();
    let program = scene.compile("empty");
    let empty = scene.compile_with("cc", "empty_object", &["-shared", "-fPIC"]);
    let missing = scene.path("no-such.toml");
    let with = |object: &Path, configuration: &Path| {
        page_faults(|| {
            let mut command = scene.command(&program, "direct");
            command.env("LD_PRELOAD", object);
            command.env("OPENTELEMETRY_INJECTOR_CONFIGURATION", configuration);
            command
        })
    };
    let of_empty = with(&empty, &missing);
    let unconfigured = with(&object(), &missing) - of_empty;
    let hooked = with(&object(), &scene.configuration) - of_empty;
    println!(
        "page faults beyond {of_empty:.1}: {unconfigured:+.1} without a configuration, {hooked:+.1} hooked"
    );
    assert!(
        unconfigured < 2.0 && hooked < 7.5,
        "{unconfigured} and {hooked}"
    );
}
