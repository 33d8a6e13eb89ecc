#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::foreign_files::look_at_names(input));
