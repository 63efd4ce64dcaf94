//! Where model cards are: beside each model, and never in the place of what a person has written.

use std::fs;
use std::path::Path;

use petal::eval::Evaluation;
use petal::prelude::*;

use crate::support::{flowers, small_for};

#[test]
fn f98_a_card_that_somebody_has_changed_stays_and_each_model_has_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let config = small_for(1, 0, 1);
    let (project, splits) = flowers(folder.path(), &config);
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    learner.fit_head().unwrap();
    let own = learner.run().folder.join("MODEL_CARD.md");
    let text = |path: &Path| fs::read_to_string(path).unwrap();
    assert!(text(&own).contains("was not measured"), "{}", text(&own));
    let tested = learner.evaluate(Split::Test).unwrap();
    assert!(text(&own).contains("| test | 5 |"), "{}", text(&own));
    // What is known of the photos was taken down while they were read: it is what reading them again gives.
    assert_eq!(tested.facts.len(), 5);
    let read_again = Evaluation { facts: Vec::new(), ..tested.clone() }.slices().unwrap();
    assert_eq!(tested.slices().unwrap(), read_again);
    let weaker = text(&own).split_once("## Where it is weaker").unwrap().1.to_string();
    assert!(weaker.contains("On the test photos. No slice is shown to be weaker"), "{weaker}");
    assert!(weaker.contains("| light | grey level ") && weaker.contains("| too few |"), "{weaker}");

    // Beside a model file; a second model in the folder has a card of its own name.
    let [best, other] =
        ["models/best_model.safetensors", "models/other.safetensors"].map(|name| folder.path().join(name));
    let cards = ["models/MODEL_CARD.md", "models/MODEL_CARD.other.md"].map(|name| folder.path().join(name));
    for (file, card) in [&best, &other].into_iter().zip(&cards) {
        let saved = learner.save(file).unwrap();
        let written = saved.card.clone().unwrap().unwrap();
        assert_eq!((&written.path, written.is_new), (card, true));
        assert!(text(card).contains(&saved.sha256) && text(card).contains("test | 5"), "{}", text(card));
        assert!(saved.text().contains(&card.display().to_string()), "{}", saved.text());
    }
    // Written anew while nobody has changed it; left, and said so, when somebody has.
    learner.save(&best).unwrap();
    for card in [&own, &cards[0]] {
        fs::write(card, text(card) + "\nTested on my own garden.\n").unwrap();
    }
    let kept = [&own, &cards[0]].map(|card| text(card));
    learner.evaluate(Split::Val).unwrap();
    let saved = learner.save(&best).unwrap();
    assert!(saved.text().contains("which somebody has changed: left as it is"), "{}", saved.text());
    assert!(learner.run().text().contains("which somebody has changed"), "{}", learner.run().text());
    assert_eq!([&own, &cards[0]].map(|card| text(card)), kept);
    // One of a person's own, without petal's line, is no other model's: none is written beside it.
    fs::write(&cards[0], "# Mine\n").unwrap();
    assert!(!learner.save(&best).unwrap().card.unwrap().unwrap().is_new);
    assert_eq!(text(&cards[0]), "# Mine\n");
    // What cannot be written is told, and the model is saved all the same.
    fs::remove_file(&cards[0]).unwrap();
    fs::create_dir(&cards[0]).unwrap();
    let saved = learner.save(&best).unwrap();
    assert!(saved.card.as_ref().unwrap().is_err() && saved.text().contains("not written"), "{}", saved.text());

    // A run that is forgotten has no card, but what a person has written of it.
    learner.reset().unwrap();
    assert_eq!(text(&own), kept[0]);
    learner.fit_head().unwrap();
    fs::remove_file(&own).unwrap();
    learner.evaluate(Split::Test).unwrap();
    assert!(own.exists());
    learner.reset().unwrap();
    assert!(!own.exists());
}
