//! Products of bf16 numbers with `f32` sums: twice the rate of `f32` where the processor has an instruction for them.

mod numbers;
mod product;
