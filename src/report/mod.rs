//! Figures, tables, and everything that a cell shows.
