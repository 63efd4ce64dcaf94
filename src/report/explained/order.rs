//! Which photos come first on the page: those that a person should look at.

use crate::eval::Prediction;

/// Below this probability the network counts as unsure.
pub(super) const SURE: f32 = 0.7;

/// Photos with something in common, in the order in which they are shown.
pub(super) struct Group<'a> {
    /// Its mark in the page's addresses.
    pub(super) id: &'static str,
    /// In words.
    pub(super) title: String,
    pub(super) photos: Vec<&'a Prediction>,
}

/// Wrong ones, the surest mistake first; unsure ones, the least sure first; the others, the least sure first. Groups without a photo are left out.
pub(super) fn groups(predictions: &[Prediction]) -> Vec<Group<'_>> {
    let of = |keep: &dyn Fn(&Prediction) -> bool, surest_first: bool| {
        let mut photos: Vec<&Prediction> = predictions.iter().filter(|photo| keep(photo)).collect();
        // Stable, so that equals stay in the order of their paths.
        photos.sort_by(|a, b| match surest_first {
            true => b.best().1.total_cmp(&a.best().1),
            false => a.best().1.total_cmp(&b.best().1),
        });
        photos
    };
    let is_wrong = |photo: &Prediction| photo.is_right() == Some(false);
    // Unknown, or of one of several classes, is not sure either, however high the probability is.
    let says_more = |photo: &Prediction| photo.is_unknown() || photo.one_of().is_some_and(|set| set.len() > 1);
    let is_unsure = |photo: &Prediction| !is_wrong(photo) && (photo.best().1 < SURE || says_more(photo));
    let is_known = predictions.iter().any(|photo| photo.target.is_some());
    let percent = 100.0 * SURE;
    let others = if is_known { "Right, or not known".to_string() } else { format!("Sure, {percent:.0} % and more") };
    let others = if predictions.iter().all(|photo| photo.target.is_some()) { "Right".into() } else { others };
    let unsure = match predictions.iter().any(says_more) {
        true => format!("Unsure: below {percent:.0} %, one of several classes, or unknown"),
        false => format!("Unsure, below {percent:.0} %"),
    };
    let all = [
        ("wrong", "Wrong".to_string(), of(&is_wrong, true)),
        ("unsure", unsure, of(&is_unsure, false)),
        ("others", others, of(&|photo| !is_wrong(photo) && !is_unsure(photo), false)),
    ];
    let all = all.into_iter().map(|(id, title, photos)| Group { id, title, photos });
    all.filter(|group| !group.photos.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_photo_is_in_one_group_and_what_is_to_be_looked_at_comes_first() {
        let photo = |name: &str, target, sure: f32| Prediction {
            path: name.into(),
            target,
            probabilities: vec![sure, 1.0 - sure],
            judgement: None,
        };
        let all = [
            photo("right", Some(0), 0.9),
            photo("unsure", Some(0), 0.6),
            photo("wrong", Some(1), 0.6),
            photo("surely wrong", Some(1), 0.99),
            photo("unknown", None, 0.8),
        ];
        let shown = |predictions: &[Prediction]| -> Vec<(String, Vec<String>)> {
            let names = |group: &Group| group.photos.iter().map(|photo| photo.path.display().to_string()).collect();
            groups(predictions).iter().map(|group| (group.title.clone(), names(group))).collect()
        };
        let expected = [
            ("Wrong", vec!["surely wrong", "wrong"]),
            ("Unsure, below 70 %", vec!["unsure"]),
            ("Right, or not known", vec!["unknown", "right"]),
        ];
        let expected =
            expected.map(|(title, names)| (title.to_string(), names.into_iter().map(String::from).collect()));
        assert_eq!(shown(&all), expected);
        assert_eq!(shown(&all[..1])[0].0, "Right");
        assert_eq!(shown(&all[4..])[0].0, "Sure, 70 % and more");
        assert!(groups(&[]).is_empty());
    }
}
