//! Which network photos like best is said by the photos to learn from and to decide on, and by no others.

use std::fs;

use petal::ErrorKind;
use petal::config::{Backbone, Config, Named, WeightsFrom};
use petal::learner::{Learner, choose_network};

use crate::support::{flowers, small};

#[test]
fn the_network_that_knows_most_of_the_photos_is_chosen_and_test_photos_stay_unread() {
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    // Who read one of them would fail.
    for sample in splits.test.samples.iter() {
        fs::remove_file(&sample.path).unwrap();
    }
    let networks =
        [(Backbone::Mobilenetv3Large, WeightsFrom::Random), (Backbone::EfficientnetLite0, WeightsFrom::Embedded)];
    let chosen = choose_network(&project, &splits, &config, &networks).unwrap();
    let own = |config: &Config| (config.backbone, config.weights.clone());
    // One that has seen photos before knows more of them than random numbers do.
    assert_eq!(own(&chosen.config), (Backbone::EfficientnetLite0, WeightsFrom::Embedded));
    assert_eq!(Config { backbone: config.backbone, weights: config.weights.clone(), ..chosen.config.clone() }, config);
    let [first, second] = chosen.tried.as_slice() else { panic!("{} were tried", chosen.tried.len()) };
    assert_eq!((first.backbone, second.backbone), (Backbone::EfficientnetLite0, Backbone::Mobilenetv3Large));
    let photos = splits.train.samples.len() + splits.val.samples.len();
    assert!([first, second].iter().all(|one| one.evaluation.predictions.len() == photos && one.accuracies.len() == 5));
    assert!(first.evaluation.accuracy().value > second.evaluation.accuracy().value);
    // It is what the network's learner finds by itself.
    let alone = Learner::new(&project, &splits, &chosen.config).unwrap().cross_validate(5).unwrap();
    assert_eq!((&alone.accuracies, &alone.evaluation.predictions), (&first.accuracies, &first.evaluation.predictions));
    let difference = chosen.against_second().unwrap().unwrap();
    let said = chosen.view().text();
    assert_eq!(said.contains("is shown to be better than"), difference.is_shown(), "{said}");
    assert!(said.contains("network: efficientnet-lite0 for") && said.contains("mobilenetv3-large"), "{said}");

    let one = choose_network(&project, &splits, &config, &networks[1..]).unwrap();
    assert!(one.against_second().unwrap().is_none() && one.view().text().contains("no other network's weights"));
    assert_eq!(choose_network(&project, &splits, &config, &[]).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn a_network_is_named_or_left_to_the_photos() {
    assert_eq!("auto".parse::<Named>().unwrap(), Named::Auto);
    for bad in ["hf:", "hf:timm", "hf:../x", "hf:timm/a/b", "hf:timm/..", "hf:timm/a b", "resnet51"] {
        assert_eq!(bad.parse::<Named>().unwrap_err().kind(), ErrorKind::Config, "{bad}");
    }
    let folder = tempfile::tempdir().unwrap();
    let (project, _) = flowers(folder.path(), &small());
    let named = small().with_network("resnet-18", &project).unwrap();
    assert_eq!((named.backbone, named.weights), (Backbone::Resnet18, small().weights));
    assert!(small().with_network("auto", &project).unwrap_err().how_to_mend().unwrap().contains("choose_network"));
}
