//! What is there for people and their tools to read.

/// The page at `/`: photos are dropped or chosen, and their classes stand in a table.
pub(super) const PAGE: &str = include_str!("page.html");

/// What the service answers, in OpenAPI's words.
pub(super) const OPENAPI: &str = include_str!("openapi.json");
