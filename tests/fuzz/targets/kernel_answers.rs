#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::kernel_answers::look_at(input));
