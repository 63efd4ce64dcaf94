#![no_main]
//! Any text is settings within their ranges, which survive being written and read, or an error that says the line or the key.

use libfuzzer_sys::fuzz_target;
use petal::{Config, ErrorKind};

fuzz_target!(|text: &str| {
    match Config::from_toml(text) {
        Ok(config) => {
            config.check().unwrap();
            assert_eq!(Config::from_toml(&config.to_toml()).unwrap(), config);
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            assert!(error.to_string().lines().count() <= 3, "{error}");
        }
    }
});
