//! Figures, tables, and everything that a cell shows.
//!
//! Every type that a notebook cell may end with has `html()`, its twin `text()`, and `evcxr_display()`, which shows both to the
//! kernel. All three come from one [`View`], so they say the same. Pictures are PNG, tables plain HTML, nothing is a
//! script.
//!
//! | file | what it holds |
//! |---|---|
//! | [`view`] | blocks of text, tables and pictures; HTML and plain text from the same blocks |
//! | [`table`] | tables over polars data frames |
//! | [`figure`] | PNG pictures, drawn with plotters |
//! | [`confusion`], [`curves`], [`gallery`], [`mod@cam`], [`lr_find`], [`reliability`] | the figures |
//! | [`words`] | numbers, sizes and times as people say them |
//! | [`project`] | views of the project and the settings |
//! | [`data`], [`splits`], [`training`], [`evaluation`], [`predictions`] | views of the photos, of their parts, of a training, of an evaluation, of predictions |
//! | [`trust`], [`said`] | how far a model can be trusted; what is said of a photo in a few words |
//! | [`duplicates`] | photos that show the same, side by side |
//! | [`audit`], `audit_map` | a look at the photos before training: each finding with its photos, and where all photos lie |
//! | [`slices`] | an accuracy by class, light, size and source |
//! | [`mod@onnx`] | views of an ONNX file that was written |
//! | [`cleaner`] | views of photos that are likely in the wrong class |
//! | [`runs`] | views of a run, its page, all runs side by side |
//! | [`card`] | model cards |
//! | [`mod@explained`] | photos with their heat maps on one page |
//! | [`progress`] | the lines that a training prints |
//! | [`cache`] | views of the cache's files |
//! | [`bar`], [`growing`], [`telling`], `calls` | long work while it is done: a bar, a training, the calls on photos that have one |
//! | `kernel`, `widgets`, `stop_button`, `cleaner_buttons` | what is said to a kernel that listens: displays that change, buttons |
//! | [`live`] | what a run's folder shows while it trains |

pub mod audit;
mod audit_map;
pub mod bar;
pub mod cache;
mod calls;
pub mod cam;
mod cam_check;
pub mod card;
pub mod cleaner;
mod cleaner_buttons;
pub mod confusion;
pub mod curves;
pub mod data;
pub mod duplicates;
pub mod evaluation;
pub mod explained;
pub mod figure;
pub mod gallery;
pub mod growing;
pub mod halving;
mod kernel;
pub mod live;
pub mod lr_find;
pub mod networks;
pub mod onnx;
mod plain;
pub mod predictions;
pub mod progress;
pub mod project;
pub mod reliability;
pub mod runs;
pub mod said;
mod scaled;
pub mod slices;
pub mod splits;
mod stop_button;
pub mod table;
pub mod telling;
pub mod training;
pub mod trust;
pub mod view;
mod widgets;
pub mod words;

pub use bar::Bar;
pub use cam::cam;
pub use explained::{ExplainedPage, ToExplain, explained};
pub use figure::Figure;
pub use networks::Networks;
pub use predictions::{all_predicted, predicted};
pub use table::Table;
pub use training::model_summary;
pub use view::View;
pub(crate) use view::shows;
