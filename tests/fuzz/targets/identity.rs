#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::identity::look_at(input));
