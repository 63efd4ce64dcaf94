//! F65: how large a picture may be, in every format, and how much memory it may take.

use std::fs;

use petal::ErrorKind;
use petal::data::{Dataset, Reason};
use petal::pixels::{Limits, Rgb, decode, encode_png};

use crate::data::{picture, write_picture};
use crate::formats::fixture;
use crate::support::{again_within, png_chunk};

/// A limit is called a limit, with its number and its setting, in every format; nothing is called damaged.
#[test]
fn f65_a_limit_is_told_as_a_limit_in_every_format() {
    let default = Limits::default();
    for name in [
        "separate.jpg",
        "stray.jpg",
        "turned_xmp.png",
        "lossless.webp",
        "plain.gif",
        "plain.bmp",
        "raw.tif",
        "lossless.jxl",
    ] {
        let bytes = fixture(name);
        let Rgb { width, height, .. } = decode(&bytes, &default).unwrap();
        let longer = width.max(height);
        let told = |limits: Limits| {
            let error = decode(&bytes, &limits).expect_err(name);
            assert_eq!(error.kind(), ErrorKind::Limit, "{name}: {error}");
            assert!(!error.to_string().contains("damaged"), "{error}");
            error.to_string()
        };
        let side = told(Limits { side: longer - 1, ..default });
        assert!(
            side.contains(&format!("at most {} a side", longer - 1))
                && side.contains("limits.side")
                && side.contains("--max-side"),
            "{side}"
        );
        let pixels = told(Limits { pixels: width * height - 1, ..default });
        assert!(
            pixels.contains(&format!("at most {} in all", width * height - 1)) && pixels.contains("--max-pixels"),
            "{pixels}"
        );
        let size = told(Limits { file_bytes: bytes.len() - 1, ..default });
        assert!(
            size.contains(&format!("at most {} are read", bytes.len() - 1)) && size.contains("--max-file-bytes"),
            "{size}"
        );
        assert!(decode(&bytes, &Limits { side: longer, pixels: width * height, file_bytes: bytes.len() }).is_ok());
    }
    let root = tempfile::tempdir().unwrap();
    for photo in 0..6u64 {
        write_picture(
            &root.path().join(format!("{}/{photo}.jpg", ["one", "two"][photo as usize % 2])),
            &picture(photo),
        );
    }
    let wide = Rgb { width: 20_001, height: 20, data: vec![7; 20_001 * 20 * 3] };
    fs::write(root.path().join("one/wide.png"), encode_png(&wide).unwrap()).unwrap();
    let looked = Dataset::folder(root.path()).unwrap().verify().unwrap();
    assert_eq!(looked.bad.len(), 1);
    assert_eq!(looked.bad[0].1.reason, Reason::TooLarge);
    assert!(looked.bad[0].1.why.contains("at most 20000 a side"), "{}", looked.bad[0].1.why);
}

const CHILD: &str = "PETAL_TEST_BOMB";

/// Small files that speak of huge pictures: decoded or refused within the bound that is stated, of 1 GiB for the decoder beside three bytes a pixel.
#[cfg(target_os = "linux")]
#[test]
fn f65_small_files_never_take_more_memory_than_is_stated() {
    if std::env::var_os(CHILD).is_some() {
        let most = Limits::default();
        let mut tried = 0;
        for (name, place, order) in
            [("grey.jxl", 0, 0), ("plain.gif", 6, 1), ("plain.bmp", 18, 2), ("raw.tif", 18, 2), ("lossless.webp", 0, 0)]
        {
            let mut bytes = fixture(name);
            match order {
                // 13,000 × 13,000 and more in the header, with the pixels of 25 × 19.
                1 => bytes[place..place + 4].copy_from_slice(&[0xc8, 0x32, 0xc8, 0x32]),
                2 => bytes[place..place + 8].copy_from_slice(&[0xc8, 0x32, 0, 0, 0xc8, 0x32, 0, 0]),
                _ => bytes[12..30].iter_mut().for_each(|byte| *byte ^= 0x3c),
            }
            let _ = decode(&bytes, &most);
            tried += 1;
        }
        // 16 bits of four colours: eight bytes a pixel of the decoder alone.
        let png = huge_png(16, 6, 13_000, 13_000);
        assert!(png.len() < 100_000);
        let error = decode(&png, &most).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
        // A TIFF of 70 × 50 pixels, whose first part is a JPEG that says 65,535 × 65,535.
        let mut tiff = fixture("jpeg.tif");
        let frame = tiff.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        tiff[frame + 5..frame + 9].fill(0xff);
        let error = decode(&tiff, &most).unwrap_err();
        assert!(error.kind() == ErrorKind::Image && error.what().contains("another size than it says"), "{error}");
        println!("{tried} tried");
        return;
    }
    // 1 GiB, 0.54 GB for the largest picture, and the process itself.
    let test = "picture_limits::f65_small_files_never_take_more_memory_than_is_stated";
    let said = again_within(2_000_000, test, CHILD);
    assert!(said.contains("5 tried"), "{said}");
}

/// A PNG with this header and one packed row.
fn huge_png(depth: u8, colour: u8, width: u32, height: u32) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[depth, colour, 0, 0, 0]].concat();
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packer, &vec![0; 8 * width as usize + 1]).unwrap();
    let pixels = packer.finish().unwrap();
    [&b"\x89PNG\r\n\x1a\n"[..], &png_chunk(b"IHDR", &header), &png_chunk(b"IDAT", &pixels), &png_chunk(b"IEND", b"")]
        .concat()
}
