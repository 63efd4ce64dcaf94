//! A training within a budget of time: what was planned is kept, and taken again.

use std::fs;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use petal::ErrorKind;
use petal::config::{Config, Layers, PhaseConfig, Schedule};
use petal::data::Split;
use petal::learner::Learner;
use petal::models::Cut;
use petal::train::{Ended, Event, Phase};

use crate::support::{flowers, small_for};
use crate::training::{bytes_of, numbers};

fn settings() -> Config {
    let small = small_for(1, 1, 1);
    let fine_tune =
        PhaseConfig { layers: Layers::All, schedule: Schedule::Cosine, label_smoothing: 0.1, ..small.fine_tune };
    Config { image_size: 32, fine_tune, ..small }
}

fn fit(learner: &mut Learner, phase: &Phase, stop_after: Option<usize>) -> Ended {
    let mut steps = 0;
    let mut observe = |event: &Event| {
        steps += usize::from(matches!(event, Event::Step { .. }));
        if stop_after == Some(steps) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    learner.fit_with(phase, &mut observe).unwrap().ended
}

#[test]
fn f78_what_was_planned_within_a_budget_is_taken_again_whatever_the_time_is_then() {
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = settings();
    let (project, splits) = flowers(whole.path(), &config);
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    let head = learner.head();
    fit(&mut learner, &head, None);
    let before = learner.evaluate(Split::Val).unwrap().predictions;
    let plan = learner.plan(0.25, Instant::now()).unwrap();
    assert!(plan.epochs >= 1 && plan.layers == Layers::All && plan.spent > 0.0, "{plan:?}");
    assert!(plan.spent + plan.planned <= 1.03 * 15.0 + 1e-6, "{plan:?}");
    assert!(learner.evaluate(Split::Val).unwrap().predictions == before, "measuring left something behind");
    assert_eq!((learner.upper().epochs, learner.upper().cut), (plan.epochs, Cut::Images));
    let upper = learner.upper();
    fit(&mut learner, &upper, None);
    assert_eq!(learner.run().plan().as_ref(), Some(&plan));
    assert_eq!(learner.run().record().unwrap().config.fine_tune.epochs, plan.epochs);

    // Elsewhere with the same plan, stopped on the way, and no time left when it goes on.
    let (project, splits) = flowers(parts.path(), &config);
    let mut stopped = Learner::new(&project, &splits, &config).unwrap();
    fit(&mut stopped, &head, None);
    fs::copy(learner.run().plan_file(), stopped.run().plan_file()).unwrap();
    let late = Instant::now() - Duration::from_secs(14);
    assert_eq!(stopped.plan(0.25, late).unwrap(), plan);
    let upper = stopped.upper();
    assert_eq!(fit(&mut stopped, &upper, Some(3)), Ended::Stopped);
    let mut stopped = Learner::new(&project, &splits, &config).unwrap();
    assert_eq!(stopped.plan(0.25, late).unwrap(), plan);
    let upper = stopped.upper();
    fit(&mut stopped, &upper, None);
    assert!(numbers(&stopped) == numbers(&learner) && bytes_of(&stopped) == bytes_of(&learner));

    // Another budget is another plan; one that is spent leaves the head.
    let mut spent = Learner::new(&project, &splits, &config).unwrap();
    let plan = spent.plan(0.2, late).unwrap();
    assert_eq!((plan.epochs, spent.phases().len()), (0, 1));
    for minutes in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = spent.plan(minutes, late).unwrap_err();
        assert!(error.kind() == ErrorKind::Config && error.what().contains("minutes is"), "{error}");
    }
    let mut baseline = Learner::baseline(&project, &splits, &config).unwrap();
    assert_eq!(baseline.plan(1.0, late).unwrap_err().kind(), ErrorKind::Config);
    // A plan that cannot be read is made anew.
    fs::write(spent.run().plan_file(), "{").unwrap();
    assert!(spent.run().plan().is_none());
}
