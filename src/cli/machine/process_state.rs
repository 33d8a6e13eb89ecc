//! What the preload object and its boot files have noted in a live process (`src/preload/answer/state.rs`).

use crate::machine::object_notes;
use crate::machine::proc_files::ProcFiles;
use crate::machine::proc_formats::Mapped;
use opentelemetry_injector_policy::Runtime;
use opentelemetry_injector_policy::runtimes::boot::StoodDown;

/// What there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessState {
    /// The runtime that was answered with its agent.
    pub activated: Option<Runtime>,
    /// Why a boot file has given up.
    pub stood_down: Option<StoodDown>,
}

/// The state of a process that has `object` mapped; `None` where its memory cannot be read, or the
/// object is from before there was one.
pub fn read(files: &ProcFiles, object: &Mapped) -> Option<ProcessState> {
    let base = u64::from_str_radix(object.range.split('-').next()?, 16).ok()?;
    let place = object_notes::place_of_state(&files.open_mapped(object).ok()?)?;
    let mut state = [0; 4];
    let length = files.memory(base.checked_add(place)?, &mut state).ok()?;
    (length == state.len()).then(|| of(state))
}

fn of(state: [u8; 4]) -> ProcessState {
    let [activated, _, _, stood_down] = state.map(usize::from);
    let index = |number: usize| number.checked_sub(1);
    ProcessState {
        activated: index(activated).and_then(|index| Runtime::ALL.get(index).copied()),
        stood_down: index(stood_down).and_then(|index| StoodDown::ALL.get(index).copied()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_one_above_the_place_in_the_list() {
        let state = |activated, stood_down| ProcessState {
            activated,
            stood_down,
        };
        assert_eq!(of([0; 4]), state(None, None));
        assert_eq!(
            of([3, 1, 0, 5]),
            state(Some(Runtime::Python), Some(StoodDown::Closed))
        );
        assert_eq!(of([255; 4]), state(None, None));
    }
}
