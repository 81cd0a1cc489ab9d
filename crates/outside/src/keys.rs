//! The root keys of a server that keeps them itself: a key file, or its content in the environment.

mod error;
mod file;
mod local;

pub use error::KeyError;
pub use file::KeyFile;
pub use local::LocalRoots;
