//! The version of a preload object, by the ELF note that it carries (`src/preload/version.rs`).

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

/// Far above an object that was built without optimisation, in bytes.
const LARGEST: u64 = 64 << 20;

/// The version of the preload object that is in `data`; `None` where `data` is anything else, or an
/// object from before there was the note.
pub fn of(data: &[u8]) -> Option<String> {
    let elf = ElfFile64::<Endianness>::parse(data).ok()?;
    let endian = elf.endian();
    let segments = elf.elf_header().program_headers(endian, data).ok()?;
    segments.iter().find_map(|segment| {
        let mut notes = segment.notes(endian, data).ok()??;
        while let Some(note) = notes.next().ok()? {
            if note.name() == OWNER && note.n_type(endian) == VERSION {
                let version = str::from_utf8(note.desc()).ok()?;
                return Some(version.trim_end_matches('\0').to_owned());
            }
        }
        None
    })
}

/// The version of the preload object in a file; `None` also where it cannot be read.
pub fn of_file(path: &Path) -> Option<String> {
    let (file, _) = configuration_files::open_regular(path.as_os_str().as_bytes()).ok()?;
    of_opened(file)
}

/// The same of an open file; `None` where it is larger than any preload object.
pub fn of_opened(file: File) -> Option<String> {
    if file.metadata().ok()?.len() > LARGEST {
        return None;
    }
    let mut data = Vec::new();
    file.take(LARGEST).read_to_end(&mut data).ok()?;
    of(&data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_no_preload_object_has_no_version() {
        let own = fs::read("/proc/self/exe").unwrap();
        assert_eq!(of(&own), None);
        assert_eq!(of(&own[..200]), None);
        assert_eq!(of(b"\x7fELF"), None);
        assert_eq!(of(b""), None);
    }
}
