//! How often something may be tried, sent or asked for, and how much work is taken on at once.

pub mod budget;
pub mod hashing;
pub mod lockout;
pub mod quota;
pub mod rate;
pub mod turns;
