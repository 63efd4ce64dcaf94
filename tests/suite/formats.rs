//! F64: pictures of every format that is read, against Pillow; those that are not, by name.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use petal::ErrorKind;
use petal::config::Config;
use petal::data::{Dataset, Splits};
use petal::pixels::{Format, Limits, Rgb, decode, decode_noted};
use petal::project::Project;

use crate::data::{picture, write_picture};
use crate::support::{difference, expected_pictures};

fn formats() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats")
}

pub(crate) fn fixture(name: &str) -> Vec<u8> {
    fs::read(formats().join(name)).unwrap()
}

/// What fixtures/formats/make.py found: a picture for each file.
fn expected() -> BTreeMap<String, Rgb> {
    expected_pictures(&formats())
}

/// Lossy ones may round otherwise: JPEG by 3 levels, where colours have half the resolution by 8 (their interpolation differs), WebP and JPEG XL by 3.
/// What is laid on white, and CMYK, by one. Everything else is equal. (Of a BMP of 32 bits, the last eight mean nothing, unless its header says so.)
#[test]
fn f64_every_format_is_what_pillow_makes_of_it() {
    let expected = expected();
    assert_eq!(expected.len(), 56);
    let mut laid_on_white = Vec::new();
    for (name, expected) in &expected {
        let got = decode_noted(&fixture(name), &Limits::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        if got.laid_on_white {
            laid_on_white.push(name.as_str());
        }
        let (mean, most) = difference(&got.picture, expected);
        let (mean_allowed, most_allowed) = match name.as_str() {
            "separate_sampled.jpg" | "separate_in_two.jpg" | "jpeg.tif" => (1.0, 12),
            name if name.ends_with(".jpg") => (0.6, 3),
            "lossy.webp" | "lossy.jxl" => (0.6, 3),
            name if name.starts_with("clear.") || name == "associated.tif" || name == "cmyk.tif" => (0.6, 1),
            _ => (0.0, 0),
        };
        assert!(mean <= mean_allowed && most <= most_allowed, "{name}: {mean:.3} on average, {most} at most");
    }
    assert_eq!(laid_on_white, ["associated.tif", "clear.gif", "clear.jxl", "clear.tif", "clear.webp"]);
}

/// As libjpeg does: a scan of each component gives the same picture as one of all.
#[test]
fn f64_components_in_scans_of_their_own_and_left_out_tables_are_no_garbage() {
    let rounded = |name: &str| decode(&fixture(name), &Limits::default()).unwrap();
    let (separate, two) = (rounded("separate.jpg"), rounded("separate_in_two.jpg"));
    let off = separate.data.iter().zip(&two.data).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>();
    assert!(off < 4 * separate.data.len() as u64, "{off}");
    assert_eq!(rounded("no_tables.jpg"), rounded("stray.jpg"));
}

/// What cannot be the whole picture is refused, wherever it is cut. (Pillow reads some of these: a GIF whose last rows are missing.)
#[test]
fn f64_a_picture_that_is_cut_short_is_refused_in_every_format() {
    let mut tried = 0;
    for name in expected().keys().filter(|name| !name.ends_with(".jpg") && !name.ends_with(".png")) {
        // Of an animation, and of a file of several pages, the first picture may be whole.
        if name.starts_with("moving") || name == "pages.tif" {
            continue;
        }
        let whole = fixture(name);
        for percent in [1, 10, 30, 50, 70, 85] {
            let cut = decode(&whole[..whole.len() * percent / 100], &Limits::default());
            let Err(error) = cut else { panic!("{name} is read at {percent} %") };
            assert!(matches!(error.kind(), ErrorKind::Image | ErrorKind::Format), "{name}: {error}");
            tried += 1;
        }
    }
    assert!(tried > 200, "{tried}");
}

/// Every 17th byte is replaced in turn: each picture is decoded or refused, and none takes the process down.
#[test]
fn f64_damaged_pictures_of_every_format_never_end_the_process() {
    let (mut refused, mut tried) = (0, 0);
    for name in expected().keys() {
        let whole = fixture(name);
        for at in (0..whole.len().min(2000)).step_by(17) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x81;
            tried += 1;
            match decode(&bytes, &Limits::default()) {
                Ok(picture) => assert_eq!(picture.data.len(), picture.width * picture.height * 3),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > tried / 20, "{refused} of {tried} were refused");
}

/// Bytes tell, names do not: each format under another's name, and under none, from the split to the predictions.
#[test]
fn f64_wrong_endings_and_none_are_read_by_their_content() {
    let root = tempfile::tempdir().unwrap();
    let names =
        ["lossless.webp", "plain.gif", "plain.bmp", "tiff_lzw.tif", "lossless.jxl", "separate.jpg", "no_tables.jpg"];
    for (index, name) in names.iter().enumerate() {
        let class = root.path().join("photos").join(["one", "two"][index % 2]);
        fs::create_dir_all(&class).unwrap();
        fs::write(class.join(format!("{index}{}", ["", ".jfif", ".JPG", ".png", ".txt"][index % 5])), fixture(name))
            .unwrap();
    }
    for photo in 0..8u64 {
        write_picture(
            &root.path().join(format!("photos/{}/drawn {photo}.jpg", ["one", "two"][photo as usize % 2])),
            &picture(photo),
        );
    }
    let photos = Dataset::folder(root.path().join("photos")).unwrap();
    assert_eq!((photos.samples.len(), photos.left_out.len()), (15, 0));
    let looked = photos.verify().unwrap();
    assert_eq!((looked.good.len(), looked.bad.len()), (15, 0));
}

/// The beginnings of files as they are out there.
#[test]
fn f64_what_is_not_read_is_named_with_a_mend() {
    let brand = |brand: &[u8], others: &[u8]| {
        let length = (16 + others.len()) as u32;
        [&length.to_be_bytes()[..], b"ftyp", brand, &[0; 4], others, &[0; 64]].concat()
    };
    for (bytes, what, mend) in [
        (brand(b"heic", b"mif1heic"), "a HEIC", "heif-convert"),
        (brand(b"mif1", b"mif1heic"), "a HEIC", "heif-convert"),
        (brand(b"avif", b"avifmif1"), "an AVIF", "heif-convert"),
        (brand(b"mif1", b"avif"), "an AVIF", "heif-convert"),
        (brand(b"crx ", b"isom"), "a camera's raw file", "darktable-cli"),
        (b"II*\0\x10\0\0\0CR\x02\0".to_vec(), "a camera's raw file", "darktable-cli"),
        (b"IIU\0\x18\0\0\0".to_vec(), "a camera's raw file", "darktable-cli"),
        (b"FUJIFILMCCD-RAW 0201".to_vec(), "a camera's raw file", "darktable-cli"),
        (b"\0\0\0\x0cjP  \r\n\x87\n".to_vec(), "a JPEG 2000", "magick"),
        (b"<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec(), "an SVG", "rsvg-convert"),
        (b"8BPS\0\x01".to_vec(), "a Photoshop file", "magick"),
    ] {
        let format = Format::of(&bytes);
        assert!(format.is_picture() && !format.is_read(), "{what}");
        let error = decode(&bytes, &Limits::default()).expect_err(what);
        assert_eq!(error.kind(), ErrorKind::Format);
        assert!(error.what().contains(what), "{what}: {error}");
        assert!(error.how_to_mend().unwrap_or_default().contains(mend), "{what}: {error}");
    }
    // A preview first and the photo in a directory of its own; the version of Adobe's raw format.
    let entry = |tag: u16, value: u32| {
        [&tag.to_le_bytes()[..], &4u16.to_le_bytes(), &1u32.to_le_bytes(), &value.to_le_bytes()].concat()
    };
    for entries in [[entry(254, 1), entry(330, 200)], [entry(256, 100), entry(0xc612, 1)]] {
        let raw = [b"II*\0\x08\0\0\0\x02\0", &entries.concat()[..], &[0; 100]].concat();
        assert!(matches!(Format::of(&raw), Format::NotRead("a camera's raw file", _)));
    }
    for (bytes, what) in
        [(brand(b"isom", b"mp42"), "a video"), (b"%PDF-1.7".to_vec(), "a PDF"), (b"BM, in short\n".to_vec(), "text")]
    {
        assert!(!Format::of(&bytes).is_picture());
        assert!(decode(&bytes, &Limits::default()).unwrap_err().what().contains(what));
    }
}

/// Of some raw files, what they are shows late: such a one looks like a photo until it is decoded, is left out then, and is known the next time.
#[test]
fn f64_a_raw_file_that_shows_late_is_left_out_and_known_again() {
    let root = tempfile::tempdir().unwrap();
    for photo in 0..10u64 {
        write_picture(
            &root.path().join(format!("photos/{}/{photo}.jpg", ["one", "two"][photo as usize % 2])),
            &picture(photo),
        );
    }
    let place = 3 * petal::pixels::BEGINNING as u32;
    let entry = [&0xc612u16.to_le_bytes()[..], &1u16.to_le_bytes(), &4u32.to_le_bytes(), &[1, 4, 0, 0]].concat();
    let pixels = vec![7; place as usize - 8];
    let raw = [b"II*\0", &place.to_le_bytes()[..], &pixels, &1u16.to_le_bytes(), &entry, &[0; 4]].concat();
    fs::write(root.path().join("photos/one/raw.dng"), raw).unwrap();
    let photos = Dataset::folder(root.path().join("photos")).unwrap();
    let project = Project::open(root.path().join("own")).unwrap();
    let first = photos.split(&project, &Config::seed()).unwrap();
    assert!(
        first.made_with.left_out["one/raw.dng"].why.contains("a camera's raw file"),
        "{:?}",
        first.made_with.left_out
    );
    let again = photos.split(&project, &Config::seed()).unwrap();
    assert_eq!(again.made_with.left_out, first.made_with.left_out);
}

#[test]
fn f64_what_is_transparent_is_laid_on_white_and_said_once() {
    let root = tempfile::tempdir().unwrap();
    for photo in 0..10u64 {
        write_picture(
            &root.path().join(format!("photos/{}/{photo}.jpg", ["one", "two"][photo as usize % 2])),
            &picture(photo),
        );
    }
    for name in ["clear.webp", "clear.tif"] {
        fs::write(root.path().join("photos/one").join(name), fixture(name)).unwrap();
    }
    let photos = Dataset::folder(root.path().join("photos")).unwrap();
    let line = "2 photos have transparent parts, which are laid on white";
    assert_eq!(photos.verify().unwrap().text().matches(line).count(), 1);
    let project = Project::open(root.path().join("own")).unwrap();
    let splits = photos.split(&project, &Config::seed()).unwrap();
    assert_eq!(splits.made_with.laid_on_white, 2);
    assert_eq!(splits.text().matches(line).count(), 1);
    assert_eq!(Splits::open(&project.data).unwrap().text().matches(line).count(), 1);
    // White itself, where nothing is to be seen: the first pixel of `clear.webp` has an alpha of 0.
    let corner = decode(&fixture("clear.webp"), &Limits::default()).unwrap();
    assert_eq!(corner.data[..3], [255; 3]);
}
