#![no_main]

use opentelemetry_injector_policy::Runtime;

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::merges::look_at(input, Runtime::Python));
