//! Work beside a traced program. It takes a share of the time that the program hardly feels.

use std::time::{Duration, Instant};

/// The share: one of so many parts.
const PARTS: u32 = 100;

/// Some work that is done from time to time.
#[derive(Default)]
pub struct Share {
    next: Option<Instant>,
}

impl Share {
    /// Does the work, unless it took more than its share of the time since it was begun last. It is not done again
    /// within the time `least`. Returns whether it was done.
    pub fn run(&mut self, least: Duration, work: impl FnOnce()) -> bool {
        let start = Instant::now();
        if self.next.is_some_and(|next| start < next) {
            return false;
        }
        work();
        self.next = Some(start + least.max(start.elapsed() * PARTS));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn work_that_takes_long_has_to_wait() {
        let mut share = Share::default();
        assert!(share.run(Duration::ZERO, || thread::sleep(Duration::from_millis(100))));
        assert!(!share.run(Duration::ZERO, || unreachable!()));
        let mut share = Share::default();
        assert!(share.run(Duration::from_secs(1000), || {}));
        assert!(!share.run(Duration::ZERO, || unreachable!()));
    }
}
