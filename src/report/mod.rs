//! Figures, tables, and everything that a cell shows.
//!
//! Every type that a notebook cell may end with has `html()`, its twin `text()`, and `evcxr_display()`, which shows both to the
//! kernel. All three come from one [`View`], so they say the same. Pictures are PNG, tables plain HTML, nothing is a script.
//!
//! | file | what it holds |
//! |---|---|
//! | [`view`] | blocks of text, tables and pictures; HTML and plain text from the same blocks |
//! | [`table`] | tables over polars data frames |
//! | [`figure`] | PNG pictures, drawn with plotters |
//! | [`confusion`], [`curves`], [`gallery`], [`cam`] | the figures |
//! | [`data`], [`training`], [`evaluation`] | views of the photos, of a training, of an evaluation |
//! | [`progress`] | the lines that a training prints |

pub mod cam;
pub mod confusion;
pub mod curves;
pub mod data;
pub mod evaluation;
pub mod figure;
pub mod gallery;
pub mod progress;
pub mod table;
pub mod training;
pub mod view;

pub use cam::grad_cam;
pub use evaluation::predicted;
pub use figure::Figure;
pub use table::Table;
pub use training::model_summary;
pub use view::View;
pub(crate) use view::shows;
