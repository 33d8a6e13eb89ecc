//! Watches the environments of all processes inside.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often all processes are looked at.
const INTERVAL: Duration = Duration::from_millis(100);

/// What only the injector could have put there.
const OURS: [&str; 4] = ["opentelemetry", "OTEL_", "OPENTELEMETRY", "javaagent"];

/// Looks at all processes again and again.
pub struct Watch {
    ended: Arc<AtomicBool>,
    watching: JoinHandle<BTreeSet<String>>,
}

impl Watch {
    /// Begins.
    pub fn start() -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let seen = ended.clone();
        let watching = thread::spawn(move || {
            let mut traces = BTreeSet::new();
            while !seen.load(Ordering::Relaxed) {
                each(|program, entry| {
                    if OURS.iter().any(|ours| entry.contains(ours)) {
                        traces.insert(format!("{program}: {entry}"));
                    }
                });
                thread::sleep(INTERVAL);
            }
            traces
        });
        Self { ended, watching }
    }

    /// Ends; returns the traces that were seen.
    pub fn end(self) -> BTreeSet<String> {
        self.ended.store(true, Ordering::Relaxed);
        self.watching.join().unwrap_or_default()
    }
}

/// The names in all environments, now.
pub fn names_now() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    each(|_, entry| {
        let name = entry.split('=').next().unwrap_or_default();
        names.insert(name.to_owned());
    });
    names
}

/// Calls `look` with the program and the entry, for each entry of each process.
fn each(mut look: impl FnMut(&str, &str)) {
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let environment = fs::read(process.path().join("environ")).unwrap_or_default();
        if environment.is_empty() {
            continue;
        }
        let program = fs::read_link(process.path().join("exe")).unwrap_or_default();
        for entry in environment.split(|byte| *byte == 0) {
            look(&program.to_string_lossy(), &String::from_utf8_lossy(entry));
        }
    }
}
