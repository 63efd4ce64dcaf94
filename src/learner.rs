//! A network, its photos and its run folder together.
