//! The object's version, as an ELF note (elf(5), "Notes"), so that it can be read from the file or from
//! a process's memory without running anything.

use core::ffi::CStr;

/// The note's name.
pub const OWNER: &CStr = c"OpenTelemetry";

/// The name, padded to whole words.
const PADDED: [u8; 16] = *b"OpenTelemetry\0\0\0";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Padded with NUL characters: a descriptor takes whole words.
const LENGTH: usize = VERSION.len().next_multiple_of(4);

#[repr(C, align(4))]
struct Note {
    owner_length: u32,
    length: u32,
    kind: u32,
    owner: [u8; PADDED.len()],
    version: [u8; LENGTH],
}

#[used]
#[unsafe(link_section = ".note.opentelemetry_injector")]
static NOTE: Note = Note {
    // The padding behind the name's own NUL does not count.
    owner_length: OWNER.count_bytes() as u32 + 1,
    length: LENGTH as u32,
    kind: 1,
    owner: PADDED,
    version: {
        let mut version = [0; LENGTH];
        let mut index = 0;
        while index < VERSION.len() {
            version[index] = VERSION.as_bytes()[index];
            index += 1;
        }
        version
    },
};
