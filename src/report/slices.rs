//! A model's accuracy by class, light, size and source.

use super::audit::percents;
use super::bar::Bar;
use super::table::{Cells, Table};
use super::words::{counted, with_interval};
use super::{View, shows};
use crate::base::error::Result;
use crate::eval::slices::LEAST;
use crate::eval::{Evaluation, Slice, Slices};

shows!(Slices);

impl Evaluation {
    /// [`Evaluation::slices_with`], shown in a notebook's cell.
    ///
    /// # Errors
    /// Those of [`Evaluation::slices_with`].
    pub fn slices(&self) -> Result<Slices> {
        self.slices_with(&mut Bar::new())
    }
}

impl Slices {
    /// A row a slice, and the weakest one where it is shown that it is weaker than the rest.
    pub fn view(&self) -> View {
        let compared = self.slices.iter().filter(|slice| slice.p_value.is_some()).count();
        let view = View::new(format!("{}: accuracy by slice; of all {}", self.model, with_interval(self.accuracy)));
        let view = view.table_or_why(self.table());
        let how = format!(
            "Fisher's exact test of each slice against all other photos, for {} together (Holm)",
            counted(compared, "slice")
        );
        match self.weakest() {
            Some(weakest) => view.line(format!(
                "weakest: {} {}, {} against {:.1} % elsewhere (p = {:.3}; {how})",
                weakest.by,
                weakest.name,
                with_interval(weakest.accuracy),
                100.0 * weakest.elsewhere,
                weakest.p_value.unwrap_or(1.0)
            )),
            None if compared == 0 => {
                view.line(format!("no slice has enough photos to be compared: {LEAST} of them, and {LEAST} others"))
            }
            None => view.line(format!("no slice is shown to be weaker than the rest ({how})")),
        }
    }

    /// All slices.
    ///
    /// # Errors
    /// [`ErrorKind::Render`](crate::ErrorKind::Render) if there is none.
    pub fn table(&self) -> Result<Table> {
        let text = |value: &dyn Fn(&Slice) -> String| Cells::Text(self.slices.iter().map(value).collect());
        let p = |slice: &Slice| match slice.p_value {
            None if slice.photos < LEAST => "too few".to_string(),
            None => String::new(),
            Some(p) if p < 0.001 => "< 0.001".into(),
            Some(p) => format!("{p:.3}"),
        };
        let is = |slice: &Slice| if slice.is_worse() { "weaker" } else { "" };
        Table::new([
            ("by", text(&|slice| slice.by.clone())),
            ("slice", text(&|slice| slice.name.clone())),
            ("photos", Cells::Counts(self.slices.iter().map(|slice| slice.photos as u64).collect())),
            ("right", Cells::Shares(self.slices.iter().map(|slice| slice.accuracy.value).collect())),
            ("95 %", text(&|slice| percents(slice.accuracy))),
            ("elsewhere", Cells::Shares(self.slices.iter().map(|slice| slice.elsewhere).collect())),
            ("p", text(&p)),
            ("shown to be", text(&|slice| is(slice).into())),
        ])
    }
}
