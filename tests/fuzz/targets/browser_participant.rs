#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| huitong_fuzz::browser_participant(data));
