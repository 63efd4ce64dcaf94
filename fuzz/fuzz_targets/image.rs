#![no_main]
//! Any bytes are a picture within the limits or an error of the right kind. A decoder's panic is the fence's matter; one of ours
//! is not.

use libfuzzer_sys::fuzz_target;
use petal::ErrorKind;
use petal::pixels::{Decoded, Limits, decode_noted};

fuzz_target!(
    init: {
        // libFuzzer's hook would end the process at a panic that the fence catches.
        std::panic::set_hook(Box::new(|_| ()));
    },
    |bytes: &[u8]| {
        let limits = Limits { file_bytes: 1 << 20, side: 4096, pixels: 1 << 20 };
        match decode_noted(bytes, &limits) {
            Ok(Decoded { picture, .. }) => {
                assert!(picture.width > 0 && picture.height > 0);
                assert!(picture.width <= limits.side && picture.height <= limits.side);
                assert!(picture.width * picture.height <= limits.pixels);
                assert_eq!(picture.data.len(), picture.width * picture.height * 3);
            }
            Err(error) => assert!(matches!(error.kind(), ErrorKind::Image | ErrorKind::Format | ErrorKind::Limit)),
        }
    }
);
