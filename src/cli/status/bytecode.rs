//! Whether the packages of Python's agent are compiled: where they are not, every process compiles
//! them at its start, which takes seconds, and cannot keep the result where it may not write.

use crate::output::shell_word;
use crate::status::findings::Finding;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What the boot file replaces with Python's version.
const PLACEHOLDER: &str = "{version}";

/// How many files without bytecode are worth a word: some packages have files for other versions, which
/// do not compile.
const FEW: usize = 20;

/// How deep packages are looked into.
const DEEPEST: usize = 12;

/// A finding for each folder of packages without bytecode; `path` is `python.agent_path`.
pub fn findings(path: &str) -> Vec<Finding> {
    let folders = folders(path).into_iter();
    let findings = folders.filter_map(|(folder, version)| {
        let mut missing = 0;
        count(&folder, version.as_deref(), 0, &mut missing);
        (missing > FEW).then(|| {
            let python = version.unwrap_or_else(|| "3".into());
            let folder = folder.display().to_string();
            Finding::note(
                "agent for Python",
                format!("{folder}: {missing} files have no valid bytecode: each process compiles them at its start"),
            )
            .with_next(format!("python{python} -m compileall -q {}", shell_word::quoted(&folder)))
        })
    });
    findings.collect()
}

/// The folders that a path stands for, with the version of Python that each is for.
fn folders(path: &str) -> Vec<(PathBuf, Option<String>)> {
    let Some((before, after)) = path.split_once(PLACEHOLDER) else {
        return vec![(path.into(), None)];
    };
    let names = fs::read_dir(before).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let mut versions: Vec<_> = names.filter(|name| is_version(name)).collect();
    versions.sort();
    let folders = versions.into_iter().map(|version| {
        let folder = format!("{before}{version}{}", after.replace(PLACEHOLDER, &version));
        (folder.into(), Some(version))
    });
    folders.collect()
}

fn is_version(name: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    name.split_once('.')
        .is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}

/// Counts the modules in a folder that have no valid bytecode.
fn count(folder: &Path, version: Option<&str>, depth: usize, missing: &mut usize) {
    let compiled = compiled(&folder.join("__pycache__"));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, Ok(kind)) = (entry.path(), entry.file_type()) else {
            continue;
        };
        if kind.is_dir() && depth < DEEPEST {
            count(&path, version, depth + 1, missing);
        } else if path.extension() == Some(OsStr::new("py"))
            && !is_compiled(&path, version, &compiled)
        {
            *missing += 1;
        }
    }
}

fn compiled(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Whether one of the files is the bytecode of a module, for this version or else for any.
fn is_compiled(source: &Path, version: Option<&str>, compiled: &[PathBuf]) -> bool {
    let stem = source
        .file_stem()
        .and_then(OsStr::to_str)
        .unwrap_or_default();
    let tag = version.map_or(String::new(), |version| version.replace('.', "") + ".pyc");
    let beginning = format!("{stem}.cpython-{tag}");
    let is_its = |file: &&PathBuf| {
        let name = file.file_name().and_then(OsStr::to_str).unwrap_or_default();
        name.starts_with(&beginning) && name.ends_with(".pyc") && !name.contains(".opt-")
    };
    compiled
        .iter()
        .filter(is_its)
        .any(|file| is_valid(source, file))
}

/// The head of a file of bytecode: magic number, flags, the source's time and length (PEP 552). With a
/// flag, a hash stands there instead.
fn is_valid(source: &Path, bytecode: &Path) -> bool {
    let (Ok(content), Ok(metadata)) = (fs::read(bytecode), fs::metadata(source)) else {
        return false;
    };
    let word = |index: usize| {
        let bytes = content.get(index * 4..index * 4 + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes))
    };
    let changed = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let changed = changed
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    // Both are cut to 32 bits.
    let wanted = [changed.as_secs(), metadata.len()].map(|number| (number & 0xffff_ffff) as u32);
    match word(1) {
        Some(0) => [word(2), word(3)] == wanted.map(Some),
        Some(_) => true,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_those_of_versions() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["3.11", "3.9", "3.x", "old", "3"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let path = folder.path().display().to_string();
        let versions = folders(&(path.clone() + "/{version}/lib"));
        let wanted = ["3.11", "3.9"].map(|version| {
            (
                PathBuf::from(format!("{path}/{version}/lib")),
                Some(version.to_owned()),
            )
        });
        assert_eq!(versions, wanted);
        assert_eq!(folders("/agent"), [(PathBuf::from("/agent"), None)]);
    }

    #[test]
    fn bytecode_is_valid_for_the_source_that_it_is_of() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("module.py");
        fs::write(&source, "x = 1\n").unwrap();
        let bytecode = folder.path().join("__pycache__/module.cpython-311.pyc");
        fs::create_dir(bytecode.parent().unwrap()).unwrap();
        let missing = |version| {
            let mut missing = 0;
            count(folder.path(), version, 0, &mut missing);
            missing
        };
        assert_eq!(missing(None), 1);
        let changed = fs::metadata(&source).unwrap().modified().unwrap();
        let seconds = changed
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs() as u32;
        let head = |flags: u32, time: u32, length: u32| {
            let words = [0xa0d_0000, flags, time, length];
            fs::write(&bytecode, words.map(u32::to_le_bytes).concat()).unwrap();
        };
        head(0, seconds, 6);
        assert_eq!(
            (missing(None), missing(Some("3.11")), missing(Some("3.1"))),
            (0, 0, 1)
        );
        head(0, seconds + 1, 6);
        assert_eq!(missing(None), 1);
        head(0, seconds, 7);
        assert_eq!(missing(None), 1);
        head(1, 0, 0);
        assert_eq!(missing(None), 0);
        fs::write(&bytecode, "").unwrap();
        assert_eq!(missing(None), 1);
    }
}
