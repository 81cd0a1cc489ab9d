use std::path::PathBuf;

use clap::Args;

use crate::{Loaded, load};

/// Where the configuration and the data are.
#[derive(Args, Clone)]
pub struct Place {
    /// Configuration file.
    #[arg(long, value_name = "F")]
    pub config: Option<PathBuf>,
    /// Data directory.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

impl Place {
    /// Reads the configuration from the command line, the environment and the file.
    pub fn load(&self) -> Result<Loaded, String> {
        load(self.config.as_deref(), self.data.as_deref())
    }
}
