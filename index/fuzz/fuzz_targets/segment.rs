//! Any bytes at all as a segment file, and everything that can be asked of one: nothing may panic, read astray or hang.

#![no_main]

#[path = "../../tests/suite/hostile.rs"]
mod hostile;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hostile::whatever(bytes));
