//! The real photos, where `PETAL_PHOTOS_ARCHIVE` names their archive (`flower_photos_dev.tgz`).

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use petal::Config;
use petal::data::{Dataset, Loader, Split, Splits};
use petal::models::registry;
use petal::project::Device;

use super::{project, seeded};

const CLASSES: [(&str, usize); 5] =
    [("daisy", 430), ("dandelion", 610), ("roses", 435), ("sunflowers", 475), ("tulips", 543)];

#[test]
fn real_photos_are_unpacked_verified_and_split() {
    let Some(archive) = std::env::var_os("PETAL_PHOTOS_ARCHIVE").map(PathBuf::from) else {
        // Straight to stderr, which the test harness does not hold back.
        let line = "skipped: the 2,493 real photos (PETAL_PHOTOS_ARCHIVE does not name their archive)";
        writeln!(std::io::stderr(), "{line}").unwrap();
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    let photos = Dataset::from_archive(&project, &archive, false).unwrap();
    assert_eq!(photos.counts(), BTreeMap::from(CLASSES));
    assert_eq!(photos.samples.len(), 2493);
    assert!(photos.licence.contains("CC-BY"));
    assert!(photos.left_out.is_empty(), "{:?}", photos.left_out);

    let looked = photos.verify().unwrap();
    assert_eq!(looked.bad, []);
    assert_eq!(looked.good.len(), 2493);

    let mut duplicates = Vec::new();
    for seed in [42, 1] {
        let splits = photos.resplit(&project, &seeded(seed)).unwrap();
        for (target, (class, total)) in CLASSES.iter().enumerate() {
            for (split, fraction) in Split::ALL.into_iter().zip([0.8, 0.1, 0.1]) {
                let count = splits.get(split).samples.iter().filter(|sample| sample.target == target).count();
                assert!((count as f64 - fraction * *total as f64).abs() <= 1.0, "{count} of {class} in {split}");
            }
        }
        duplicates.push((splits.made_with.duplicates, splits.made_with.conflicts));
    }
    // Three copies, one of them in two classes, and five recoloured ones, whatever the seed.
    let twice = ["roses", "tulips"].map(|class| format!("{class}/15922772266_1167a06620.jpg"));
    assert_eq!(duplicates[0], (8, vec![twice.into()]));
    assert_eq!(duplicates[0], duplicates[1]);

    let splits = Splits::open(&project.data).unwrap();
    let preprocess = registry::weights(Config::seed().backbone).preprocess;
    let loader = Loader::new(&splits.test, preprocess, 32, &Device::Cpu);
    let seen: usize = loader.batches().map(|batch| batch.unwrap().indices.len()).sum();
    assert_eq!(seen, splits.test.samples.len());
}
