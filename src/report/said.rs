//! What is said of a photo in a few words.

use crate::eval::Prediction;

/// What is said in the place of the most probable class: the classes that it may be where the model isn't sure, `unknown` where it is likely of none of
/// them; nothing where that class is the answer.
pub fn instead(prediction: &Prediction, classes: &[String]) -> Option<String> {
    if prediction.is_unknown() {
        return Some("unknown".into());
    }
    prediction.one_of().filter(|set| set.len() > 1).map(|set| one_of(set, classes))
}

/// Several classes: `roses or tulips`, `3 of 5 classes, roses first`.
fn one_of(set: &[usize], classes: &[String]) -> String {
    match set {
        [] => "none".into(),
        [one] => name(*one, classes).into(),
        [first, second] => format!("{} or {}", name(*first, classes), name(*second, classes)),
        [first, second, third] => {
            format!("{}, {} or {}", name(*first, classes), name(*second, classes), name(*third, classes))
        }
        [first, ..] => format!("{} of {} classes, {} first", set.len(), classes.len(), name(*first, classes)),
    }
}

/// What is said below a photo: the class with its probability, or what is said in its place and then that; and the true class where it is known.
pub(super) fn said(prediction: &Prediction, classes: &[String]) -> Vec<String> {
    let (class, probability) = prediction.best();
    let best = format!("{} {:.0} %", name(class, classes), 100.0 * probability);
    let mut lines = match instead(prediction, classes) {
        Some(said) => vec![said, format!("most like {best}")],
        None => vec![best],
    };
    match prediction.target {
        Some(target) if target != class => lines.push(format!("is {}", name(target, classes))),
        Some(_) => lines.push("right".into()),
        None => {}
    }
    lines
}

fn name(class: usize, classes: &[String]) -> &str {
    classes.get(class).map_or("?", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::Judgement;

    #[test]
    fn it_says_a_class_several_or_unknown() {
        let classes = ["a", "b", "c", "d", "e"].map(String::from);
        let says = |set: Option<Vec<usize>>, is_unknown: Option<bool>| {
            let judgement = Judgement { one_of: set, coverage: 0.95, distance: None, energy: 0.0, is_unknown };
            let prediction = Prediction::new("1.jpg", Some(1), vec![0.4, 0.3, 0.2, 0.1, 0.0]);
            said(&Prediction { judgement: Some(judgement), ..prediction }, &classes).join("; ")
        };
        assert_eq!(says(None, None), "a 40 %; is b");
        assert_eq!(says(Some(vec![0]), Some(false)), "a 40 %; is b");
        assert_eq!(says(Some(vec![0, 1]), Some(false)), "a or b; most like a 40 %; is b");
        assert_eq!(says(Some(vec![0, 1, 2, 3]), None), "4 of 5 classes, a first; most like a 40 %; is b");
        assert_eq!(says(Some(vec![0, 1]), Some(true)), "unknown; most like a 40 %; is b");
        assert_eq!(one_of(&[0, 1, 2], &classes), "a, b or c");
    }
}
