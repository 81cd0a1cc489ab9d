//! What stays behind: the audit trail, accepted rollbacks, sealing anew after a rotation, and the jobs.

pub mod audit;
pub mod jobs;
pub mod resealing;
pub mod rollback;
