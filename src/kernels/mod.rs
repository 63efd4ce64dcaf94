//! CPU compute on `f32` slices, channels-last. Knows no Candle. The only place with `unsafe`.
