//! Photos that show the same: which are found, which are not, and what becomes of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use petal::config::{Duplicates, SplitConfig};
use petal::data::{Dataset, Split, duplicates, photo};
use petal::pixels::{Rgb, encode_jpeg, encode_png, resize};
use petal::{Config, ErrorKind};

use super::drawn::{FAMILIES, drawn};
use super::split::{parts, refused, rows};
use super::{picture, project, seeded, write_photos, write_picture};

/// Pairs that are found in a folder, by their names.
fn pairs(root: &Path, threshold: f64) -> BTreeSet<(String, String)> {
    let looked = Dataset::folder(root).unwrap().verify().unwrap();
    assert_eq!(looked.bad, []);
    let found = duplicates::find(&looked.good, threshold);
    let name = |photo: usize| looked.good[photo].sample.name.clone();
    found.pairs.iter().map(|pair| (name(pair.one), name(pair.other))).collect()
}

fn asked(duplicates: Duplicates) -> Config {
    Config { split: SplitConfig { duplicates, ..SplitConfig::default() }, ..Config::seed() }
}

fn cropped(picture: &Rgb, left: usize, top: usize) -> Rgb {
    let (width, height) = (picture.width - left, picture.height - top);
    let row = |y: usize| picture.data[((y + top) * picture.width + left) * 3..][..width * 3].iter().copied();
    Rgb { width, height, data: (0..height).flat_map(row).collect() }
}

#[test]
fn f63_drawn_pictures_that_look_alike_are_distinct_and_their_copies_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mut expected = BTreeSet::new();
    for family in FAMILIES {
        for number in 0..16u64 {
            let picture = drawn(family, number);
            let name = format!("{family}/{number:02}.png");
            fs::create_dir_all(root.join(family)).unwrap();
            fs::write(root.join(&name), encode_png(&picture).unwrap()).unwrap();
            // Of every fourth, one encoded again and one of half the size.
            if number % 4 == 0 {
                let (again, small) = (format!("{family}/{number:02}a.jpg"), format!("{family}/{number:02}b.png"));
                fs::write(root.join(&again), encode_jpeg(&picture, 60).unwrap()).unwrap();
                fs::write(root.join(&small), encode_png(&resize::fit(&picture, 120).unwrap()).unwrap()).unwrap();
                expected.extend([(name.clone(), again.clone()), (name, small.clone()), (again, small)]);
            }
        }
    }
    // Sorted by name, "00.png" comes before "00a.jpg".
    let found = pairs(root, 0.75);
    let missed: Vec<_> = expected.difference(&found).collect();
    let wrong: Vec<_> = found.difference(&expected).collect();
    assert!(missed.is_empty() && wrong.is_empty(), "missed: {missed:?}, wrong: {wrong:?}");
}

#[test]
fn f63_copies_are_found_recoloured_mirrored_and_cropped_and_moved_things_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for (index, family) in ["lines", "pages", "charts"].into_iter().enumerate() {
        let picture = drawn(family, 100 + index as u64);
        let coloured = |mix: fn(f64, usize) -> f64| {
            let mut copy = picture.clone();
            copy.data.iter_mut().enumerate().for_each(|(i, v)| *v = mix(f64::from(*v), i % 3).clamp(0.0, 255.0) as u8);
            copy
        };
        let mut mirrored = picture.clone();
        for row in mirrored.data.chunks_exact_mut(picture.width * 3) {
            let pixels: Vec<u8> = row.chunks_exact(3).rev().flatten().copied().collect();
            row.copy_from_slice(&pixels);
        }
        let copies = [
            ("original", picture.clone()),
            ("dark", coloured(|v, _| v * 0.7)),
            ("pale", coloured(|v, _| v * 0.5 + 90.0)),
            ("tinted", coloured(|v, channel| v * [0.9, 0.7, 0.5][channel] + 20.0)),
            ("gamma", coloured(|v, _| 255.0 * (v / 255.0).powf(0.8))),
            ("mirrored", mirrored),
            ("cropped", cropped(&picture, 12, 12)),
        ];
        for (name, copy) in &copies {
            fs::create_dir_all(root.join(family)).unwrap();
            fs::write(root.join(family).join(format!("{name}.png")), encode_png(copy).unwrap()).unwrap();
        }
    }
    let found = pairs(root, 0.75);
    for family in ["lines", "pages", "charts"] {
        for copy in ["dark", "pale", "tinted", "gamma", "mirrored", "cropped"] {
            let pair = |a: &str, b: &str| (format!("{family}/{a}.png"), format!("{family}/{b}.png"));
            let is_found = found.contains(&pair(copy, "original")) || found.contains(&pair("original", copy));
            assert!(is_found, "{family}, {copy}");
        }
    }
    assert!(found.iter().all(|(a, b)| a.split('/').next() == b.split('/').next()), "{found:?}");

    // The same thing at another place of the same ground is another picture.
    let other = folder.path().join("moved/a");
    fs::create_dir_all(&other).unwrap();
    for (index, left) in [40usize, 60, 110].into_iter().enumerate() {
        let is_thing = |x: usize, y: usize| (left..left + 60).contains(&x) && (80..160).contains(&y);
        let pixel = |i: usize| if is_thing(i % 200, i / 200) { [180, 40 + (i % 7) as u8, 30] } else { [250; 3] };
        let picture = Rgb { width: 200, height: 200, data: (0..40_000).flat_map(pixel).collect() };
        fs::write(other.join(format!("{index}.png")), encode_png(&picture).unwrap()).unwrap();
    }
    write_picture(&folder.path().join("moved/b/0.jpg"), &picture(1));
    assert_eq!(pairs(&folder.path().join("moved"), 0.75), BTreeSet::new());
}

#[test]
fn f63_flat_pictures_are_like_their_equals_only() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let flat = |grey: u8| Rgb { width: 90, height: 60, data: vec![grey; 90 * 60 * 3] };
    let slope = |steep: usize| {
        let value = |i: usize| (100 + i / 3 % 90 * steep / 90) as u8;
        Rgb { width: 90, height: 60, data: (0..90 * 60 * 3).map(value).collect() }
    };
    for (name, picture) in
        [("a/1", flat(0)), ("a/2", flat(1)), ("a/3", flat(255)), ("b/1", slope(20)), ("b/2", slope(24))]
    {
        fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        fs::write(root.join(format!("{name}.png")), encode_png(&picture).unwrap()).unwrap();
    }
    assert_eq!(pairs(root, 0.0), BTreeSet::new());
    // The same bytes, and the same pixels in other bytes.
    fs::copy(root.join("a/1.png"), root.join("b/copy.png")).unwrap();
    let mut longer = fs::read(root.join("a/3.png")).unwrap();
    longer.extend(b"after the end");
    fs::write(root.join("a/longer.png"), longer).unwrap();
    let expected = [("a/1.png", "b/copy.png"), ("a/3.png", "a/longer.png")];
    assert_eq!(pairs(root, 0.75), expected.map(|(a, b)| (a.into(), b.into())).into());
}

#[test]
fn f63_a_chain_is_no_group() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("photos");
    write_photos(&root, &[("a", 12), ("b", 12)]);
    // Each is a crop of the one before; the last shows too little of the first.
    let first = drawn("lines", 7);
    let second = cropped(&first, 26, 26);
    let third = cropped(&second, 26, 26);
    for (name, picture) in [("one", &first), ("three", &third), ("two", &second)] {
        fs::write(root.join(format!("a/x {name}.png")), encode_png(picture).unwrap()).unwrap();
    }
    let name = |which: &str| format!("a/x {which}.png");
    let found = pairs(&root, 0.75);
    assert_eq!(found, [(name("one"), name("two")), (name("three"), name("two"))].into());
    let looked = Dataset::folder(&root).unwrap().verify().unwrap();
    let groups = duplicates::find(&looked.good, 0.75).groups;
    let sizes: Vec<usize> =
        (0..groups.len()).map(|first| groups.iter().filter(|group| **group == first).count()).collect();
    assert_eq!((sizes.iter().max(), sizes.iter().filter(|size| **size == 2).count()), (Some(&2), 1));

    // Where the pair that is not kept together falls into two parts, it is told.
    let project = project(&folder.path().join("project"));
    for seed in 0..6 {
        let splits = Dataset::folder(&root).unwrap().resplit(&project, &seeded(seed)).unwrap();
        let parts = parts(&project);
        let trained = |which: &str| parts[&name(which)] == Split::Train;
        let apart = usize::from(trained("one") != trained("two")) + usize::from(trained("three") != trained("two"));
        assert_eq!(
            (splits.made_with.duplicates, splits.made_with.pairs.len(), splits.made_with.leaks.len()),
            (1, 2, apart),
            "seed {seed}"
        );
    }
}

#[test]
fn f63_copies_alone_make_no_set_unusable() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("photos");
    write_photos(&root, &[("a", 20)]);
    for index in 0..12 {
        write_picture(&root.join(format!("b/{index:02}.jpg")), &picture(500));
    }
    let project = project(&folder.path().join("project"));
    let splits = Dataset::folder(&root).unwrap().split(&project, &Config::seed()).unwrap();
    assert_eq!(splits.made_with.split_up, [("b".to_string(), 12)].into());
    assert_eq!((splits.made_with.duplicates, splits.made_with.pairs.len()), (11, 11));
    for split in Split::ALL {
        assert!(rows(&project).iter().any(|row| row.class == "b" && row.split == split), "{split}");
    }
    assert!(splits.text().contains("12 copies of class b may be in several parts, because"), "{}", splits.text());
    assert!(splits.text().contains("leak: "), "{}", splits.text());
    // Fewer photos than parts are still too few.
    fs::remove_dir_all(root.join("b")).unwrap();
    write_photos(&root, &[("b", 2)]);
    refused(
        Dataset::folder(&root).unwrap().resplit(&project, &Config::seed()),
        &["class \"b\" has 2 photos", "needs 3"],
    );
}

#[test]
fn f63_duplicates_are_kept_together_or_told_or_not_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("photos");
    write_photos(&root, &[("a", 30), ("b", 30)]);
    for index in 0..20 {
        let original = photo::read(&root.join(format!("a/{index:03}.jpg")), &Default::default()).unwrap();
        fs::write(root.join(format!("a/copy {index:03}.jpg")), encode_jpeg(&original, 60).unwrap()).unwrap();
    }
    let photos = Dataset::folder(&root).unwrap();
    let project = project(&folder.path().join("project"));
    let told = |duplicates: Duplicates| {
        let splits = photos.resplit(&project, &asked(duplicates)).unwrap();
        assert_eq!(splits.made_with.duplicates_are, duplicates);
        (splits.made_with.duplicates, splits.made_with.pairs.len(), splits.made_with.leaks.len(), splits)
    };
    let (count, pairs, leaks, splits) = told(Duplicates::Together);
    assert_eq!((count, pairs, leaks), (20, 20, 0));
    assert!(splits.text().contains("20 photos are (nearly) the same as another; each such group is in one part"));
    // Twelve pairs are shown, and the rest is counted.
    let (text, html) = (splits.duplicates().text(), splits.duplicates().html());
    assert!(text.contains("20 pairs") && text.contains("and 8 more pairs"), "{text}");
    assert!(text.matches("a/copy ").count() >= 12, "{text}");
    assert!(html.contains("<img") && html.contains("data:image/") && html.contains("a, train"), "{text}");

    let (count, pairs, leaks, splits) = told(Duplicates::Report);
    assert_eq!((count, pairs), (20, 20));
    assert!(leaks > 0 && splits.text().contains("the parts were drawn as if they were not"), "{}", splits.text());
    let reported = parts(&project);

    let (count, pairs, leaks, splits) = told(Duplicates::Off);
    assert_eq!((count, pairs, leaks), (0, 0, 0));
    assert!(
        splits.text().contains("were not looked for") && splits.duplicates().text().contains("were not looked for")
    );
    assert_eq!(parts(&project), reported);

    // A split is what it was made with.
    let words = ["this split was made with duplicates = off; asked for is together", "--replace"];
    refused(photos.split(&project, &asked(Duplicates::Together)), &words);
    photos.split(&project, &asked(Duplicates::Off)).unwrap();
    photos.resplit(&project, &Config::seed()).unwrap();
    let mut other = Config::seed();
    other.split.duplicate_threshold = 0.9;
    refused(photos.split(&project, &other), &["made with duplicate_threshold = 0.75; asked for is 0.9"]);

    // One of an earlier petal names neither.
    let path = project.data.join("split.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for key in ["duplicates_are", "duplicate_threshold", "pairs", "split_up"] {
        assert!(json.as_object_mut().unwrap().remove(key).is_some(), "{key}");
    }
    fs::write(&path, json.to_string()).unwrap();
    let splits = photos.split(&project, &Config::seed()).unwrap();
    assert_eq!((splits.made_with.duplicates, splits.made_with.pairs.len()), (20, 0));
}

#[test]
fn f63_wrong_words_and_thresholds_are_refused() {
    let error = Config::from_toml("[split]\nduplicates = \"togther\"").unwrap_err();
    assert!(error.what().contains("did you mean together?"), "{error}");
    for threshold in [-0.1, 1.1, f64::NAN] {
        let mut config = Config::seed();
        config.split.duplicate_threshold = threshold;
        let error = config.check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error.what().contains("split.duplicate_threshold is") && error.what().contains("from 0 to 1"),
            "{error}"
        );
    }
    for text in ["together", "report", "off"] {
        let config =
            Config::from_toml(&format!("[split]\nduplicates = \"{text}\"\nduplicate_threshold = 0.8")).unwrap();
        assert_eq!((config.split.duplicates.name(), config.split.duplicate_threshold), (text, 0.8));
    }
}
