//! Photos that are not what they seem, or not any more.

use std::fs;
use std::ops::ControlFlow;

use petal::config::{Config, PhaseConfig, Source};
use petal::data::{Dataset, Splits};
use petal::learner::Learner;
use petal::pixels::{Limits, Rgb, decode, decode_noted, encode_jpeg};
use petal::project::Project;
use petal::train::{Ended, Event, Phase};
use petal::{ErrorKind, Result, files};

use crate::data::{picture, project, write_photos, write_picture};
use crate::support::{again_within, photos, png_chunk};

fn fixture(name: &str) -> Vec<u8> {
    fs::read(photos().join(name)).unwrap()
}

fn plain(bytes: &[u8]) -> Result<Rgb> {
    decode(bytes, &Limits::default())
}

fn has_broken_exif(bytes: &[u8]) -> bool {
    decode_noted(bytes, &Limits::default()).unwrap().broken_exif
}

/// A marker's segment, to be put right after the start of a JPEG.
fn with_segment(jpeg: &[u8], marker: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() + 2) as u16;
    [&jpeg[..2], &[0xff, marker], &length.to_be_bytes(), content, &jpeg[2..]].concat()
}

/// A chunk of a PNG, to be put right after its header.
fn with_chunk(png: &[u8], kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let (head, rest) = png.split_at(33);
    [head, &png_chunk(kind, content), rest].concat()
}

/// As it comes from a download that was given an end by hand, or from a repaired memory card.
#[test]
fn f27_rows_and_scans_that_are_missing_before_an_end_marker_are_found() {
    let noise = |i: usize| ((i as u32).wrapping_mul(2_654_435_761) >> 24) as u8;
    let large = Rgb { width: 320, height: 200, data: (0..320 * 200 * 3).map(noise).collect() };
    let jpeg = encode_jpeg(&large, 80).unwrap();
    plain(&jpeg).unwrap();
    let scan = jpeg.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap() + 14;
    for percent in [1, 10, 50, 90, 99] {
        let at = scan + (jpeg.len() - 2 - scan) * percent / 100;
        let error = plain(&[&jpeg[..at], &[0xff, 0xd9]].concat()).expect_err("it is cut");
        assert_eq!(error.what(), "the JPEG is cut short: rows are missing", "{percent} %");
    }

    let progressive = fixture("progressive.jpg");
    let scans: Vec<usize> = (0..progressive.len() - 1).filter(|at| progressive[*at..*at + 2] == [0xff, 0xda]).collect();
    assert!(scans.len() > 5);
    for at in &scans[1..] {
        let error = plain(&[&progressive[..*at], &[0xff, 0xd9]].concat()).expect_err("it is cut");
        assert_eq!(error.what(), "the JPEG is cut short: it ends before its last scan");
    }
}

const CHILD: &str = "PETAL_TEST_HUGE";

#[cfg(target_os = "linux")]
#[test]
fn f28_huge_headers_are_refused_without_taking_memory() {
    if std::env::var_os(CHILD).is_some() {
        let mut jpeg = fixture("rgb.jpg");
        let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        jpeg[frame + 5..frame + 9].fill(0xff);
        let error = plain(&jpeg).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);

        let size = [30_000u32.to_be_bytes(), 30_000u32.to_be_bytes()].concat();
        let png = fixture("rgb.png");
        let png = with_chunk(
            &png[..8].iter().copied().chain([0; 25]).collect::<Vec<_>>(),
            b"IHDR",
            &[&size[..], &[8, 2, 0, 0, 0]].concat(),
        );
        let png = [&png[..8], &png[33..], &fixture("rgb.png")[33..]].concat();
        let error = plain(&png).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
        assert!(error.what().contains("limit") || error.what().contains("at most"), "{error}");
        println!("refused in bounds");
        return;
    }
    // 30,000 × 30,000 pixels are 2.7 GB, more than this process may take.
    let said = again_within(1_500_000, "faults::images::f28_huge_headers_are_refused_without_taking_memory", CHILD);
    assert!(said.contains("refused in bounds"), "{said}");
}

#[test]
fn f29_a_colour_profile_changes_nothing_even_a_broken_one() {
    let (jpeg, png) = (fixture("rgb.jpg"), fixture("rgb.png"));
    let profile = |content: &[u8]| [b"ICC_PROFILE\0\x01\x01", content].concat();
    for content in [&[0; 128][..], b"no profile at all", b""] {
        assert_eq!(plain(&with_segment(&jpeg, 0xe2, &profile(content))).unwrap(), plain(&jpeg).unwrap());
        let chunk = [b"name\0\0", content].concat();
        assert_eq!(plain(&with_chunk(&png, b"iCCP", &chunk)).unwrap(), plain(&png).unwrap());
    }
}

#[test]
fn f30_broken_exif_is_ignored_with_a_note() {
    let jpeg = fixture("rgb.jpg");
    let upright = plain(&jpeg).unwrap();
    let exif = |tiff: &[u8]| with_segment(&jpeg, 0xe1, &[b"Exif\0\0", tiff].concat());
    // Orientation 6, then the same in ways that cannot be read.
    let good = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    assert_eq!(plain(&exif(good)).unwrap().width, upright.height);
    assert!(!has_broken_exif(&exif(good)) && !has_broken_exif(&jpeg));
    let mut elsewhere = good.to_vec();
    elsewhere[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut many = good.to_vec();
    many[8..10].copy_from_slice(&u16::MAX.to_le_bytes());
    many[10] = 0x13;
    for broken in [&b""[..], b"II", b"no TIFF at all", &good[..15], &elsewhere, &many] {
        assert_eq!(plain(&exif(broken)).unwrap(), upright, "{broken:?}");
        assert!(has_broken_exif(&exif(broken)), "{broken:?}");
    }
    // An orientation that there is not.
    let mut ninth = good.to_vec();
    ninth[18] = 9;
    assert_eq!(plain(&exif(&ninth)).unwrap(), upright);

    let folder = tempfile::tempdir().unwrap();
    write_photos(folder.path(), &[("roses", 2), ("tulips", 2)]);
    assert!(!Dataset::folder(folder.path()).unwrap().verify().unwrap().text().contains("EXIF"));
    fs::write(folder.path().join("roses/odd.jpg"), exif(b"II")).unwrap();
    let said = Dataset::folder(folder.path()).unwrap().verify().unwrap().text();
    assert!(said.contains("all 5 photos can be read") && said.contains("taken as they lie: odd.jpg"), "{said}");
}

#[test]
fn f31_panics_unwind_in_every_profile() {
    // Where they abort, no fence holds.
    for manifest in ["Cargo.toml", "notebooks/kernel/Cargo.toml", "scripts/kernel/workspace.py"] {
        let text = fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(manifest)).unwrap();
        assert!(!text.replace(' ', "").contains("panic=\"abort\""), "{manifest}");
    }
}

/// Drawn flowers to train the small network on, for three epochs of a few steps.
fn begun(root: &std::path::Path) -> (Project, Splits, Config) {
    let config = Config {
        source: Source::Synthetic { per_class: 10 },
        image_size: 32,
        batch_size: 8,
        baseline: PhaseConfig::new(3, 3, 1e-3),
        ..Config::demo()
    };
    let project = project(root);
    let splits = Dataset::fetch(&project, &config).unwrap().split(&project, &config).unwrap();
    (project, splits, config)
}

/// Trains to the end, and does this to the photos once the first epoch is done.
fn train(learner: &mut Learner, config: &Config, mut after_one: impl FnMut()) -> Result<Ended> {
    let mut observe = |event: &Event| {
        if matches!(event, Event::Epoch { epoch, .. } if epoch.epoch == 1) {
            after_one();
        }
        ControlFlow::Continue(())
    };
    learner.fit_with(&Phase::baseline(config), &mut observe).map(|fitted| fitted.ended)
}

#[test]
fn f32_a_photo_that_is_gone_or_replaced_in_mid_epoch_stops_it_by_name_and_nothing_is_lost() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let (project, splits, config) = begun(folders[0].path());
    let mut learner = Learner::baseline(&project, &splits, &config).unwrap();
    assert!(matches!(train(&mut learner, &config, || ()).unwrap(), Ended::Finished(_)));
    let whole = files::read(&learner.run().best()).unwrap();

    for (folder, kind) in [(&folders[1], ErrorKind::Io), (&folders[2], ErrorKind::Dataset)] {
        let (project, splits, config) = begun(folder.path());
        let victim = splits.train.samples[7].path.clone();
        let before = fs::read(&victim).unwrap();
        let mut learner = Learner::baseline(&project, &splits, &config).unwrap();
        let error = train(&mut learner, &config, || {
            fs::remove_file(&victim).unwrap();
            if kind == ErrorKind::Dataset {
                write_picture(&victim, &picture(1));
            }
        });
        let error = error.unwrap_err();
        assert_eq!((error.kind(), error.path()), (kind, Some(victim.as_path())), "{error}");
        assert_eq!(learner.history().unwrap().epochs.len(), 1);

        // Mended, it goes on as if nothing had been.
        files::write_bytes(&victim, &before).unwrap();
        let splits = Splits::open(&project.data).unwrap();
        let mut learner = Learner::baseline(&project, &splits, &config).unwrap();
        assert!(matches!(train(&mut learner, &config, || ()).unwrap(), Ended::Finished(_)));
        assert!(files::read(&learner.run().best()).unwrap() == whole, "{kind:?}");
    }
}
