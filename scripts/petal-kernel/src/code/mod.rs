//! What can be told of a cell's code without compiling it.

mod complete;
mod lex;
mod look;
mod names;
mod position;

pub(crate) use complete::{Completeness, completeness};
pub(crate) use look::{ends_in_a_value, line_in, lines_with_question_marks};
pub(crate) use names::{Names, names};
pub(crate) use position::{byte_of, character_of};
