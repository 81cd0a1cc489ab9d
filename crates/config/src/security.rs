use crate::section::section;

section! {
    /// Cost of hashing secrets, and the security profile.
    Security {
        /// `compat` keeps the documented behaviour. `strict` uses shorter lifetimes as OWASP ASVS 5 L2 and NIST SP 800-63B-4 require.
        /// `keyward doctor` lists the differences.
        profile: String = "compat".to_owned(),
        /// Argon2id memory in KiB. The minimum is 19456, except in development mode.
        argon2_memory_kib: u32 = 19_456,
        /// Argon2id passes. The minimum is 2, except in development mode.
        argon2_passes: u32 = 2,
        /// Argon2id lanes (parallelism).
        argon2_lanes: u32 = 1,
        /// Number of hashing threads. 0: one for each processor core.
        hash_threads: usize = 0,
        /// How many callers may wait in the hash queue of each kind of work.
        hash_queue: usize = 64,
    }
}

impl Security {
    pub(crate) fn validate(&self) -> Result<(), String> {
        if !["compat", "strict"].contains(&self.profile.as_str()) {
            return Err("configuration: [security] profile must be compat or strict".to_owned());
        }
        if self.argon2_memory_kib < 19_456 || self.argon2_passes < 2 {
            return Err(
                "configuration: [security] argon2_memory_kib must be at least 19456, and argon2_passes at least 2".to_owned()
            );
        }
        if !self.cost().is_valid() {
            return Err(
                "configuration: [security] Argon2 does not accept these numbers".to_owned(),
            );
        }
        Ok(())
    }

    pub fn cost(&self) -> crypto::password::Cost {
        crypto::password::Cost {
            memory_kib: self.argon2_memory_kib,
            passes: self.argon2_passes,
            lanes: self.argon2_lanes,
        }
    }

    pub fn threads(&self) -> usize {
        match self.hash_threads {
            0 => std::thread::available_parallelism().map_or(2, usize::from),
            threads => threads,
        }
    }

    pub(crate) fn is_strict(&self) -> bool {
        self.profile == "strict"
    }
}
