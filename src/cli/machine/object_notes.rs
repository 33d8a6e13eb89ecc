//! What a preload object tells of itself in its ELF notes: its version (`src/preload/version.rs`), and
//! where the state of its process is (`src/preload/answer/state.rs`).

use crate::machine::configuration_files;
use object::Endianness;
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Who the note is from.
const OWNER: &[u8] = b"OpenTelemetry";

/// The note's type for a version: NT_VERSION of elf(5).
const VERSION: u32 = 1;

/// The note's type for the place of the state.
const STATE: u32 = 2;

/// Far above an object that was built without optimisation, in bytes.
const LARGEST: u64 = 64 << 20;

/// The version of the preload object that is in `data`; `None` where `data` is anything else, or an
/// object from before there was the note.
pub fn version(data: &[u8]) -> Option<String> {
    let (version, _) = note(data, VERSION)?;
    let version = str::from_utf8(version).ok()?;
    Some(version.trim_end_matches('\0').to_owned())
}

/// The address of the state, counted from where the object's first byte is mapped; `None` as for
/// [`version`].
pub fn place_of_state(file: File) -> Option<u64> {
    let data = content(file)?;
    let (distance, address) = note(&data, STATE)?;
    address.checked_add_signed(i64::from_le_bytes(distance.try_into().ok()?))
}

/// The descriptor of one of the object's own notes, and its virtual address.
fn note(data: &[u8], kind: u32) -> Option<(&[u8], u64)> {
    let elf = ElfFile64::<Endianness>::parse(data).ok()?;
    let endian = elf.endian();
    let segments = elf.elf_header().program_headers(endian, data).ok()?;
    segments.iter().find_map(|segment| {
        let mut notes = segment.notes(endian, data).ok()??;
        while let Some(note) = notes.next().ok()? {
            if note.name() == OWNER && note.n_type(endian) == kind {
                let offset = note.desc().as_ptr().addr() - data.as_ptr().addr();
                let inside = (offset as u64).checked_sub(segment.p_offset(endian))?;
                let address = segment.p_vaddr(endian).checked_add(inside)?;
                return Some((note.desc(), address));
            }
        }
        None
    })
}

/// The version of the preload object in a file; `None` also where it cannot be read.
pub fn version_of_file(path: &Path) -> Option<String> {
    let (file, _) = configuration_files::open_regular(path.as_os_str().as_bytes()).ok()?;
    version_of_opened(file)
}

/// The same of an open file; `None` where it is larger than any preload object.
pub fn version_of_opened(file: File) -> Option<String> {
    version(&content(file)?)
}

fn content(file: File) -> Option<Vec<u8>> {
    if file.metadata().ok()?.len() > LARGEST {
        return None;
    }
    let mut data = Vec::new();
    file.take(LARGEST).read_to_end(&mut data).ok()?;
    Some(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_no_preload_object_has_no_version() {
        let own = fs::read("/proc/self/exe").unwrap();
        assert_eq!(version(&own), None);
        assert_eq!(version(&own[..200]), None);
        assert_eq!(version(b"\x7fELF"), None);
        assert_eq!(version(b""), None);
    }
}
