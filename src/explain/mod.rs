//! Where a network looked.
