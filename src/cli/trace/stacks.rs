//! Whole stacks: the bytes that processes have copied, unwound by the tables of the files that were mapped
//! (`.eh_frame`), and by frame pointers in code that is in no file.

use crate::machine::program_file;
use crate::trace::recording::Module;
use crate::trace::symbol_tables::{self, Segments};
use framehop::MayAllocateDuringUnwind;
use framehop::{CacheNative, ExplicitModuleSectionInfo, FrameAddress, UnwindRegsNative};
use framehop::{Module as UnwindModule, Unwinder, UnwinderNative};
use object::elf::FileHeader64;
use object::read::elf::{FileHeader, SectionHeader};
use object::{Endianness, ReadCache};
use opentelemetry_injector_policy::formats::trace_channel as layout;
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many bytes of stack are enough for so many functions in most programs; 0 for none.
pub fn length(frames: usize) -> u64 {
    const EACH: usize = 256;
    (frames * EACH).min(layout::LONGEST_STACK - layout::BEFORE_STACK) as u64
}

/// Stands in the place of the functions that a stack does not tell of.
pub const CUT: u64 = 0;

/// Registers and bytes of one stack.
pub struct Raw<'p> {
    /// The call's return address.
    pub caller: u64,
    /// The stack pointer after the return.
    pub stack_pointer: u64,
    /// The frame pointer then.
    pub frame_pointer: u64,
    /// What lies from the stack pointer on.
    pub bytes: &'p [u8],
}

impl Raw<'_> {
    fn word(&self, address: u64) -> Result<u64, ()> {
        let offset = address.checked_sub(self.stack_pointer).ok_or(())?;
        let offset = usize::try_from(offset).map_err(|_| ())?;
        let word = self.bytes.get(offset..).and_then(<[u8]>::first_chunk);
        word.map(|word| u64::from_ne_bytes(*word)).ok_or(())
    }

    #[cfg(target_arch = "x86_64")]
    fn registers(&self) -> UnwindRegsNative {
        UnwindRegsNative::new(self.caller, self.stack_pointer, self.frame_pointer)
    }

    #[cfg(target_arch = "aarch64")]
    fn registers(&self) -> UnwindRegsNative {
        // Addresses have 48 bits, signatures stand above them.
        let mask = framehop::aarch64::PtrAuthMask(u64::MAX >> 16);
        UnwindRegsNative::new_with_ptr_auth_mask(
            mask,
            self.caller,
            self.stack_pointer,
            self.frame_pointer,
        )
    }
}

type Bytes = Arc<[u8]>;

/// What unwinding needs of a file.
#[derive(Clone, Default)]
struct Tables {
    segments: Segments,
    text: Option<Range<u64>>,
    frames: Option<(Range<u64>, Bytes)>,
    index: Option<(Range<u64>, Bytes)>,
}

/// Unwinds stacks. Files are read once.
#[derive(Default)]
pub struct Unwinding {
    files: HashMap<PathBuf, Tables>,
    programs: HashMap<usize, (UnwinderNative<Bytes, MayAllocateDuringUnwind>, usize)>,
    cache: CacheNative<MayAllocateDuringUnwind>,
}

impl Unwinding {
    /// How many places of files of a program are known from its stacks so far.
    pub fn known(&self, program: usize) -> usize {
        self.programs.get(&program).map_or(0, |(_, known)| *known)
    }

    /// The return addresses from the call's on, at most `most` of them; [`CUT`] behind them where there are more.
    /// `new` are the places where files are mapped in the program and which are not [known](Self::known) yet.
    pub fn unwind(
        &mut self,
        program: usize,
        new: &[&Module],
        raw: &Raw<'_>,
        most: usize,
    ) -> Vec<u64> {
        let (unwinder, known) = self
            .programs
            .entry(program)
            .or_insert_with(|| (UnwinderNative::new(), 0));
        for module in new {
            let read = || Tables::read(&module.path).unwrap_or_default();
            let tables = self.files.entry(module.path.clone()).or_insert_with(read);
            // What was there before is gone.
            unwinder.remove_module(module.start);
            unwinder.add_module(tables.module(module));
        }
        *known += new.len();
        let mut addresses = vec![raw.caller];
        let mut is_whole = false;
        let mut registers = raw.registers();
        let mut read = |address| raw.word(address);
        while addresses.len() < most {
            let last = addresses.last().copied().unwrap_or(0);
            let Some(frame) = FrameAddress::from_return_address(last) else {
                break;
            };
            match unwinder.unwind_frame(frame, &mut registers, &mut self.cache, &mut read) {
                Ok(Some(address)) => addresses.push(address),
                Ok(None) => {
                    is_whole = true;
                    break;
                }
                Err(_) => break,
            }
        }
        if !is_whole {
            addresses.push(CUT);
        }
        addresses
    }
}

impl Tables {
    fn read(path: &Path) -> Option<Self> {
        let (headers, _) = symbol_tables::read(path)?;
        let file = program_file::open(path)?;
        let cache = ReadCache::new(&file);
        let header = FileHeader64::<Endianness>::parse(&cache).ok()?;
        let endian = header.endian().ok()?;
        let sections = header.sections(endian, &cache).ok()?;
        let range = |name: &[u8]| {
            let (_, section) = sections.section_by_name(endian, name)?;
            let start = section.sh_addr(endian);
            Some((start..start.checked_add(section.sh_size(endian))?, section))
        };
        let content = |name: &[u8]| {
            let (range, section) = range(name)?;
            Some((range, Bytes::from(section.data(endian, &cache).ok()?)))
        };
        Some(Self {
            segments: headers.segments,
            text: range(b".text").map(|(range, _)| range),
            frames: content(b".eh_frame"),
            index: content(b".eh_frame_hdr"),
        })
    }

    /// The file as it is mapped there.
    fn module(&self, mapped: &Module) -> UnwindModule<Bytes> {
        let Self {
            segments,
            text,
            frames,
            index,
        } = self.clone();
        let base = mapped.start.wrapping_sub(segments.address(mapped.offset));
        let (eh_frame_svma, eh_frame) = frames.unzip();
        let (eh_frame_hdr_svma, eh_frame_hdr) = index.unzip();
        let sections = ExplicitModuleSectionInfo {
            text_svma: text,
            eh_frame_svma,
            eh_frame,
            eh_frame_hdr_svma,
            eh_frame_hdr,
            ..ExplicitModuleSectionInfo::default()
        };
        UnwindModule::new(String::new(), mapped.start..mapped.end, base, sections)
    }
}

impl core::fmt::Debug for Unwinding {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Unwinding").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_in_no_file_is_unwound_by_frame_pointers_as_far_as_the_bytes_go() {
        let start = 0x1000_u64;
        // The first frame pointer, a return address, the second frame pointer, and so on.
        let words = [0, 0, 0x1020, 0x5005, 0x1040, 0x6006, 0, 0, 0x9000, 0x7007];
        let bytes: Vec<u8> = words
            .iter()
            .flat_map(|word: &u64| word.to_ne_bytes())
            .collect();
        let raw = Raw {
            caller: 0x4004,
            stack_pointer: start,
            frame_pointer: 0x1010,
            bytes: &bytes,
        };
        let mut unwinding = Unwinding::default();
        let all = unwinding.unwind(0, &[], &raw, 32);
        // Behind the last bytes may be more.
        let all = all.strip_suffix(&[CUT]).unwrap_or(&all);
        assert_eq!(*all, [0x4004, 0x5005, 0x6006, 0x7007][..all.len()]);
        assert!(all.len() >= 3, "{all:x?}");
        assert_eq!(unwinding.unwind(0, &[], &raw, 2), [0x4004, 0x5005, CUT]);
        let nothing = Raw { bytes: &[], ..raw };
        assert_eq!(unwinding.unwind(0, &[], &nothing, 32), [0x4004, CUT]);
    }
}
