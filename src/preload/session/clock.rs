//! The time of a call, without a system call where the kernel lends its code for that (vdso(7)).

use crate::constructor::at_start::AtStart;
use crate::hook::elf::Image;
use crate::sys::kernel;
use core::ffi::{CStr, c_int};
use core::mem;

type ClockGettime = unsafe extern "C" fn(c_int, *mut [i64; 2]) -> c_int;

#[cfg(target_arch = "x86_64")]
const FUNCTION: &CStr = c"__vdso_clock_gettime";
#[cfg(target_arch = "aarch64")]
const FUNCTION: &CStr = c"__kernel_clock_gettime";

/// CLOCK_MONOTONIC.
pub struct Clock(Option<ClockGettime>);

impl Clock {
    /// With the kernel's code, where it is mapped.
    pub fn new(start: &AtStart) -> Self {
        let object = start.auxiliary().kernels_object;
        if object == 0 {
            return Self(None);
        }
        // SAFETY: AT_SYSINFO_EHDR is the ELF header of the vDSO, which stays mapped as long as the process.
        let image = unsafe { Image::of_mapped(object) };
        let function = image.and_then(|image| image.function(FUNCTION));
        // SAFETY: clock_gettime(2) has this signature.
        Self(
            function
                .map(|function| unsafe { mem::transmute::<usize, ClockGettime>(function.address) }),
        )
    }

    /// Nanoseconds.
    pub fn now(&self) -> u64 {
        let mut time = [0; 2];
        // SAFETY: the function is clock_gettime(2) of the vDSO, and `time` has room for its two numbers.
        let call =
            |function: ClockGettime| unsafe { function(libc::CLOCK_MONOTONIC, &raw mut time) };
        if self.0.map(call) != Some(0) {
            time = kernel::monotonic_time();
        }
        let [seconds, nanoseconds] = time.map(|part| part as u64);
        seconds
            .wrapping_mul(1_000_000_000)
            .wrapping_add(nanoseconds)
    }
}
