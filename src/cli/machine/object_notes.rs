//! What a preload object tells of itself in its ELF notes: its version (`src/preload/version.rs`), and
//! where the state of its process is (`src/preload/answer/state.rs`).

use crate::machine::configuration_files;
use object::elf::FileHeader64;
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, ReadCache};
use std::fs::File;
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

/// The version of the preload object in an open file; `None` where the file is anything else, larger than any
/// preload object, or an object from before there was the note.
pub fn version(file: &File) -> Option<String> {
    let (version, _) = note(file, VERSION)?;
    let version = String::from_utf8(version).ok()?;
    Some(version.trim_end_matches('\0').to_owned())
}

/// The version of the preload object in a file; `None` also where it cannot be read.
pub fn version_of_file(path: &Path) -> Option<String> {
    let (file, _) = configuration_files::open_regular(path.as_os_str().as_bytes()).ok()?;
    version(&file)
}

/// The address of the state, counted from where the object's first byte is mapped; `None` as for
/// [`version`].
pub fn place_of_state(file: &File) -> Option<u64> {
    let (distance, address) = note(file, STATE)?;
    address.checked_add_signed(i64::from_le_bytes(distance.try_into().ok()?))
}

/// The descriptor of one of the object's own notes, and its virtual address.
fn note(file: &File, kind: u32) -> Option<(Vec<u8>, u64)> {
    if file.metadata().ok()?.len() > LARGEST {
        return None;
    }
    let cache = ReadCache::new(file);
    let header = FileHeader64::<Endianness>::parse(&cache).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, &cache).ok()?;
    segments.iter().find_map(|segment| {
        let mut notes = segment.notes(endian, &cache).ok()??;
        let start = segment.data(endian, &cache).ok()?.as_ptr().addr();
        while let Some(note) = notes.next().ok()? {
            if note.name() == OWNER && note.n_type(endian) == kind {
                // The cache has each range once.
                let inside = note.desc().as_ptr().addr().checked_sub(start)?;
                let address = segment.p_vaddr(endian).checked_add(inside as u64)?;
                return Some((note.desc().to_vec(), address));
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn what_is_no_preload_object_has_no_version() {
        let own = File::open("/proc/self/exe").unwrap();
        assert_eq!(version(&own), None);
        for content in [b"\x7fELF".as_slice(), b"", &[0; 200]] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(content).unwrap();
            assert_eq!(version(&file), None);
        }
    }
}
