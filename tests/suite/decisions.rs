//! What a person decides about single photos reaches the split, and nothing is lost on the way.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use petal::config::{Config, PhaseConfig, Source};
use petal::data::decisions::DECISIONS;
use petal::data::{Dataset, Decision, Decisions, Split, Splits};
use petal::pixels::{Rgb, encode_png};
use petal::project::{DeviceChoice, Project};
use petal::{ErrorKind, Seed, files};

use crate::support::small;

fn config(photos: &Path) -> Config {
    let head = PhaseConfig::new(8, 9, 1e-3);
    Config { source: Source::Folder(photos.into()), head, ..small() }
}

/// A project, and beside it a folder of drawn flowers.
pub(crate) struct Flowers {
    _folder: tempfile::TempDir,
    pub(crate) photos: PathBuf,
    pub(crate) project: Project,
    pub(crate) config: Config,
}

impl Flowers {
    pub(crate) fn new(per_class: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let photos = folder.path().join("photos");
        petal::data::synthetic::draw(&photos, per_class, Seed(3)).unwrap();
        let project = Project::open_on(folder.path().join("project"), DeviceChoice::Cpu).unwrap();
        let config = config(&photos);
        Self { _folder: folder, photos, project, config }
    }

    pub(crate) fn split(&self) -> petal::Result<Splits> {
        Dataset::folder(&self.photos).unwrap().split(&self.project, &self.config)
    }

    fn decide(&self, decisions: &[(&str, Decision)]) {
        let row = |(name, decision): &(&str, Decision)| {
            let sha256 = files::sha256_file(&self.photos.join(name)).unwrap();
            (name.to_string(), sha256, decision.clone())
        };
        Decisions::add(&self.project.data, decisions.iter().map(row)).unwrap();
    }
}

/// Part and class of each photo, by the hash of its bytes.
fn places(splits: &Splits) -> BTreeMap<String, (Split, String)> {
    let mut places = BTreeMap::new();
    for split in Split::ALL {
        for sample in splits.get(split).samples.iter() {
            let place = (split, splits.classes[sample.target].clone());
            let twice = places.insert(files::sha256_file(&sample.path).unwrap(), place);
            assert_eq!(twice, None, "{} is there twice", sample.path.display());
        }
    }
    places
}

#[test]
fn a_split_honours_the_decisions_and_moves_nothing_else() {
    let flowers = Flowers::new(12);
    let before = flowers.split().unwrap();
    assert!(before.made_with.decided.sha256.is_empty());
    let places_before = places(&before);
    let photos: Vec<String> = files::sorted_dir(&flowers.photos.join("roses"))
        .unwrap()
        .iter()
        .map(|p| format!("roses/{}", p.file_name().unwrap().to_str().unwrap()))
        .collect();
    let to_tulips = Decision::Relabel("tulips".into());
    flowers.decide(&[(&photos[0], Decision::Drop), (&photos[1], to_tulips.clone()), (&photos[2], Decision::Keep)]);

    let after = flowers.split().unwrap();
    let hash = |name: &str| files::sha256_file(&flowers.photos.join(name)).unwrap();
    let mut expected = places_before.clone();
    expected.remove(&hash(&photos[0]));
    expected.get_mut(&hash(&photos[1])).unwrap().1 = "tulips".into();
    assert_eq!(places(&after), expected, "all others are where they were");
    assert_eq!(after.made_with.decided.dropped.keys().collect::<Vec<_>>(), [&photos[0]]);
    assert_eq!(after.made_with.decided.relabelled.keys().collect::<Vec<_>>(), [&photos[1]]);
    let text = after.text();
    for words in ["1 photo dropped, 1 relabelled", &photos[0], &format!("{} to tulips", photos[1])] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // Nothing is lost: every photo still lies in its own folder.
    assert_eq!(Dataset::folder(&flowers.photos).unwrap().samples.len(), 60);

    // The same again changes nothing; opened, it says the same.
    let manifest = flowers.project.data.join("manifest.csv");
    let time = std::fs::metadata(&manifest).unwrap().modified().unwrap();
    let again = flowers.split().unwrap();
    assert_eq!(std::fs::metadata(&manifest).unwrap().modified().unwrap(), time);
    assert_eq!(
        (again.made_with.decided.clone(), again.train.sha256),
        (after.made_with.decided.clone(), after.train.sha256.clone())
    );
    assert_eq!(Splits::open(&flowers.project.data).unwrap().made_with.decided, after.made_with.decided);
    // A decision to keep is none that changes a split.
    flowers.decide(&[(&photos[3], Decision::Keep)]);
    flowers.split().unwrap();
    assert_eq!(std::fs::metadata(&manifest).unwrap().modified().unwrap(), time);

    // Without the decisions, the split is what it was, to the byte.
    std::fs::remove_file(flowers.project.data.join(DECISIONS)).unwrap();
    let undone = flowers.split().unwrap();
    for split in Split::ALL {
        assert_eq!(undone.get(split).sha256, before.get(split).sha256);
    }
    assert!(!undone.text().contains("relabelled"));
}

#[test]
fn a_relabelled_photo_takes_the_place_of_no_other() {
    let flowers = Flowers::new(12);
    // A photo of the same name in both classes, and one that has the name that it would get.
    for (from, name) in [("roses", "1.png"), ("tulips", "1.png"), ("tulips", "roses_1.png")] {
        let shade = name.len() as u8 * 17 + from.len() as u8;
        let data = (0..48 * 48 * 3).map(|i| ((i * i) as u8).wrapping_mul(shade)).collect();
        let photo = Rgb { width: 48, height: 48, data };
        std::fs::write(flowers.photos.join(from).join(name), encode_png(&photo).unwrap()).unwrap();
    }
    let before = places(&flowers.split().unwrap());
    flowers.decide(&[("roses/1.png", Decision::Relabel("tulips".into()))]);
    let after = flowers.split().unwrap();
    assert_eq!(after.made_with.decided.relabelled["roses/1.png"], "tulips/_roses_1.png");
    assert_eq!(places(&after).len(), before.len());
    assert!(flowers.split().unwrap().made_with.decided == after.made_with.decided, "found again as it is");
}

#[test]
fn decisions_that_cannot_be_honoured_are_told() {
    let flowers = Flowers::new(12);
    flowers.split().unwrap();
    let first = |class: &str| {
        let path = files::sorted_dir(&flowers.photos.join(class)).unwrap().remove(0);
        format!("{class}/{}", path.file_name().unwrap().to_str().unwrap())
    };
    // A photo that was replaced since, and one that is gone.
    let (replaced, gone) = (first("daisy"), first("tulips"));
    flowers.decide(&[(&replaced, Decision::Drop), (&gone, Decision::Drop)]);
    let photo = Rgb { width: 40, height: 40, data: (0..4800).map(|i| (i % 251) as u8).collect() };
    std::fs::write(flowers.photos.join(&replaced), encode_png(&photo).unwrap()).unwrap();
    std::fs::remove_file(flowers.photos.join(&gone)).unwrap();
    let dataset = Dataset::folder(&flowers.photos).unwrap();
    let splits = dataset.resplit(&flowers.project, &flowers.config).unwrap();
    assert_eq!(splits.made_with.decided.unused, [replaced.clone(), gone.clone()]);
    assert!(splits.made_with.decided.dropped.is_empty());
    assert!(splits.text().contains("2 decisions did nothing"), "{}", splits.text());
    std::fs::remove_file(flowers.project.data.join(DECISIONS)).unwrap();
    flowers.split().unwrap();

    // A class that does not exist; a part left without a class. The split that was there stays.
    let manifest = files::read(&flowers.project.data.join("manifest.csv")).unwrap();
    flowers.decide(&[(&replaced, Decision::Relabel("daisies".into()))]);
    let error = flowers.split().unwrap_err();
    assert!(error.kind() == ErrorKind::Dataset && error.what().contains("\"daisies\""), "{error}");
    flowers.decide(&[(&replaced, Decision::Keep)]);
    let all: Vec<String> = dataset
        .samples
        .iter()
        .filter(|s| s.target == 2)
        .map(|s| format!("roses/{}", s.path.file_name().unwrap().to_str().unwrap()))
        .collect();
    let drop_all: Vec<_> = all.iter().map(|name| (name.as_str(), Decision::Drop)).collect();
    flowers.decide(&drop_all);
    let error = flowers.split().unwrap_err();
    assert!(error.what().contains("class \"roses\" has no photo in train"), "{error}");
    assert_eq!(error.path().unwrap().file_name().unwrap(), DECISIONS);
    assert_eq!(files::read(&flowers.project.data.join("manifest.csv")).unwrap(), manifest);
    // A file that cannot be understood, too.
    std::fs::write(flowers.project.data.join(DECISIONS), "path,what\n").unwrap();
    assert!(flowers.split().unwrap_err().what().contains("line 1: "));
}

#[test]
fn a_pair_in_two_classes_is_no_conflict_once_it_is_decided() {
    let flowers = Flowers::new(12);
    let path = files::sorted_dir(&flowers.photos.join("roses")).unwrap().remove(4);
    let name = path.file_name().unwrap().to_str().unwrap();
    std::fs::copy(&path, flowers.photos.join("tulips").join(name)).unwrap();
    let splits = flowers.split().unwrap();
    assert_eq!((splits.made_with.conflicts.len(), splits.made_with.duplicates), (1, 1));
    // Both are the same bytes: the decision is about the one of this name.
    flowers.decide(&[(&format!("tulips/{name}"), Decision::Drop)]);
    let splits = flowers.split().unwrap();
    assert_eq!(
        (splits.made_with.conflicts.len(), splits.made_with.duplicates, splits.made_with.decided.dropped.len()),
        (0, 0, 1)
    );
    assert!(places(&splits)[&files::sha256_file(&path).unwrap()].1 == "roses");
}
