//! The loaders that are on the machine: which of them read `/etc/ld.so.preload`, and which would
//! meet an object there that they cannot load.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The folders that loaders are in: `PT_INTERP` of programs names them there.
const FOLDERS: [&str; 2] = ["/lib64", "/lib"];

/// What comes between, on machines with several architectures.
const LIBX32: &str = "/libx32";

/// The loaders of one machine.
pub struct Loaders {
    /// glibc's for programs of the machine's own class.
    pub glibc: Vec<PathBuf>,
    /// glibc's for programs of 32 bits.
    pub glibc_32: Vec<PathBuf>,
    /// musl's, which reads no preload file.
    pub musl: Vec<PathBuf>,
}

impl Loaders {
    /// Looks for them.
    pub fn find() -> Self {
        let mut loaders = Self {
            glibc: Vec::new(),
            glibc_32: Vec::new(),
            musl: Vec::new(),
        };
        for folder in FOLDERS.into_iter().chain([LIBX32]) {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
            paths.sort();
            paths.into_iter().for_each(|path| loaders.add(path));
        }
        loaders
    }

    fn add(&mut self, path: PathBuf) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_musl = name.starts_with("ld-musl-");
        if !is_musl && !name.starts_with("ld-linux") && !name.starts_with("ld64.so") {
            return;
        }
        let loaders = match class(&path) {
            Some(_) if is_musl => &mut self.musl,
            Some(1) => &mut self.glibc_32,
            Some(_) => &mut self.glibc,
            None => return,
        };
        // /lib64 and /lib may be one folder.
        let real = |path: &Path| fs::canonicalize(path).ok();
        if !loaders.iter().any(|known| real(known) == real(&path)) {
            loaders.push(path);
        }
    }
}

/// EI_CLASS of an ELF file (elf(5)): 1 for 32 bits, 2 for 64.
fn class(path: &Path) -> Option<u8> {
    machine(path).map(|[class, ..]| class)
}

/// What an ELF file is for (elf(5)): EI_CLASS, and the bytes of e_machine.
pub fn machine(path: &Path) -> Option<[u8; 3]> {
    let mut header = [0; 20];
    File::open(path).ok()?.read_exact(&mut header).ok()?;
    header
        .starts_with(b"\x7fELF")
        .then_some([header[4], header[18], header[19]])
}
